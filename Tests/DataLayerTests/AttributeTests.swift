import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@Suite struct CustomMetricTests {
    private static let mapping = EngineMetricMapping(
        name: "mine",
        queuedRequests: MetricSpec(name: "queue"),
        customMetrics: [
            .init(key: "swapped/x", metric: MetricSpec(name: "swapped", labels: [.init(name: "to", value: "cpu")])),
            .init(key: "again/x", metric: MetricSpec(name: "queue")),
        ]
    )

    private func read(_ page: String) -> EngineMetricsExtractor.Reading {
        var extractor = EngineMetricsExtractor(mapping: Self.mapping)
        return extractor.read(Array(page.utf8).span.bytes, previous: EndpointMetrics())
    }

    @Test func seriesBecomeAttributes() {
        let reading = read(
            """
            # TYPE queue gauge
            queue 3
            # TYPE swapped counter
            swapped{to="disk"} 5
            swapped{to="cpu"} -2.5

            """
        )
        #expect(reading.metrics.waitingQueueSize == 3)
        let expected = [AttributeReading(key: "swapped/x", value: -2.5), AttributeReading(key: "again/x", value: 3)]
        #expect(reading.attributes == expected)
        #expect(reading.faults.isEmpty)
    }

    @Test(arguments: [
        ("# TYPE swapped gauge\n", ScrapeFaultReason.missing),
        ("swapped{to=\"cpu\"} 1\n", .wrongType),
        ("# TYPE swapped histogram\nswapped{to=\"cpu\"} 1\n", .wrongType),
        ("# TYPE swapped gauge\nswapped{to=\"cpu\"} NaN\n", .notANumber),
        ("# TYPE swapped gauge\nswapped{to=\"cpu\"} +Inf\n", .notANumber),
    ])
    func whatIsNoFiniteNumberIsNoAttribute(text: String, reason: ScrapeFaultReason) {
        let reading = read("# TYPE queue gauge\nqueue 3\n" + text)
        #expect(reading.attributes == [AttributeReading(key: "again/x", value: 3)])
        #expect(reading.faults == [ScrapeFault(.attribute, reason, attribute: "swapped/x")])
    }

    @Test func anAttributeAloneDoesNotRecogniseAnEngine() {
        let reading = read("# TYPE swapped gauge\nswapped{to=\"cpu\"} 1\n")
        #expect(reading.isAnyFound && !reading.isRecognised)
    }

    @Test func theyReachTheSnapshotAndStayUntilNewOnesCome() throws {
        var configuration = ScrapeConfiguration()
        configuration.engines = EngineMappings(defaultEngine: "mine", mappings: [Self.mapping])
        let rig = try ScrapeRig([.made("a"), .made("b", port: 1)], configuration: configuration) { request in
            let isFirst = request.address.port == 8_000
            return .text("# TYPE swapped gauge\nswapped{to=\"cpu\"} \(isFirst ? 4 : 9)\n# TYPE queue gauge\nqueue 1\n")
        }
        rig.run(for: .zero)
        #expect(rig.store.current.endpoints.map(\.attributes) == [4, 9].map { ["swapped/x": $0, "again/x": 1] })
        rig.http.answer { _ in .text("# TYPE queue gauge\nqueue 2\n") }
        rig.run(for: .milliseconds(50))
        #expect(rig.store.current.endpoints.map(\.attributes) == [4, 9].map { ["swapped/x": $0, "again/x": 2] })
        #expect(rig.faults(0) == ["attribute/missing", "model_list/unreadable"])
    }

    @Test func anotherLifeStartsWithoutThem() throws {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        store.replaceEndpoints([.made("a")])
        let life = EndpointLife(store.current.endpoints[0])
        store.record(attributes: [AttributeReading(key: "k", value: 1)], for: life)
        store.record(faults: [ScrapeFault(.page, .truncated)], from: "s", for: life)
        store.replaceEndpoints([.made("a", labels: ["new": "label"])])
        #expect(store.current.endpoints[0].attributes == ["k": 1], "the same life")
        store.replaceEndpoints([.made("a", port: 5)])
        #expect(store.current.endpoints[0].attributes.isEmpty)
        #expect(store.current.faults.isEmpty)
        store.record(attributes: [AttributeReading(key: "k", value: 2)], for: life)
        store.record(faults: [ScrapeFault(.page, .truncated)], from: "s", for: life)
        #expect(store.current.endpoints[0].attributes.isEmpty, "a late answer to the first life")
        #expect(store.current.faults.isEmpty)
    }

    @Test func whatAnotherConfigurationReadIsForgotten() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        store.replaceEndpoints([.made("a")])
        let life = EndpointLife(store.current.endpoints[0])
        let readings = [AttributeReading(key: "old", value: 1), AttributeReading(key: "kept", value: 2)]
        store.record(attributes: readings, for: life)
        store.record(faults: [ScrapeFault(.page, .truncated)], from: "s", for: life)
        let held = store.current
        store.forgetReadings(exceptAttributes: ["kept", "never"])
        #expect(store.current.endpoints[0].attributes == ["kept": 2])
        #expect(store.current.faults.isEmpty)
        #expect(held.faults.count == 1)
        #expect(held.endpoints[0].attributes.count == 2, "a view that is held does not change")
    }
}

