import GatewayTesting

/// A random history of a cluster: writes, and troubles of the server. The same seed makes the same decisions.
struct ClusterHistory {
    private let cluster: WatchedCluster
    private var random: SplitMix64
    /// Whether anything goes wrong but what is written.
    private let hasTroubles: Bool

    init(_ cluster: WatchedCluster, seed: UInt64, hasTroubles: Bool = true) {
        self.cluster = cluster
        random = SplitMix64(seed: seed)
        self.hasTroubles = hasTroubles
    }

    /// Lets so many rounds pass, each of some writes and a trouble, and then no more troubles.
    mutating func run(rounds: Int) async throws {
        for _ in 0..<rounds {
            // What is of a type that is not installed just now cannot be written.
            for _ in 0..<random.below(6) { try? write() }
            if hasTroubles { try await makeTrouble() }
        }
        try heal()
    }

    // MARK: - Writes

    private mutating func write() throws {
        let pod = "pod-\(random.below(6))"
        let objective = "objective-\(random.below(3))"
        switch random.below(20) {
        case 0..<8: try putPod(pod)
        case 8, 9, 10: cluster.remove("pods", pod)
        // A pod that is marked and goes later.
        case 11: try? cluster.api.delete("pods", namespace: WatchedCluster.namespace, name: pod)
        case 12: try cluster.putPod(pod, address: 5)
        case 13, 14: try putPool()
        case 15: if random.chance(30) { cluster.removePool() }
        case 16, 17: try cluster.putObjective(objective, priority: .int(Int64(random.below(5))))
        case 18: cluster.remove("inferenceobjectives", group: WatchedCluster.inferenceAlpha, objective)
        default: try cluster.putObjective(objective, priority: "high")
        }
    }

    private mutating func putPod(_ name: String) throws {
        try cluster.putPod(
            name,
            app: random.chance(80) ? "llama" : "other",
            address: random.chance(90) ? .string("127.0.0.\(1 + random.below(3))") : nil,
            isReady: random.chance(80),
            activePorts: random.chance(20) ? "8001" : nil
        )
    }

    private mutating func putPool() throws {
        let ports: [[Int64]] = [[8000], [8000, 8001], [8001, 8000, 8002]]
        try cluster.putPool(app: random.chance(70) ? "llama" : "other", ports: ports[random.below(3)])
    }

    // MARK: - Troubles

    private mutating func makeTrouble() async throws {
        let api = cluster.api
        let asked = api.log.value.requestCount
        switch random.below(12) {
        case 0...2: injectFaults()
        case 3: try await api.restart(losingHistory: random.chance(50))
        case 4:
            api.advanceVersion(by: 5)
            api.compact()
        case 5:
            let type = WatchedCluster.types[random.below(WatchedCluster.types.count)]
            api.unregister(type.plural, group: type.group)
            if random.chance(70) { api.register(type) }
        case 6: api.takeSnapshot()
        // Without a raised version nobody can tell (docs of `Reflector`).
        case 7: try await api.restart(restoring: "snapshot", raisingVersionBy: 10_000)
        default: break
        }
        let resource: String? = random.chance(50) ? nil : "pods"
        let version = api.version
        let disturbances: [WatchDisturbance] = [
            .end, .reset, .end, .reset, .error(410), .error(500), .cutNextEvent(afterBytes: 1 + random.below(200)),
            .stall, .duplicate, .line("{"), .bookmark(version: version - Int64(random.below(20))),
            .bookmark(version: nil),
            .slow(bytesPerSecond: 50_000),
        ]
        let disturbance = disturbances[random.below(disturbances.count)]
        let count = api.disturb(resource, disturbance)
        // Whose watch is over asks again; to see that keeps the history and its reader together.
        guard count > 0, [.end, .reset, .error(410), .error(500)].contains(disturbance), random.chance(60) else {
            return
        }
        try await api.log.wait(for: "the next request") { $0.requestCount > asked }
    }

    private mutating func injectFaults() {
        let actions: [ScriptedFault.Action] = [
            .status(500, retryAfter: nil), .status(503, retryAfter: nil), .status(429, retryAfter: nil),
            .status(403, retryAfter: nil), .status(404, retryAfter: nil), .status(410, retryAfter: nil),
            .status(401, retryAfter: nil), .reset, .delay(.milliseconds(20)), .slowBody(bytesPerSecond: 20_000),
            .cutBody(afterBytes: random.below(300)), .replaceBody("{\"kind\":"), .replaceBody("{}"),
        ]
        let verbs: [String?] = ["list", "watch", nil]
        let verb = verbs[random.below(verbs.count)]
        let resource: String? = random.chance(50) ? "pods" : nil
        let action = actions[random.below(actions.count)]
        cluster.api.inject(ScriptedFault(action, resource: resource, verb: verb, times: 1 + random.below(3)))
    }

    /// Ends all troubles, and makes right what was written wrong: what is known of a wrong object depends on the past.
    private mutating func heal() throws {
        cluster.api.clearFaults()
        for type in WatchedCluster.types { cluster.api.register(type) }
        for pod in cluster.api.objects("pods") where pod[path: "status", "podIP"]?.integer != nil {
            guard let name = pod[path: "metadata", "name"]?.text else { continue }
            try putPod(name)
        }
        for index in 0..<3 where cluster.objective("objective-\(index)")?[path: "spec", "priority"]?.text != nil {
            try cluster.putObjective("objective-\(index)", priority: 4)
        }
        if random.chance(80) { try cluster.putPool(ports: [8000, 8001]) }
    }
}

/// A source of numbers that are the same in each run.
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A number from 0 up to but without `bound`.
    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ value >> 31) % UInt64(bound))
    }

    /// True so many times in a hundred.
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}
