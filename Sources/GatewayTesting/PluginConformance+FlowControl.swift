import GatewayCore

extension PluginConformance {
    /// Instants that queues may hold, and some that nobody should give.
    private static let instants = [0, 1, 1_000_000_000, 3_600_000_000_000, -1, .max, .min]
        .map(MonotonicInstant.init(nanoseconds:))
    private static let tokenCounts = [0, 1, 1_000, .max, -1, .min]
    /// Flows that nobody told the policy of.
    private static let unknownFlows = [-1, 999, .max, .min]

    /// Everything that flow control asks of a plugin which does not depend on endpoints.
    func checkFlowControl(_ plugin: any Plugin) -> [String] {
        var found: [String] = []
        if let policy = plugin as? any FairnessPolicy { found += check(policy) }
        if let policy = plugin as? any OrderingPolicy { found += check(policy) }
        if let policy = plugin as? any UsageLimitPolicy { found += check(policy) }
        if let policy = plugin as? any EvictionPolicy { found += check(policy) }
        return found
    }

    // MARK: - Fairness

    /// Plays a band's queue for two states at once: they must agree all the way.
    private func check(_ policy: any FairnessPolicy) -> [String] {
        for seed: UInt64 in 1...3 {
            for count in [1, 2, 7, 1_000] {
                if let fault = play(policy, flows: count, seed: seed) {
                    return ["\(fault) (\(count) flows, seed \(seed))"]
                }
            }
        }
        return []
    }

    private func play(_ policy: any FairnessPolicy, flows: Int, seed: UInt64) -> String? {
        var random = RandomSource(seed: seed)
        var (state, twin) = (policy.makeState(), policy.makeState())
        for flow in 0..<flows {
            state.add(flow: flow, id: "flow-\(flow)")
            twin.add(flow: flow, id: "flow-\(flow)")
        }
        for step in 0..<200 {
            let now = MonotonicInstant(nanoseconds: Int64(step) * 10_000_000)
            // Some know nothing of the flow that waits, and some instants and counts are absurd.
            var waiting = (0..<flows).filter { _ in Bool.random(using: &random) }
                .map { waitingFlow($0, isUsual: step % 3 != 0, &random) }
            if waiting.isEmpty { waiting = [waitingFlow(0, isUsual: true, &random)] }
            if step % 10 == 9 { waiting += Self.unknownFlows.map { waitingFlow($0, isUsual: false, &random) } }
            let arrived = waiting[Int.random(in: 0..<waiting.count, using: &random)].flow
            state.becameBacklogged(flow: arrived, among: waiting, now: now)
            twin.becameBacklogged(flow: arrived, among: waiting, now: now)
            let chosen = state.next(among: waiting, now: now)
            if chosen != twin.next(among: waiting, now: now) { return "the fairness policy is not deterministic" }
            guard waiting.indices.contains(chosen) else {
                return "the fairness policy chooses flow \(chosen) of \(waiting.count)"
            }
            // Whoever is chosen may have nowhere to go.
            guard step % 4 != 3 else { continue }
            let flow = waiting[chosen].flow
            let tokens = waiting[chosen].uncachedTokens
            let charge = state.dispatched(flow: flow, uncachedTokens: tokens, now: now)
            guard charge.isFinite else { return "the fairness policy charges \(charge)" }
            if charge != twin.dispatched(flow: flow, uncachedTokens: tokens, now: now) {
                return "the fairness policy does not charge what it charged another"
            }
            let usage = usage(step, &random)
            state.ended(flow: flow, charged: charge, usage: usage, now: now)
            twin.ended(flow: flow, charged: charge, usage: usage, now: now)
        }
        for flow in Array(0..<flows) + Self.unknownFlows { state.remove(flow: flow) }
        // A number is given to another flow, and ends may be told of one that is unknown.
        state.add(flow: 0, id: "another")
        state.ended(flow: 1, charged: 1, usage: TokenUsage.none, now: MonotonicInstant(nanoseconds: 0))
        let last = [waitingFlow(0, isUsual: true, &random)]
        return state.next(among: last, now: MonotonicInstant(nanoseconds: 0)) == 0
            ? nil : "the fairness policy does not choose the only flow"
    }

    private func waitingFlow(_ flow: Int, isUsual: Bool, _ random: inout RandomSource) -> WaitingFlow {
        let instant =
            isUsual
            ? MonotonicInstant(nanoseconds: .random(in: 0...1_000_000_000, using: &random))
            : Self.instants.randomElement(using: &random) ?? MonotonicInstant(nanoseconds: 0)
        let tokens =
            isUsual ? Int.random(in: 0...10_000, using: &random) : Self.tokenCounts.randomElement(using: &random) ?? 0
        return WaitingFlow(
            flow: flow,
            rank: OrderingRank(instant.nanoseconds),
            enqueuedAt: instant,
            uncachedTokens: tokens,
            count: .random(in: 1...5, using: &random)
        )
    }

    private func usage(_ step: Int, _ random: inout RandomSource) -> TokenUsage? {
        switch step % 5 {
        case 0: nil
        case 1: TokenUsage.none
        case 2:
            TokenUsage(
                promptTokens: Self.tokenCounts.randomElement(using: &random) ?? 0,
                completionTokens: Self.tokenCounts.randomElement(using: &random) ?? 0,
                cachedTokens: Self.tokenCounts.randomElement(using: &random) ?? 0
            )
        default: TokenUsage(promptTokens: 1_000, completionTokens: step, cachedTokens: 16)
        }
    }