@Suite struct AttributePageTests {
    private static let rule = AttributeRule(
        key: "GPUUtilization/dcgm-extractor",
        metric: MetricSpec(name: "DCGM_FI_DEV_GPU_UTIL"),
        ownerLabel: "pod",
        divisor: 100,
        range: 0...1
    )

    private static var configuration: ScrapeConfiguration {
        let settings = PageSourceSettings(port: 9_400, interval: .seconds(1))
        var configuration = ScrapeConfiguration()
        configuration.attributePages = [AttributePage(source: "dcgm-data-source", settings: settings, rules: [rule])]
        return configuration
    }

    /// A page of the exporter with one GPU per series.
    private static func page(_ series: [String]) -> String {
        "# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).\n# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n"
            + series.map { "DCGM_FI_DEV_GPU_UTIL\($0)\n" }.joined()
    }

    /// What the endpoints called `a` and `b` have after `page` was read for both, and what was wrong with it for `a`.
    /// The engine has no page of its own.
    private func read(_ page: String) throws -> (utilization: [Double?], faults: [String]) {
        let rig = try ScrapeRig([.made("a"), .made("b", port: 1)], configuration: Self.configuration) { request in
            request.address.port == 9_400 ? .text(page) : .text("", status: 404)
        }
        rig.run(for: .zero)
        return (
            rig.store.current.endpoints.map { $0.attributes[Self.rule.key] }, rig.faults(0, from: "dcgm-data-source")
        )
    }

    @Test func theBusiestGPUOfTheEndpointCounts() throws {
        let read = try read(
            Self.page([
                #"{gpu="0",pod="a"} 20"#, #"{gpu="1",pod="a"} 55.5"#, #"{gpu="2",pod="b"} 90"#,
                #"{gpu="3",pod=""} 99"#, #"{gpu="4",pod="c"} 99"#,
            ])
        )
        #expect(read.utilization == [0.555, 0.9] && read.faults.isEmpty)
    }

