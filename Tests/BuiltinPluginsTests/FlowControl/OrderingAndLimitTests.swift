import GatewayCore
import Testing

@testable import BuiltinPlugins

private func at(_ seconds: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
}

private func queued(
    at seconds: Double = 0,
    received: Double? = nil,
    deadline: Double? = nil,
    tokens: Int = 0,
    headers: [(String, String)] = []
) -> QueuedRequest {
    QueuedRequest(
        request: InferenceRequest(
            id: "r",
            model: "m",
            headers: HeaderMap(headers.map { HeaderMap.Field(name: $0.0, value: $0.1) }),
            receivedAt: at(received ?? seconds)
        ),
        byteCount: 1,
        enqueuedAt: at(seconds),
        deadline: deadline.map(at),
        uncachedTokens: tokens
    )
}

@Suite struct OrderingPolicyTests {
    /// The places of `requests` from the first to the last.
    private func order(_ policy: any OrderingPolicy, _ requests: [QueuedRequest]) -> [Int] {
        let ranks = requests.map(policy.rank)
        return requests.indices.sorted { ranks[$0] != ranks[$1] ? ranks[$0] < ranks[$1] : $0 < $1 }
    }

    @Test func firstComeFirstServed() throws {
        let policy = try make(FCFSOrderingPolicy.self)
        #expect(order(policy, [queued(at: 2), queued(at: 1), queued(at: 2), queued(at: 0)]) == [3, 1, 0, 2])
        #expect(!policy.readsUncachedTokens)
    }

    @Test func theEarliestDeadlineFirst() throws {
        let requests = [
            queued(at: 0), queued(at: 1, deadline: 9), queued(at: 2, deadline: 5), queued(at: 3, deadline: 9),
            queued(at: -1), queued(at: 4, deadline: 0),
        ]
        #expect(order(try make(EDFOrderingPolicy.self), requests) == [5, 2, 1, 3, 4, 0])
    }

    @Test(
        arguments: [
            ("1500", 11.5), ("0", 10.0), ("+20", 10.02),
            // No whole number of 0 or more.
            ("-1", nil), ("1.5", nil), ("", nil), ("soon", nil), ("1_000", nil), ("9223372036854775808", nil),
        ] as [(String, Double?)])
    func theObjectiveIsADeadline(text: String, expected: Double?) throws {
        let policy = try make(SLODeadlineOrderingPolicy.self)
        for name in ["x-llm-d-slo-ttft-ms", "x-slo-ttft-ms"] {
            let rank = policy.rank(of: queued(at: 12, received: 10, headers: [(name, text)]))
            #expect(rank == OrderingRank(expected.map { at($0).nanoseconds } ?? .max, at(10).nanoseconds))
        }
    }

    @Test func objectivesBeyondTheClockComeLast() throws {
        let policy = try make(SLODeadlineOrderingPolicy.self)
        let far = [("x-llm-d-slo-ttft-ms", "9223372036854775807")]
        let near = [("x-llm-d-slo-ttft-ms", "50")]
        let requests = [queued(at: 1), queued(at: 2, headers: far), queued(at: 0), queued(at: 99, headers: near)]
        #expect(order(policy, requests) == [3, 2, 0, 1])
    }

    @Test func waitingMakesUpForLength() throws {
        let policy = try make(ShortestUncachedPrefillOrderingPolicy.self)
        #expect(policy.readsUncachedTokens)
        // 10,000 tokens for a second.
        let requests = [
            queued(at: 0, tokens: 30_000), queued(at: 1, tokens: 0), queued(at: 2, tokens: 9_999),
            queued(at: 2.5, tokens: 5_000), queued(at: 3, tokens: 1),
        ]
        #expect(order(policy, requests) == [1, 2, 0, 3, 4])
        let patient = try make(ShortestUncachedPrefillOrderingPolicy.self, ["tokensPerSecond": 1_000])
        #expect(order(patient, requests) == [1, 4, 3, 2, 0])
    }

    @Test(arguments: [1e-300, 0.5, 1_000_000_000], [Int.min, -1, 0, Int.max])
    func noNumberOfTokensIsATrap(rate: Double, tokens: Int) throws {
        let policy = try make(
            ShortestUncachedPrefillOrderingPolicy.self, ["tokensPerSecond": .init(floatLiteral: rate)])
        let rank = policy.rank(of: queued(at: 1, tokens: tokens))
        #expect(rank >= OrderingRank(at(1).nanoseconds, at(1).nanoseconds) && rank < .last)
    }
}

@Suite struct UsageLimitPolicyTests {
    @Test(arguments: [0.0, 0.75, 1, 1_000_000])
    func theStaticCeilingIsTheSameForAll(threshold: Double) throws {
        let policy = try make(StaticUsageLimitPolicy.self, ["threshold": .init(floatLiteral: threshold)])
        #expect(policy.uniformCeiling == threshold)
        #expect(policy.ceilings(at: .nan, priorities: [2, 1, 0], cycle: 9) == [threshold, threshold, threshold])
    }

