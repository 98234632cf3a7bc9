import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

/// One endpoint per element, with the attribute `x/core-metrics-extractor`; without it for `nil`.
private func endpoints(_ values: [Double?]) -> Candidates {
    Candidates(
        values.enumerated().map { slot, value in
            .loaded(slot, attributes: value.map { ["x/core-metrics-extractor": $0] } ?? [:])
        }
    )
}

@Suite struct EndpointAttributeFilterTests {
    private func kept(_ parameters: ConfigurationValue, _ candidates: Candidates) throws -> [Int] {
        var candidates = candidates
        var context = SchedulingContext.sample()
        try make(EndpointAttributeFilter.self, parameters).filter(&candidates, context: &context)
        return candidates.positions
    }

    private func threshold(
        _ comparison: String,
        _ value: Double = 2,
        _ more: [ConfigurationValue.Member] = []
    ) -> ConfigurationValue {
        let algorithm: ConfigurationValue = [
            "type": "threshold",
            "threshold": [
                "operator": ConfigurationValue(.string(comparison)), "value": ConfigurationValue(.double(value)),
            ],
        ]
        let members: [ConfigurationValue.Member] = [
            .init(key: "attribute", keyPosition: .builtin, value: "x"),
            .init(key: "algorithm", keyPosition: .builtin, value: algorithm),
        ]
        return ConfigurationValue(.object(members + more))
    }

    private func member(_ key: String, _ value: ConfigurationValue) -> ConfigurationValue.Member {
        .init(key: key, keyPosition: .builtin, value: value)
    }

    @Test(arguments: [
        ("LessThan", [0]), ("LessThanOrEqual", [0, 1]), ("GreaterThan", [2]), ("GreaterThanOrEqual", [1, 2]),
        ("Equal", [1]), ("NotEqual", [0, 2]),
    ])
    func compares(comparison: String, expected: [Int]) throws {
        #expect(try kept(threshold(comparison), endpoints([1, 2, 3])) == expected)
    }

    @Test func whatIsMissingPassesUnlessItFails() throws {
        let candidates = endpoints([nil, 1, 3, .nan, .infinity])
        #expect(try kept(threshold("LessThan"), candidates) == [0, 1, 3, 4], "no finite number is no number")
        #expect(try kept(threshold("LessThan", 2, [member("onMissing", "Pass")]), candidates) == [0, 1, 3, 4])
        #expect(try kept(threshold("LessThan", 2, [member("onMissing", "Fail")]), candidates) == [1])
    }

    @Test func allAreKeptRatherThanNoneWhereThatIsWanted() throws {
        #expect(try kept(threshold("LessThan"), endpoints([5, 6])).isEmpty)
        let lenient = threshold("LessThan", 2, [member("fallbackOnEmpty", true)])
        #expect(try kept(lenient, endpoints([5, 6])) == [0, 1])
        #expect(try kept(lenient, endpoints([5, 1])) == [1])
    }