    @Test func theRanksOfAHostHaveThePodsName() throws {
        let ranks = (0..<2).map { rank in
            var description = EndpointDescription.made("a-rank-\(rank)", port: rank)
            description.podName = "a"
            return description
        }
        let rig = try ScrapeRig(ranks, configuration: Self.configuration) { request in
            request.address.port == 9_400
                ? .text(Self.page([#"{pod="a"} 40"#, #"{pod="a-rank-0"} 90"#])) : .text("", status: 404)
        }
        rig.run(for: .zero)
        #expect(rig.store.current.endpoints.map { $0.attributes[Self.rule.key] } == [0.4, 0.4])
        #expect(rig.store.current.endpoints.map(\.podName) == ["a", "a"])
    }

    @Test func seriesThatNameNobodyAreAboutWhoeverAsks() throws {
        let read = try read(Self.page([#"{gpu="0"} 20"#, " 30", #"{gpu="1",pod="b"} 100"#]))
        #expect(read.utilization == [0.3, 1] && read.faults.isEmpty)
    }

    @Test(
        arguments: [
            ([], nil, "missing"), ([#"{pod="b"} 5"#], nil, "missing"), ([#"{pod="a"} NaN"#], nil, "not_a_number"),
            ([#"{pod="a"} NaN"#, #"{pod="a"} 7"#], 0.07, "not_a_number"),
            ([#"{pod="a"} -1"#], nil, "out_of_range"),
            ([#"{pod="a"} 2147483632"#, #"{pod="a"} 9"#], 0.09, "out_of_range"),
        ] as [([String], Double?, String)])
    func badSeriesAreLeftOutAndTold(series: [String], expected: Double?, reason: String) throws {
        let read = try read(Self.page(series))
        #expect(read.utilization[0] == expected && read.faults == ["attribute/\(reason)"])
    }

    @Test func aSeriesWithoutATypeIsNoGauge() throws {
        let read = try read("DCGM_FI_DEV_GPU_UTIL 5\n")
        #expect(read.utilization == [nil, nil] && read.faults == ["attribute/wrong_type"])
    }

    @Test func aPageThatIsCutGivesWhatIsWhole() throws {
        let read = try read(String(Self.page([#"{pod="a"} 40"#, #"{pod="a"} 95"#]).dropLast(2)))
        #expect(read.utilization[0] == 0.4 && read.faults == ["page/truncated"])
    }

    @Test func theExporterIsAskedAtItsOwnPlaceAndPace() throws {
        let rig = try ScrapeRig([.made("a")], configuration: Self.configuration) { request in
            request.address.port == 9_400 ? .text(Self.page([" 10"])) : .text("", status: 404)
        }
        rig.run(for: .milliseconds(3_999))
        #expect(rig.requests("/metrics", port: 9_400) == 4)
        #expect(rig.http.requests.allSatisfy { $0.address.host == "10.0.0.1" && !$0.address.isSecure })
        rig.replaceEndpoints([])
        rig.run(for: .seconds(5))
        #expect(rig.requests("/metrics", port: 9_400) == 4)
    }

    @Test func anExporterThatFailsTakesNothingAwayAndSaysNothingOfTheEndpoint() throws {
        let rig = try ScrapeRig([.made("a")], configuration: Self.configuration) { request in
            request.address.port == 9_400 ? .text(Self.page([" 10"])) : .text("", status: 404)
        }
        rig.run(for: .zero)
        let failed = { rig.metrics.pollErrors.child("dcgm-data-source").value }
        let answers: [(Result<OutboundResponse, OutboundFailure>, String)] = [
            (.failure(.connect("refused")), "unreachable"), (.failure(.timedOut), "timed_out"),
            (.failure(.badResponse("cut")), "unreadable"), (.failure(.overLimit("long")), "too_large"),
            (.success(.text("", status: 500)), "status"), (.success(.text("", status: 404)), "missing"),
        ]
        for (number, (answer, reason)) in answers.enumerated() {
            rig.http.answer { request throws(OutboundFailure) in
                if request.address.port == 9_400 { return try answer.get() }
                return .text("", status: 404)
            }
            rig.run(for: .seconds(1))
            #expect(failed() == UInt64(number + 1))
            #expect(rig.faults(0, from: "dcgm-data-source") == ["page/\(reason)"])
        }
        #expect(rig.store.current.endpoints[0].attributes == [Self.rule.key: 0.1])
        #expect(rig.store.current.available.count == 1 && rig.metrics.scrapes(.connection).value == 0)
    }

    @Test func theModelListIsAskedForAsConfigured() throws {
        var configuration = ScrapeConfiguration()
        configuration.modelsPath = "/models"
        configuration.isModelsSecure = true
        configuration.modelsInterval = .milliseconds(100)
        let rig = try ScrapeRig([.made("a")], configuration: configuration) { request in
            request.path == "/models" ? .text(#"{"data":[{"id":"m"}]}"#) : .text("", status: 404)
        }
        rig.run(for: .milliseconds(999))
        #expect(rig.requests("/models") == 10 && rig.requests("/v1/models") == 0)
        #expect(rig.http.requests.filter { $0.path == "/models" }.allSatisfy { $0.address.isSecure })
        #expect(rig.store.current.endpoints[0].models == ["m"])
        rig.http.answer { _ in .text("", status: 404) }
        rig.replaceEndpoints([.made("b", port: 1)])
        let before = rig.requests("/models")
        rig.run(for: .milliseconds(999))
        #expect(rig.requests("/models") == before + 10, "no slower while it is not known")
    }
}
