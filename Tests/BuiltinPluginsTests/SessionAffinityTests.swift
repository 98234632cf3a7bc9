import GatewayCore
import GatewayTesting
import Scheduling
import Testing

@testable import BuiltinPlugins

/// The pools that both kinds of plugin must give the same answers in: with a filter, with a scorer, with both.
private func pools(_ parameters: ConfigurationValue) throws -> [SessionPool] {
    [
        try SessionPool(filter: parameters),
        try SessionPool(scorer: parameters),
        try SessionPool(filter: parameters, scorer: parameters),
    ]
}

@Suite struct EncodedEndpointAffinityTests {
    private let tokens = (0..<3).map { EndpointID(name: "e\($0)").sessionToken }

    @Test func theTokenPins() throws {
        for var pool in try pools([:]) {
            for index in 0..<3 {
                #expect(try pool.send([("X-Session-Token", tokens[index])]) == "e\(index)")
            }
            // Nothing is remembered.
            #expect(try pool.send() == nil)
        }
    }

    @Test(arguments: [
        "", " ", "e0", "ZTA=", "!!!", "ZGVmYXVsdC9lMA", "ZGVmYXVsdC9lMA= =", "ZGVmYXVsdC9ub2JvZHk=", "b3RoZXIvZTA=",
        "////", "L2Uw", String(repeating: "QUJD", count: 4000),
    ])
    func anyOtherTokenIsNoPreference(token: String) throws {
        for var pool in try pools([:]) { #expect(try pool.send([("x-session-token", token)]) == nil) }
    }

    @Test func anAbsentEndpointIsNoPreference() throws {
        for var pool in try pools([:]) {
            #expect(try pool.send([("x-session-token", tokens[1])], among: ["e0", "e2"]) == nil)
            pool.endpoints[1] = .sample("e1", slot: 1, labels: ["busy": ""])
            #expect(try pool.send([("x-session-token", tokens[1])]) == nil)
        }
    }

    @Test func responsesTellTheEndpoint() throws {
        let parameters: ConfigurationValue = ["encodedEndpointHeaderConfig": ["header": "X-Home"]]
        for var pool in try pools(parameters) {
            let (decision, context) = try pool.decide([("x-home", tokens[2])])
            let fields = pool.scheduler.responseFields(
                of: ServedResponse(request: context.request, decision: decision, scratch: context.scratch)
            )
            #expect(Set(fields) == [.init(name: "x-home", value: "ZGVmYXVsdC9lMg==")])
        }
    }

    @Test func aProfileCanBeChosen() throws {
        let plugin = try make(SessionAffinityFilter.self, ["profileName": "prefill"])
        let decode = ProfileResult(profile: "decode", endpoints: [.sample("d", slot: 0)])
        let prefill = ProfileResult(profile: "prefill", endpoints: [.sample("p", slot: 1), .sample("q", slot: 2)])
        func fields(_ decision: SchedulingDecision) -> [String] {
            plugin.responseFields(of: ServedResponse(request: .sample(), decision: decision)).map(\.value)
        }
        let token = EndpointID(name: "p").sessionToken
        #expect(fields(SchedulingDecision(primary: decode, secondary: [prefill])) == [token])
        #expect(fields(SchedulingDecision(primary: prefill, secondary: [decode])) == [token])
        // A request that was only decoded says nothing of prefill.
        #expect(fields(SchedulingDecision(primary: decode)) == [])
    }

    @Test(
        arguments: [
            (["strategy": "session"], "\"session\" is not one of encoded_endpoint_header, session_id"),
            (["encodedEndpointHeaderConfig": ["header": "a b"]], "\"a b\" is not the name of a header field"),
            (["encodedEndpointHeaderConfig": ["name": "a"]], "unknown field \"name\""),
            (["sessionIdConfig": ["sources": [["header": "a", "attribute": "b"]]]], "found both"),
            (["sessionIdConfig": ["sources": [["producer": "b"]]]], "found neither"),
            (["sessionIdConfig": ["sources": [["header": "a", "producer": "b"]]]], "goes with attribute"),
            (["sessionIdConfig": ["evictionTtlSeconds": -1]], "-1 is not in 0.0 to"),
            (["sessionIdConfig": ["evictionSweepSeconds": "5s"]], "expected a number"),
            (["profilName": "a"], "did you mean \"profileName\"?"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        for text in [failure(SessionAffinityFilter.self, parameters), failure(SessionAffinityScorer.self, parameters)] {
            #expect(text?.contains(message) == true, "\(text ?? "no error")")
        }
    }

    @Test func theOtherStrategysParametersAreWarnedOf() throws {
        let cases: [(ConfigurationValue, [String])] = [
            ([:], []),
            (["sessionIdConfig": [:]], ["has no effect: strategy is encoded_endpoint_header"]),
            (
                ["strategy": "session_id", "encodedEndpointHeaderConfig": [:]],
                ["has no effect: strategy is session_id"]
            ),
        ]
        for (value, expected) in cases {
            var context = PluginContext(clock: ManualClock())
            let parameters = ParameterDecoder(value: value)
            _ = SessionAffinityFilter(parameters: parameters, context: &context)
            #expect(parameters.warnings.map(\.message) == expected)
        }
    }
}

@Suite struct SessionIDAffinityTests {
    private static let parameters: ConfigurationValue = ["strategy": "session_id"]
    private let s = [("x-session-id", "s")]

    @Test func aSessionStaysWhereItBegan() throws {
        for var pool in try pools(Self.parameters) {
            #expect(try pool.send(s, pick: 1) == nil)
            #expect(try pool.send(s) == "e1")
            #expect(try pool.send([("X-Session-ID", " s ")]) == "e1")
            #expect(try pool.send([("x-session-id", "t")]) == nil)
            #expect(try pool.send() == nil)
        }
    }

    @Test func choosingBindsNothing() throws {
        for var pool in try pools(Self.parameters) {
            for _ in 0..<3 { _ = try pool.decide(s) }
            #expect(try pool.send(s) == nil)
        }
    }

    @Test func aPickerThatDisagreesMovesNothing() throws {
        var pool = try SessionPool(scorer: Self.parameters)
        try pool.send(s, pick: 1)
        #expect(try pool.send(s, pick: 2) == "e1")
        #expect(try pool.send(s) == "e1")
    }

    @Test func aSessionMovesWhenItsEndpointIsNoCandidate() throws {
        for var pool in try pools(Self.parameters) {
            try pool.send(s, pick: 1)
            #expect(try pool.send(s, among: ["e0", "e2"], pick: 2) == nil)
            #expect(try pool.send(s) == "e2")
            // One that the profile's filters removed is no candidate either.
            pool.endpoints[2] = .sample("e2", slot: 2, labels: ["busy": ""])
            #expect(try pool.send(s, pick: 0) == nil)
            pool.endpoints[2] = .sample("e2", slot: 2)
            #expect(try pool.send(s) == "e0")
        }
    }

    @Test func aRetryTakesTheSessionAlong() throws {
        for var pool in try pools(Self.parameters) {
            var (first, context) = try pool.decide(s)
            pool.scheduler.willSend(first, context: &context)
            let rest = ["e0", "e1", "e2"].filter { $0 != first.endpoint.id.name }
            let second = try pool.decide(&context, among: rest)
            pool.scheduler.willSend(second, context: &context)
            #expect(try pool.send(s) == second.endpoint.id.name)
        }
    }

    /// A proxy's fallback is told with the endpoint alone, without candidates.
    @Test func theFirstRequestThatIsServedElsewhereTakesTheSessionAlong() throws {
        for var pool in try pools(Self.parameters) {
            var (decision, context) = try pool.decide(s)
            pool.scheduler.willSend(decision, context: &context)
            let other = pool.endpoints[(decision.endpoint.slot + 1) % 3]
            let served = SchedulingDecision(primary: ProfileResult(profile: "default", endpoints: [other]))
            pool.scheduler.willSend(served, context: &context)
            #expect(try pool.send(s) == other.id.name)
            // A later one does not: its session's endpoint was there to be chosen.
            (decision, context) = try pool.decide(s)
            pool.scheduler.willSend(decision, context: &context)
            let third = ProfileResult(profile: "default", endpoints: [pool.endpoints[(other.slot + 1) % 3]])
            pool.scheduler.willSend(SchedulingDecision(primary: third), context: &context)
            #expect(try pool.send(s) == other.id.name)
        }
    }

    @Test func twoFirstRequestsAgreeOnTheFirstOne() throws {
        for var pool in try pools(Self.parameters) {
            var contexts = [try pool.decide(s).context, try pool.decide(s).context]
            for index in 0..<2 {
                let result = ProfileResult(
                    profile: "default",
                    endpoints: [pool.endpoints[index]],
                    candidates: Candidates(pool.endpoints)
                )
                pool.scheduler.willSend(SchedulingDecision(primary: result), context: &contexts[index])
            }
            #expect(try pool.send(s) == "e0")
        }
    }

    @Test func anEndpointThatLeftIsForgotten() throws {
        for var pool in try pools(Self.parameters) {
            try pool.send(s, pick: 1)
            pool.scheduler.endpointDidLeave(pool.endpoints[1])
            pool.endpoints[1] = .sample("e1", slot: 1, incarnation: 1)
            #expect(try pool.send(s, pick: 0) == nil)
            #expect(try pool.send(s) == "e0")
        }
    }

    @Test func sessionsEndWithoutUse() throws {
        let parameters: ConfigurationValue = [
            "strategy": "session_id", "sessionIdConfig": ["evictionTtlSeconds": 1.5, "evictionSweepSeconds": 60],
        ]
        for var pool in try pools(parameters) {
            try pool.send(s, pick: 1)
            pool.now = 1.5
            #expect(try pool.send(s) == "e1")
            pool.now = 3
            #expect(try pool.send(s) == "e1")
            pool.now = 4.75
            #expect(try pool.send(s) == nil)
        }
    }

    @Test func theFirstSourceThatHasAnIdentifierCounts() throws {
        let parameters: ConfigurationValue = [
            "strategy": "session_id",
            "sessionIdConfig": [
                "sources": [
                    ["header": "X-First"], ["attribute": "SessionID", "producer": "session-id-producer"],
                    ["attribute": "agent-identity"],
                ]
            ],
        ]
        let others: [(any DataProducer.Type, ConfigurationValue)] = [
            (SessionIDProducer.self, ["cookieName": "sid"]), (AgentIdentity.self, [:]),
        ]
        var pool = try SessionPool(scorer: parameters, others: others)
        try pool.send([("x-first", "a")], pick: 0)
        try pool.send([("cookie", "sid=b")], pick: 1)
        try pool.send([("session-id", "c")], pick: 2)
        #expect(try pool.send([("session-id", "c"), ("cookie", "sid=b"), ("x-first", "a")]) == "e0")
        #expect(try pool.send([("session-id", "c"), ("cookie", "sid=b"), ("x-first", " ")]) == "e1")
        #expect(try pool.send([("session-id", "c")]) == "e2")
        // The identifier is the same wherever it stands.
        #expect(try pool.send([("x-first", "c")]) == "e2")
        // What is too long to be kept counts as none.
        let long = String(repeating: "x", count: SessionIdentifier.maxBytes + 1)
        #expect(try pool.send([("x-first", long), ("session-id", "c")]) == "e2")
        try pool.send([("x-first", long)], pick: 0)
        #expect(try pool.send([("x-first", long)]) == nil)
    }

    @Test func aProfileCanBeChosen() throws {
        var making = PluginContext(clock: ManualClock())
        let parameters: ConfigurationValue = ["strategy": "session_id", "profileName": "prefill"]
        let plugin = try make(SessionAffinityFilter.self, parameters, context: &making)
        let endpoints = Candidates.sample(count: 3)
        func kept(sending decision: SchedulingDecision) -> [Int] {
            var context = SchedulingContext.sample(.with(headers: s), slotCount: making.slotCount)
            plugin.produce(for: endpoints, context: &context)
            var candidates = endpoints
            plugin.filter(&candidates, context: &context)
            plugin.willSend(decision, context: &context)
            return candidates.positions
        }
        let decode = ProfileResult(profile: "decode", endpoints: [endpoints[0]], candidates: endpoints)
        let prefill = ProfileResult(profile: "prefill", endpoints: [endpoints[2]], candidates: endpoints)
        // A request whose profile did not run binds nothing.
        #expect(kept(sending: SchedulingDecision(primary: decode)) == [0, 1, 2])
        #expect(kept(sending: SchedulingDecision(primary: decode, secondary: [prefill])) == [0, 1, 2])
        #expect(kept(sending: SchedulingDecision(primary: decode)) == [2])
    }

    @Test func responsesTellNothing() throws {
        let plugin = try make(SessionAffinityScorer.self, Self.parameters)
        let decision = SchedulingDecision(primary: ProfileResult(profile: "default", endpoints: [.sample("e0")]))
        #expect(plugin.responseFields(of: ServedResponse(request: .with(headers: s), decision: decision)) == [])
    }

    /// Whoever looks first binds for both: one table, one look-up per decision.
    @Test func filterAndScorerShareTheirSessions() throws {
        var pool = try SessionPool(filter: Self.parameters, scorer: Self.parameters)
        let (decision, context) = try pool.decide(s)
        // Only the filter is told; the scorer knows too.
        var filterContext = context
        pool.filter?.willSend(decision, context: &filterContext)
        let (second, secondContext) = try pool.decide(s)
        #expect(second.primary.candidates.count == 1 && second.endpoint.id == decision.endpoint.id)
        let scorer = try #require(pool.scorer)
        #expect(scores(scorer, Candidates(pool.endpoints), context: secondContext).reduce(0, +) == 1)

        // Plugins of other sources have sessions of their own.
        let other: ConfigurationValue = [
            "strategy": "session_id", "sessionIdConfig": ["sources": [["header": "x-other"]]],
        ]
        var apart = try SessionPool(filter: Self.parameters, scorer: other)
        try apart.send([("x-session-id", "s"), ("x-other", "o")], pick: 1)
        try apart.send([("x-session-id", "t"), ("x-other", "p")], pick: 2)
        let (mixed, _) = try apart.decide([("x-session-id", "t"), ("x-other", "o")])
        #expect(mixed.endpoint.id.name == "e2")
        #expect(mixed.primary.weightedSums == [0])
    }
}