    @Test func theProducerIsPartOfTheKey() throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        for parameters in [
            threshold("Equal"), threshold("Equal", 2, [member("producer", "dcgm-extractor")]),
            threshold("Equal", 2, [member("producer", "")]),
        ] {
            _ = try make(EndpointAttributeFilter.self, parameters, name: "filter", context: &context)
        }
        let keys = context.consumedAttributes.map(\.key)
        #expect(keys == ["x/core-metrics-extractor", "x/dcgm-extractor", "x/"])
        #expect(context.consumedAttributes.allSatisfy { $0.plugin == "filter" })
    }

    @Test(arguments: [
        ("WaitingQueueSize", 4.0), ("RunningRequestsSize", 5.0), ("KVCacheUsagePercent", 0.25),
    ])
    func theEnginesMetricsAreAttributesToo(name: String, value: Double) throws {
        let parameters: ConfigurationValue = [
            "attribute": ConfigurationValue(.string(name)), "onMissing": "Fail",
            "algorithm": [
                "type": "threshold",
                "threshold": ["operator": "Equal", "value": ConfigurationValue(.double(value))],
            ],
        ]
        let metrics = EndpointMetrics(waitingQueueSize: 4, runningRequests: 5, kvCacheUsage: 0.25)
        let candidates = Candidates([
            .loaded(0, metrics: metrics), .loaded(1), .loaded(2, metrics: metrics, metricsUpdatedAt: nil),
        ])
        #expect(try kept(parameters, candidates) == [0])
        var context = PluginContext(clock: SystemMonotonicClock())
        _ = try make(EndpointAttributeFilter.self, parameters, context: &context)
        #expect(context.consumedAttributes.isEmpty, "they are always read")
    }

    @Test(
        arguments: [
            ([:], "required field \"attribute\" is missing"),
            (["attribute": ""], "must not be empty"),
            (["attribute": "x/dcgm-extractor"], "'x/dcgm-extractor' has a '/'"),
            (["attribute": "x"], "required field \"algorithm\" is missing"),
            (["attribute": "x", "onMissing": "Drop"], "\"Drop\" is not one of Pass, Fail"),
            (["attribute": "x", "algorithm": [:]], "required field \"type\" is missing"),
            (["attribute": "x", "algorithm": ["type": "topK"]], "\"topK\" is not one of threshold"),
            (["attribute": "x", "algorithm": ["type": "threshold"]], "required field \"threshold\" is missing"),
            (
                ["attribute": "x", "algorithm": ["type": "threshold", "threshold": ["operator": "<"]]],
                "\"<\" is not one of LessThan"
            ),
            (
                ["attribute": "x", "algorithm": ["type": "threshold", "threshold": ["operator": "Equal"]]],
                "required field \"value\" is missing"
            ),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(EndpointAttributeFilter.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}

@Suite struct EndpointAttributeScorerTests {
    private func scores(_ algorithm: ConfigurationValue, _ values: [Double?]) throws -> [Double] {
        let scorer = try make(EndpointAttributeScorer.self, ["attributeKey": "x", "algorithm": algorithm])
        return BuiltinPluginsTests.scores(scorer, endpoints(values))
    }

    @Test(
        arguments: [
            ([1, 2, 5], [1, 0.75, 0]),
            ([7], [1]),
            ([3, 3], [1, 1]),
            ([nil, 1, 3], [0, 1, 0]),
            ([nil, nil], [0, 0]),
            ([.nan, 1, 3, .infinity, -.infinity], [0, 1, 0, 0, 0]),
            ([-1.7e308, 0, 1.7e308], [1, 0.5, 0]),
        ] as [([Double?], [Double])])
    func theCandidatesMakeTheRange(values: [Double?], expected: [Double]) throws {
        #expect(try scores(["type": "linear_lower_is_better"], values) == expected)
        let adaptive: ConfigurationValue = [
            "type": "linear_lower_is_better", "normalization": ["adaptiveRange": [:]],
        ]
        #expect(try scores(adaptive, values) == expected)
    }

    @Test func highValuesAreBetterWhereThatIsWanted() throws {
        #expect(try scores(["type": "linear_higher_is_better"], [1, 2, 5, nil]) == [0, 0.25, 1, 0])
        #expect(try scores(["type": "linear_higher_is_better"], [2, 2, nil]) == [1, 1, 0])
    }

    @Test(arguments: [
        ("linear_lower_is_better", [1, 0.5, 0, 1, 0, 0]), ("linear_higher_is_better", [0, 0.5, 1, 0, 1, 0]),
    ])
    func aFixedRangeClamps(type: String, expected: [Double]) throws {
        let algorithm: ConfigurationValue = [
            "type": ConfigurationValue(.string(type)), "normalization": ["fixedRange": ["min": 10, "max": 30]],
        ]
        #expect(try scores(algorithm, [10, 20, 30, -1e9, 1e9, nil]) == expected)
    }

    @Test(
        arguments: [
            ([:], "required field \"attributeKey\" is missing"),
            (["attributeKey": "x"], "required field \"algorithm\" is missing"),
            (["attributeKey": "a/b", "algorithm": ["type": "linear_lower_is_better"]], "'a/b' has a '/'"),
            (["attributeKey": "x", "algorithm": ["type": "log"]], "\"log\" is not one of"),
            (
                [
                    "attributeKey": "x",
                    "algorithm": [
                        "type": "linear_lower_is_better",
                        "normalization": ["fixedRange": ["min": 1, "max": 1]],
                    ],
                ], "min 1.0 is not below max 1.0"
            ),
            (
                [
                    "attributeKey": "x",
                    "algorithm": [
                        "type": "linear_lower_is_better",
                        "normalization": ["fixedRange": ["min": 0, "max": 1], "adaptiveRange": [:]],
                    ],
                ], "fixedRange and adaptiveRange exclude each other"
            ),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(EndpointAttributeScorer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