    @Test(
        arguments: [
            ("rank", [3, 2, 1], [1.0, 0.75, 0.5]), ("rank", [100, 1, 0, -7, -9], [1, 0.875, 0.75, 0.625, 0.5]),
            ("rank", [0], [1]),
            ("value", [10, 9, 0], [1, 0.95, 0.5]), ("value", [0], [1]), ("value", [1, -1], [1, 0.5]),
            ("value", [Int(Int32.max), 0, Int(Int32.min)], [1, 0.75, 0.5]),
            ("value", [.max, 0, .min], [1, 0.75, 0.5]),
        ] as [(String, [Int], [Double])])
    func holdback(domain: String, priorities: [Int], expected: [Double]) throws {
        let policy = try make(
            PriorityHoldbackPolicy.self, ["minCeiling": 0.5, "domain": .init(stringLiteral: domain)])
        let ceilings = policy.ceilings(at: 0.3, priorities: priorities, cycle: 0)
        #expect(ceilings.count == expected.count)
        #expect(zip(ceilings, expected).allSatisfy { abs($0 - $1) < 1e-9 }, "\(ceilings)")
        #expect(policy.uniformCeiling == nil)
    }

    @Test(arguments: ["rank", "value"])
    func holdbackStaysInItsRange(domain: String) throws {
        for maximum in [0.1, 0.3, 0.7, 1] {
            let policy = try make(
                PriorityHoldbackPolicy.self,
                ["minCeiling": 0, "maxCeiling": .init(floatLiteral: maximum), "domain": .init(stringLiteral: domain)]
            )
            for count in 2...200 {
                let ceilings = policy.ceilings(at: 0, priorities: (0..<count).reversed(), cycle: 0)
                #expect(ceilings.allSatisfy { (0...maximum).contains($0) })
                #expect(ceilings == ceilings.sorted(by: >))
            }
        }
    }

    @Test(
        arguments: [
            // saturation, cycle, the ceilings of three priorities: 1, 1 - s / 2 and 1 - s are compared with s.
            (0.0, 1, [1.0, 1, 1]), (0.4, 1, [1, 1, 1]),
            // 0.62 is below 0.69 and not below 0.38; s / (1 - s) is 1.63, so every second look is open.
            (0.62, 1, [1, 1, 0]), (0.62, 2, [1, 1, 1]),
            // Four looks.
            (0.8, 4, [1, 1, 1]), (0.8, 5, [1, 0, 0]), (0.8, 6, [1, 0, 0]), (0.8, 7, [1, 0, 0]), (0.8, 8, [1, 1, 1]),
            (1, 4, [1, 0, 0]), (7, 4, [1, 0, 0]), (.infinity, 0, [1, 0, 0]),
            (0.999_999_999_9, 999_999, [1, 0, 0]), (0.999_999_999_9, 1_000_000, [1, 1, 1]),
            // No saturation at all.
            (.nan, 3, [1, 1, 1]), (-1, 3, [1, 1, 1]), (-.infinity, 3, [1, 1, 1]),
        ] as [(Double, UInt64, [Double])])
    func softReflective(saturation: Double, cycle: UInt64, expected: [Double]) throws {
        let policy = try make(SoftReflectiveCeilingPolicy.self)
        #expect(policy.ceilings(at: saturation, priorities: [5, 0, -5], cycle: cycle) == expected)
        #expect(policy.ceilings(at: saturation, priorities: [5], cycle: cycle) == [1])
    }
}

@Suite struct EvictionPolicyTests {
    private func running(_ priority: Int, _ seconds: Double) -> RunningRequest {
        RunningRequest(priority: priority, fairnessID: "f", dispatchedAt: at(seconds))
    }

    @Test(arguments: [(Int.min, true), (Int(Int32.min), true), (-1, true), (0, false), (.max, false)])
    func onlyNegativePrioritiesAreSheddable(priority: Int, expected: Bool) throws {
        #expect(try make(SheddableEvictionFilter.self).mayEvict(running(priority, 0)) == expected)
        #expect(try make(PriorityThenTimeEvictionOrder.self).mayEvict(running(priority, 0)))
        #expect(try make(SheddableEvictionFilter.self).evicts(running(priority, 0), before: running(0, 0)) == nil)
    }

    @Test func theLowestAndThenTheNewestGoFirst() throws {
        let policy = try make(PriorityThenTimeEvictionOrder.self)
        #expect(policy.evicts(running(-2, 0), before: running(-1, 9)) == true)
        #expect(policy.evicts(running(-1, 9), before: running(-2, 0)) == false)
        #expect(policy.evicts(running(-1, 9), before: running(-1, 8)) == true)
        #expect(policy.evicts(running(-1, 8), before: running(-1, 9)) == false)
        #expect(policy.evicts(running(-1, 8), before: running(-1, 8)) == nil)
        #expect(policy.evicts(running(.min, 0), before: running(.max, 0)) == true)
    }
}
