import GatewayTesting
import KubernetesClient
import KubernetesDiscovery
import Logging
import Testing

@Suite("Statuses are written over HTTP", .timeLimit(.minutes(1)))
struct StatusOverHTTPTests {
    private static let plural = "inferenceobjectives"

    /// Runs `body` while a pool is followed and statuses are written as in the program.
    private static func run(
        pause: Duration = .seconds(30),
        isActive: Bool = true,
        _ body: (WatchedCluster, StatusWriter, _ warnings: ObservedState<[String]>) async throws -> Void
    ) async throws {
        let warnings = ObservedState([String]())
        try await WatchedCluster.run(token: "picker") { cluster in
            try cluster.putPool()
            let logger = Logger(label: "test") { _ in WarningLog(warnings: warnings) }
            let writer = StatusWriter(client: cluster.client, logger: logger, pause: pause) { "2026-01-02T03:04:05Z" }
            writer.setActive(isActive)
            let watch = ClusterWatch(
                WatchedCluster.scope, client: cluster.client,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await watch.run() }
                group.addTask { await writer.run() }
                group.addTask {
                    for await _ in watch.changes {
                        if let statuses = watch.take().statuses { writer.setDesired(statuses) }
                    }
                }
                try await body(cluster, writer, warnings)
                group.cancelAll()
            }
        }
    }

    /// The condition of an objective with a type; `Accepted` is the writer's.
    private static func condition(_ cluster: WatchedCluster, _ name: String, _ type: String = "Accepted")
        -> ScriptedJSON?
    {
        cluster.objective(name)?[path: "status", "conditions"]?.elements?.first { $0["type"] == .string(type) }
    }

    /// The writes of statuses so far.
    private static func writes(_ log: ScriptedKubernetesAPI.Log, _ name: String? = nil) -> [ScriptedAPIRequest] {
        log.requests.filter { $0.verb == "apply" && (name == nil || $0.name == name) }
    }

    private static func waitForWrites(_ count: Int, _ cluster: WatchedCluster, _ name: String) async throws {
        try await cluster.api.log.wait(for: "\(count) writes of \(name)") {
            writes($0, name).count { $0.status == 200 } == count
        }
    }

    /// Writes what somebody else says of an objective.
    private static func putConditions(_ cluster: WatchedCluster, _ name: String, _ conditions: ScriptedJSON) throws {
        var object = try #require(cluster.objective(name))
        object["status"] = ["conditions": conditions]
        try cluster.api.apply(object)
    }

    @Test("Only the condition Accepted is written, and only when it is not right")
    func oneCondition() async throws {
        try await Self.run { cluster, _, _ in
            try cluster.putObjective("a")
            try await Self.waitForWrites(1, cluster, "a")
            let accepted = try #require(Self.condition(cluster, "a"))
            #expect(accepted["status"] == "True" && accepted["reason"] == "Accepted")
            #expect(accepted["observedGeneration"] == 1 && accepted["lastTransitionTime"] == "2026-01-02T03:04:05Z")
            // Somebody else's condition stays when the generation leads to another write.
            let foreign: ScriptedJSON = ["type": "Programmed", "status": "True", "reason": "Other"]
            try Self.putConditions(cluster, "a", [accepted, foreign])
            try cluster.putObjective("b")
            try await Self.waitForWrites(1, cluster, "b")
            #expect(Self.writes(cluster.api.log.value, "a").count == 1)
            var changed = try #require(cluster.objective("a"))
            changed.set(7, at: ["spec", "priority"])
            try cluster.api.apply(changed)
            try await Self.waitForWrites(2, cluster, "a")
            #expect(Self.condition(cluster, "a")?["observedGeneration"] == 2)
            #expect(Self.condition(cluster, "a", "Programmed")?["reason"] == "Other")
            // What is right is not written again, whatever else happens.
            try cluster.putObjective("c")
            try await Self.waitForWrites(1, cluster, "c")
            #expect(Self.writes(cluster.api.log.value).compactMap(\.name) == ["a", "b", "a", "c"])
            for write in Self.writes(cluster.api.log.value) {
                #expect(write.subresource == "status" && write.query["fieldManager"] == "martlet-epp")
                #expect(write.body?["status"]?.members?.keys.sorted() == ["conditions"])
                #expect(write.body?["spec"] == nil)
            }
        }
    }

    @Test("What is wrong says so, and what belongs to another pool is left alone")
    func verdicts() async throws {
        try await Self.run { cluster, _, _ in
            try cluster.putObjective("foreign", pool: "other")
            try cluster.putObjective("wrong", priority: "high")
            try await Self.waitForWrites(1, cluster, "wrong")
            #expect(Self.condition(cluster, "wrong")?["status"] == "False")
            #expect(Self.condition(cluster, "wrong")?["reason"] == "Invalid")
            try cluster.putObjective("wrong", priority: 3)
            try await Self.waitForWrites(2, cluster, "wrong")
            #expect(Self.condition(cluster, "wrong")?["status"] == "True")
            #expect(Self.writes(cluster.api.log.value, "foreign").isEmpty)
        }
    }

    @Test("Who is not active writes nothing; who becomes it writes what is due, and who no longer is stops")
    func activity() async throws {
        try await Self.run(isActive: false) { cluster, writer, _ in
            try cluster.putObjective("a")
            try await cluster.api.log.wait(for: "all watches") { log in log.openWatches[Self.plural] == 2 }
            let first = try await Self.markRequests(cluster)
            writer.setActive(true)
            try await Self.waitForWrites(1, cluster, "a")
            #expect(Self.firstWrite(cluster, "a") > first)
            writer.setActive(false)
            try cluster.putObjective("b")
            let second = try await Self.markRequests(cluster)
            writer.setActive(true)
            try await Self.waitForWrites(1, cluster, "b")
            #expect(Self.firstWrite(cluster, "b") > second)
            #expect(Self.writes(cluster.api.log.value, "a").count == 1)
        }
    }

    /// Asks for something, and returns the number of that request.
    private static func markRequests(_ cluster: WatchedCluster) async throws -> Int {
        let mark = ObjectName(namespace: WatchedCluster.namespace, name: "mark")
        await #expect(throws: APIError.self) {
            try await cluster.client.get(ClusterResources.configMaps, mark, as: PartialObject.self)
        }
        return cluster.api.log.value.requests.lastIndex { $0.name == "mark" } ?? .max
    }

    /// The number of the first request that wrote a status of an objective.
    private static func firstWrite(_ cluster: WatchedCluster, _ name: String) -> Int {
        cluster.api.log.value.requests.firstIndex { $0.verb == "apply" && $0.name == name } ?? -1
    }

    @Test("What somebody overwrites is written again")
    func overwritten() async throws {
        try await Self.run(pause: .milliseconds(200)) { cluster, _, _ in
            try cluster.putObjective("a")
            try await Self.waitForWrites(1, cluster, "a")
            let wrong: ScriptedJSON = [
                "type": "Accepted", "status": "False", "reason": "Other", "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            ]
            try Self.putConditions(cluster, "a", [wrong])
            try await Self.waitForWrites(2, cluster, "a")
            #expect(Self.condition(cluster, "a")?["status"] == "True")
            #expect(Self.condition(cluster, "a")?["lastTransitionTime"] == "2026-01-02T03:04:05Z")
        }
    }

    @Test("That statuses may not be written is told once, and they are written when they may")
    func forbidden() async throws {
        try await Self.run(pause: .milliseconds(50)) { cluster, _, warnings in
            let mayRead = ScriptedAPIUser.Rule(["get", "list", "watch"], resources: ["*"])
            cluster.api.setToken("picker", ScriptedAPIUser(name: "picker", rules: [mayRead]))
            try cluster.putObjective("a")
            try cluster.putObjective("b")
            try await cluster.api.log.wait(for: "five refusals") {
                Self.writes($0).count { $0.status == 403 } >= 5
            }
            try await warnings.wait(for: "the warning") { !$0.isEmpty }
            #expect(warnings.value.count == 1)
            #expect(warnings.value.first?.contains("cannot be written") == true)
            cluster.api.setToken("picker", ScriptedAPIUser(name: "picker"))
            try await Self.waitForWrites(1, cluster, "a")
            try await Self.waitForWrites(1, cluster, "b")
        }
    }
}

/// Keeps the warnings of a logger.
private struct WarningLog: LogHandler {
    let warnings: ObservedState<[String]>
    var metadata = Logger.Metadata()
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard event.level >= .warning else { return }
        warnings.update { $0.append("\(event.message)") }
    }
}