    // MARK: - Ordering

    private func check(_ policy: any OrderingPolicy) -> [String] {
        let headers: [HeaderMap] = ["100", "0", "-1", "soon", "9223372036854775807", ""].map { value in
            HeaderMap([HeaderMap.Field(name: "x-llm-d-slo-ttft-ms", value: value)])
        }
        for header in headers {
            for instant in Self.instants {
                for tokens in Self.tokenCounts {
                    let request = QueuedRequest(
                        request: InferenceRequest(
                            id: "r", model: "m", headers: header, inputTokens: max(0, tokens), receivedAt: instant
                        ),
                        byteCount: 1_000,
                        enqueuedAt: instant,
                        deadline: tokens % 2 == 0 ? nil : instant.advanced(by: .seconds(60)),
                        uncachedTokens: tokens
                    )
                    if policy.rank(of: request) != policy.rank(of: request) {
                        return ["the ordering policy is not deterministic"]
                    }
                }
            }
        }
        return []
    }

    // MARK: - Usage limits

    private func check(_ policy: any UsageLimitPolicy) -> [String] {
        let lists = [
            [0], [1, 0], [0, -1], [3, 2, 1, 0, -1, -2, -3], [Int(Int32.max), 0, Int(Int32.min)], [.max, 0, .min],
            Array((-500..<500).reversed()),
        ]
        for priorities in lists {
            for saturation in [0, 0.001, 0.3, 0.5, 0.999_999_9, 1, 2, 1e300, .infinity, -1, .nan] {
                for cycle in [0, 1, 2, 1_000_003, UInt64.max] {
                    let ceilings = policy.ceilings(at: saturation, priorities: priorities, cycle: cycle)
                    if let fault = fault(of: ceilings, policy, priorities) {
                        return ["the usage limit policy \(fault) (saturation \(saturation), cycle \(cycle))"]
                    }
                }
            }
        }
        return []
    }

    private func fault(of ceilings: [Double], _ policy: any UsageLimitPolicy, _ priorities: [Int]) -> String? {
        if ceilings.count != priorities.count {
            return "gives \(ceilings.count) ceilings for \(priorities.count) priorities"
        }
        if let bad = ceilings.first(where: { !($0 >= 0) }) { return "gives \(bad), which is not 0 or more" }
        if let uniform = policy.uniformCeiling, ceilings.contains(where: { $0 != uniform }) {
            return "says that every ceiling is \(uniform), and gives \(ceilings)"
        }
        return nil
    }

    // MARK: - Eviction

    private func check(_ policy: any EvictionPolicy) -> [String] {
        let priorities = [Int.min, Int(Int32.min), -1, 0, 1, Int(Int32.max), Int.max]
        let running = priorities.flatMap { priority in
            Self.instants.map { instant in
                RunningRequest(priority: priority, fairnessID: "flow-\(abs(priority % 3))", dispatchedAt: instant)
            }
        }
        let before = running.map { left in running.map { policy.evicts(left, before: $0) } }
        for left in running.indices {
            if policy.mayEvict(running[left]) != policy.mayEvict(running[left]) {
                return ["the eviction policy is not deterministic"]
            }
            for right in running.indices {
                if before[left][right] == true, before[right][left] != false {
                    return ["the eviction policy ends \(running[left]) and \(running[right]) before each other"]
                }
                guard before[left][right] == true else { continue }
                if running.indices.contains(where: { before[right][$0] == true && before[left][$0] != true }) {
                    return ["the eviction policy's order is not transitive from \(running[left])"]
                }
            }
        }
        return []
    }

    // MARK: - Fullness

    /// Asks how full single endpoints are, with more and more on its way.
    func checkFullness(_ detector: any SaturationDetector, _ endpoint: EndpointSnapshot) -> [String] {
        let loads = [0, 0.25, 1, 10, 1_000_000].map { PendingLoad(requests: $0, tokens: $0 * 100) }
        for instant in Self.instants {
            let shares = loads.map { detector.fullness(of: endpoint, adding: $0, now: instant) }
            if let bad = shares.compactMap({ $0 }).first(where: { !($0 >= 0) }) {
                return ["the detector calls an endpoint \(bad) full, which is not 0 or more"]
            }
            if shares.contains(nil), shares != Array(repeating: nil, count: shares.count) {
                return ["the detector knows of an endpoint only with something on its way to it"]
            }
            let known = shares.compactMap { $0 }
            if zip(known, known.dropFirst()).contains(where: { $0 > $1 }) {
                return ["the detector calls an endpoint less full with more on its way to it: \(known)"]
            }
        }
        return []
    }

    /// Tells of requests that were served on `endpoint`, usual ones and impossible ones.
    func serve(_ observer: any ServiceObserver, _ endpoint: EndpointSnapshot) {
        for instant in Self.instants {
            for (count, tokens) in [(1, 100), (8, 0), (.max, .max), (0, -1), (.min, .min)] {
                observer.served(
                    ServedRequest(
                        endpoint: endpoint,
                        openRequests: count,
                        uncachedTokens: tokens,
                        sentAt: instant,
                        firstByteAt: instant.advanced(by: .milliseconds(20)),
                        endedAt: MonotonicInstant(nanoseconds: 0)
                    )
                )
            }
        }
    }
}
