import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct RolloutScreenerTests {
    private static func endpoints(_ shape: [(revision: String?, role: String?, count: Int)]) -> [EndpointSnapshot] {
        var endpoints: [EndpointSnapshot] = []
        for (revision, role, count) in shape {
            for _ in 0..<count {
                var labels = ["set": "s", "slice": "\(endpoints.count % 2)"]
                labels["disaggregatedset.x-k8s.io/revision"] = revision
                labels["disaggregatedset.x-k8s.io/role"] = role
                endpoints.append(.sample("e\(endpoints.count)", slot: endpoints.count, labels: labels))
            }
        }
        return endpoints
    }

    private static func parameters(_ mode: String, selectors: ConfigurationValue = []) -> ConfigurationValue {
        [
            "scope": ["labelSelector": "set=s"],
            "headerSelectors": selectors,
            "revisionGating": [
                "mode": .init(stringLiteral: mode), "requireRoles": ["values": ["prefill", "decode"]],
            ],
        ]
    }

    private static let selectors: ConfigurationValue = [
        [
            "name": "revision", "headerName": "X-Revision", "labelKey": "disaggregatedset.x-k8s.io/revision",
            "mode": "strict",
        ],
        ["name": "slice", "headerName": "x-slice", "labelKey": "slice", "mode": "prefer"],
    ]

    /// The example of the plugin's own documentation: A has 2 and 9 endpoints, B has 1 and 1.
    private let rollout = Self.endpoints([
        ("A", "prefill", 2), ("A", "decode", 9), ("B", "prefill", 1), ("B", "decode", 1),
    ])

    private func screened(
        _ screener: DisaggregatedSetRolloutScreener,
        _ endpoints: [EndpointSnapshot],
        headers: [(String, String)] = [],
        seed: UInt64 = 1
    ) -> [EndpointSnapshot] {
        var candidates = Candidates(endpoints)
        var context = SchedulingContext.sample(.with(headers: headers), seed: seed)
        screener.screen(&candidates, context: &context)
        return candidates.positions.map { candidates.all[$0] }
    }

    private func revisions(_ endpoints: [EndpointSnapshot]) -> Set<String> {
        Set(endpoints.map { $0.labels["disaggregatedset.x-k8s.io/revision"] ?? "" })
    }

    @Test(arguments: [("sum", 11.0 / 13), ("max-role", 0.9)])
    func revisionsGetTheirShare(mode: String, share: Double) throws {
        let screener = try make(DisaggregatedSetRolloutScreener.self, Self.parameters(mode))
        var counts = ["A": 0, "B": 0]
        for seed in 1...4000 as ClosedRange<UInt64> {
            let left = screened(screener, rollout, seed: seed)
            let revision = try #require(revisions(left).first)
            #expect(revisions(left) == [revision])
            #expect(left.count == (revision == "A" ? 11 : 2))
            counts[revision, default: 0] += 1
        }
        // Four standard deviations of 4,000 draws are below 0.025.
        #expect(abs(Double(counts["A"] ?? 0) / 4000 - share) < 0.025, "\(counts)")
    }

    @Test func theSeedDecides() throws {
        let screener = try make(DisaggregatedSetRolloutScreener.self, Self.parameters("sum"))
        for seed in 1...50 as ClosedRange<UInt64> {
            let forwards = revisions(screened(screener, rollout, seed: seed))
            #expect(forwards == revisions(screened(screener, rollout.reversed(), seed: seed)))
        }
    }

    @Test(
        arguments: [
            // A role is missing.
            [("A", "prefill", 1), ("A", "decode", 1), ("B", "decode", 9)],
            [("A", "prefill", 1), ("A", "decode", 1), ("B", "decode", 9), ("B", "encode", 1)],
            // Endpoints without a revision or a role belong to none.
            [("A", "prefill", 1), ("A", "decode", 1), (nil, "decode", 9), (nil, "prefill", 9)],
            [("A", "prefill", 1), ("A", "decode", 1), ("", "decode", 9), ("", "prefill", 9)],
            [("A", "prefill", 1), ("A", "decode", 1), ("B", "decode", 9), ("B", nil, 9)],
        ] as [[(revision: String?, role: String?, count: Int)]])
    func incompleteRevisionsGetNothing(shape: [(revision: String?, role: String?, count: Int)]) throws {
        for mode in ["sum", "max-role"] {
            let screener = try make(DisaggregatedSetRolloutScreener.self, Self.parameters(mode))
            for seed in 1...20 as ClosedRange<UInt64> {
                #expect(screened(screener, Self.endpoints(shape), seed: seed).map(\.slot) == [0, 1])
            }
            #expect(screened(screener, Array(Self.endpoints(shape).dropFirst())).isEmpty)
            #expect(screened(screener, []).isEmpty)
        }
    }

    @Test func onlyTheScopeCounts() throws {
        let screener = try make(DisaggregatedSetRolloutScreener.self, Self.parameters("sum"))
        var endpoints = Self.endpoints([("A", "prefill", 1), ("A", "decode", 1), ("A", "encode", 1)])
        #expect(screened(screener, endpoints).count == 3)
        let outside = ["disaggregatedset.x-k8s.io/revision": "A", "disaggregatedset.x-k8s.io/role": "decode"]
        endpoints[1] = .sample("e1", slot: 1, labels: outside)
        #expect(screened(screener, endpoints).isEmpty)
    }

    @Test func theFirstOfEqualRolesIsTheLargest() throws {
        // Four of each role: the weights are those of prefill, 3 to 1, and not those of decode, 1 to 3.
        let even = Self.endpoints([("A", "prefill", 3), ("A", "decode", 1), ("B", "prefill", 1), ("B", "decode", 3)])
        let screener = try make(DisaggregatedSetRolloutScreener.self, Self.parameters("max-role"))
        let seeds = 1...1000 as ClosedRange<UInt64>
        let share = seeds.count { revisions(screened(screener, even, seed: $0)) == ["A"] }
        #expect((690...810).contains(share), "\(share)")
    }

    @Test func aStrictHeaderNamesTheRevision() throws {
        for mode in ["sum", "max-role", "disabled"] {
            let parameters = Self.parameters(mode, selectors: Self.selectors)
            let screener = try make(DisaggregatedSetRolloutScreener.self, parameters)
            for seed in 1...10 as ClosedRange<UInt64> {
                #expect(
                    screened(screener, rollout, headers: [("x-revision", "B")], seed: seed).map(\.slot) == [11, 12])
            }
            #expect(screened(screener, rollout, headers: [("x-revision", "C")]).isEmpty)
            // A preference removes nobody.
            let preferring = screened(screener, rollout, headers: [("x-revision", "A"), ("x-slice", "1")])
            #expect(preferring.count == 11)
        }
    }

    @Test func aNamedRevisionMustBeComplete() throws {
        let endpoints = Self.endpoints([("A", "prefill", 1), ("A", "decode", 1), ("B", "decode", 1)])
        let gated = try make(
            DisaggregatedSetRolloutScreener.self,
            Self.parameters("sum", selectors: Self.selectors)
        )
        #expect(screened(gated, endpoints, headers: [("x-revision", "B")]).isEmpty)
        let free = try make(
            DisaggregatedSetRolloutScreener.self,
            Self.parameters("disabled", selectors: Self.selectors)
        )
        #expect(screened(free, endpoints, headers: [("x-revision", "B")]).map(\.slot) == [2])
        #expect(screened(free, endpoints).count == 3)
    }

    @Test func anotherStrictHeaderLeavesTheDraw() throws {
        let selectors: ConfigurationValue = [
            ["name": "slice", "headerName": "x-slice", "labelKey": "slice", "mode": "strict"]
        ]
        let screener = try make(
            DisaggregatedSetRolloutScreener.self,
            Self.parameters("sum", selectors: selectors)
        )
        var seen: Set<String> = []
        for seed in 1...200 as ClosedRange<UInt64> {
            let left = screened(screener, rollout, headers: [("x-slice", "1")], seed: seed)
            #expect(revisions(left).count == 1)
            #expect(left.allSatisfy { $0.labels["slice"] == "1" })
            seen.formUnion(revisions(left))
        }
        #expect(seen == ["A", "B"])
        #expect(screened(screener, rollout, headers: [("x-slice", "7")]).isEmpty)
    }

    @Test func responsesTellTheLabelsOfWhoServed() throws {
        let screener = try make(
            DisaggregatedSetRolloutScreener.self,
            Self.parameters("disabled", selectors: Self.selectors)
        )
        func fields(_ labels: [String: String]) -> [String] {
            let result = ProfileResult(profile: "default", endpoints: [.sample("e0", labels: labels)])
            let response = ServedResponse(request: .sample(), decision: SchedulingDecision(primary: result))
            return screener.responseFields(of: response).map { "\($0.name): \($0.value)" }
        }
        let revision = "disaggregatedset.x-k8s.io/revision"
        #expect(fields([revision: "A", "slice": "1"]) == ["x-revision: A", "x-slice: 1"])
        #expect(fields([revision: "", "slice": "1"]) == ["x-slice: 1"])
        #expect(fields([revision: "A\r\nset-cookie: a=b"]) == [])
    }

    @Test(
        arguments: [
            ([:], "required field \"scope\" is missing"),
            (["scope": ["labelSelector": "a b"]], "'a b' is not a label selector"),
            (["scope": ["labelSelector": ""]], "must not be empty"),
            (["scope": ["labelSelector": "a"]], "required field \"revisionGating\" is missing"),
            (["revisionGating": [:]], "required field \"mode\" is missing"),
            (["revisionGating": ["mode": "max"]], "\"max\" is not one of sum, max-role, disabled"),
            (["revisionGating": ["mode": "sum"]], "required field \"requireRoles\" is missing"),
            (["revisionGating": ["mode": "sum", "requireRoles": [:]]], "at least one role is required"),
            (["revisionGating": ["mode": "sum", "requireRoles": ["values": [""]]]], "a role must not be empty"),
            (["revisionGating": ["mode": "sum", "requireRoles": ["values": ["a", "a"]]]], "a role is listed twice"),
            (["headerSelectors": [["name": "a"]]], "required field \"mode\" is missing"),
            (["headerSelectors": [["mode": "soft"]]], "\"soft\" is not one of strict, prefer"),
            (["headerSelectors": [["name": "a"], ["name": "a"]]], "a second selector is called \"a\""),
            (["headerSelectors": [["headerName": "A"], ["headerName": "a"]]], "a second selector has the header 'a'"),
            (["headerSelectors": [["headerName": "a b"]]], "\"a b\" is not the name of a header field"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(DisaggregatedSetRolloutScreener.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }
}
