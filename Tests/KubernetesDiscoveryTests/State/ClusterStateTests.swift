import GatewayConfiguration
import GatewayCore
import KubernetesClient
import KubernetesDiscovery
import Logging
import Testing

@Suite("What is known of a pool")
struct ClusterStateTests {
    private let objectives = ClusterResources.objectives
    private let rewrites = ClusterResources.rewrites

    /// A state with a pool and a pod.
    private func live(group: String = "inference.networking.k8s.io") -> ClusterState {
        var state = ClusterState.ofPool(group: group)
        state.set(pool: Cluster.pool())
        _ = state.apply(.replaced([Cluster.pod("a")]), generation: state.podQuery?.generation ?? 0)
        return state
    }

    @Test("the pods of a pool are those of its labels, and only they are asked for")
    func podQuery() throws {
        var state = ClusterState.ofPool()
        #expect(state.podQuery == nil)
        #expect(state.set(pool: Cluster.pool(labels: ["b": "2", "a": "1"])).contains(.resources))
        let query = try #require(state.podQuery?.query)
        #expect(query.labelSelector == "a=1,b=2")
        #expect(query.namespace == "prod")
        #expect(query.resource == ClusterResources.pods)
        #expect(state.query(for: state.resources[0]).fieldSelector == "metadata.name=llama")
        #expect(state.query(for: objectives[0]).fieldSelector.isEmpty)
    }

    @Test("the pool counts as there once its pods are listed")
    func life() {
        var state = ClusterState.ofPool()
        #expect(!state.isLive)
        state.set(pool: Cluster.pool())
        #expect(!state.isLive)
        let changes = state.apply(.replaced([]), generation: state.podQuery?.generation ?? 0).changes
        #expect(changes == .endpoints, "an empty list is news the first time")
        #expect(state.isLive)
        #expect(!state.isSettled)
        for resource in state.resources.dropFirst() { _ = state.apply(.replaced([]), of: resource) }
        #expect(state.isSettled)
    }

    @Test("types that are not installed or may not be read hold nothing up; a server out of reach does")
    func settling() {
        var state = live()
        let optional = state.resources.dropFirst()
        for resource in optional { _ = state.apply(.waiting(.unreachable("no route")), of: resource) }
        #expect(!state.isSettled)
        for (index, resource) in optional.enumerated() {
            _ = state.apply(.waiting(index.isMultiple(of: 2) ? .notFound("404") : .forbidden("403")), of: resource)
        }
        #expect(state.isSettled)
    }

    @Test("other labels are another query, and the old pods stay until the new ones are listed")
    func otherSelector() throws {
        var state = live()
        let old = try #require(state.podQuery)
        #expect(state.set(pool: Cluster.pool(labels: ["app": "other"])) == [.resources, .statuses])
        let new = try #require(state.podQuery)
        #expect(new.generation != old.generation)
        #expect(state.endpoints.map(\.podName) == ["a"])
        #expect(
            state.apply(.removed(ObjectName(namespace: "prod", name: "a")), generation: old.generation).changes == [])
        #expect(state.endpoints.map(\.podName) == ["a"])
        #expect(state.apply(.replaced([Cluster.pod("b")]), generation: new.generation).changes == .endpoints)
        #expect(state.endpoints.map(\.podName) == ["b"])
    }

    @Test("other ports are other endpoints of the same pods")
    func otherPorts() {
        var state = live()
        let generation = state.podQuery?.generation
        #expect(state.set(pool: Cluster.pool(ports: [9000, 9001])) == [.resources, .statuses, .endpoints])
        #expect(state.endpoints.map(\.address.port) == [9000, 9001])
        #expect(state.podQuery?.generation == generation)
        #expect(state.targetPorts == [9000, 9001])
    }

    @Test("a pool that is gone or going takes everything with it", arguments: [true, false])
    func gone(isGoing: Bool) {
        var state = live()
        let object = isGoing ? Cluster.pool(deletionTimestamp: "2026-01-01T00:00:00Z") : nil
        #expect(state.set(pool: object).contains([.resources, .endpoints]))
        #expect(state.endpoints.isEmpty)
        #expect(state.podQuery == nil)
        #expect(!state.isLive)
        state.set(pool: Cluster.pool())
        #expect(!state.isLive, "the pods are to be listed anew")
    }

    @Test("a pool that was made wrong keeps what it was")
    func wrongPool() {
        var state = live()
        let wrong = Cluster.object("llama", spec: ["selector": ["matchLabels": ["app": "llama"]], "targetPorts": []])
        let (changes, notes) = state.apply(.changed(wrong), of: state.resources[0])
        #expect(!changes.contains(.resources))
        #expect(state.endpoints.count == 1)
        #expect(notes.count == 1)
        #expect(notes[0].level == .error)
        #expect(notes[0].text.contains("InferencePool prod/llama"))
        #expect(notes[0].text.contains("1 to 8 target ports"))
    }

    @Test("the older group of pools has pools of its own shape")
    func alphaPool() {
        var state = ClusterState.ofPool(group: "inference.networking.x-k8s.io")
        state.set(
            pool: Cluster.object(
                "llama",
                spec: ["selector": ["app": "llama"], "targetPortNumber": 8000, "extensionRef": ["name": "epp"]]
            )
        )
        #expect(state.podQuery?.query.labelSelector == "app=llama")
        #expect(state.targetPorts == [8000])
        #expect(state.resources[0].version == "v1alpha2")
    }

    @Test("objectives of the pool count, in both groups, and the newer group goes before")
    func objectiveGroups() {
        var state = live()
        _ = state.apply(.replaced([Cluster.objective("a", priority: 1)]), of: objectives[0])
        _ = state.apply(
            .replaced([
                Cluster.objective("a", priority: 9), Cluster.objective("b", priority: 2),
                Cluster.objective("c", priority: 3, pool: "other"),
                Cluster.objective("d", priority: 4, group: "inference.networking.x-k8s.io"),
            ]),
            of: objectives[1]
        )
        let known = state.configuration.objectives
        #expect(known.map(\.metadata.id.name) == ["a", "b"])
        #expect(known.map(\.priority) == [1, 2])
        #expect(
            state.statuses.map { "\($0.name.name) \($0.condition.status) \($0.condition.reason ?? "")" } == [
                "a True Accepted", "a False Shadowed", "b True Accepted",
            ]
        )
    }

    @Test("an object that becomes wrong still says what it said")
    func wrongObjective() {
        var state = live()
        _ = state.apply(.replaced([Cluster.objective("a", priority: 1)]), of: objectives[0])
        let wrong = Cluster.object("a", generation: 2, spec: ["priority": "high", "poolRef": ["name": "llama"]])
        let (changes, notes) = state.apply(.changed(wrong), of: objectives[0])
        #expect(!changes.contains(.resources))
        #expect(notes.map(\.level) == [.error])
        #expect(notes[0].text.contains("spec.priority"))
        #expect(state.configuration.objectives.map(\.priority) == [1])
        #expect(state.statuses.map(\.condition.reason) == ["Invalid"])
        #expect(state.statuses[0].condition.observedGeneration == 2)
    }

    @Test(
        "an object that is going counts as gone, whatever else it says", arguments: [5, "high"] as [ConfigurationValue])
    func goingObjective(priority: ConfigurationValue) {
        var state = live()
        _ = state.apply(.replaced([Cluster.objective("a", priority: 5)]), of: objectives[0])
        let going = Cluster.object(
            "a", deletionTimestamp: "2026-01-01T00:00:00Z",
            spec: ["priority": priority, "poolRef": ["name": "llama"]])
        #expect(state.apply(.changed(going), of: objectives[0]).changes.contains(.resources))
        #expect(state.configuration.objectives.isEmpty)
        #expect(state.statuses.isEmpty)
    }

    @Test("what an object said does not hold for another one of its name")
    func madeAnew() {
        var state = live()
        _ = state.apply(.replaced([Cluster.objective("a", priority: 5)]), of: objectives[0])
        let other = ClusterObject(
            metadata: ObjectMetadata(name: "a", namespace: "prod", uid: "another"),
            fields: ["spec": ["priority": "high", "poolRef": ["name": "llama"]]]
        )
        #expect(state.apply(.replaced([other]), of: objectives[0]).changes.contains(.resources))
        #expect(state.configuration.objectives.isEmpty)
        #expect(state.statuses.map(\.condition.reason) == ["Invalid"])
    }

    @Test("an object that was never right goes before nobody")
    func wrongFirst() {
        var state = live()
        let wrong = Cluster.object("a", spec: ["priority": "high", "poolRef": ["name": "llama"]])
        _ = state.apply(.replaced([wrong]), of: objectives[0])
        _ = state.apply(.replaced([Cluster.objective("a", priority: 9)]), of: objectives[1])
        #expect(state.configuration.objectives.map(\.priority) == [9])
        #expect(state.statuses.map(\.condition.reason) == ["Invalid", "Accepted"])
    }

    @Test("a status says where an object is wrong, and as much of it as people read")
    func longFault() throws {
        var state = live()
        let rules = ConfigurationValue(.array(Array(repeating: ["targets": "none"], count: 2_000)))
        let wrong = Cluster.object("a", spec: ["poolRef": ["name": "llama"], "rules": rules])
        _ = state.apply(.replaced([wrong]), of: rewrites[0])
        let message = try #require(state.statuses.first?.condition.message)
        #expect(message.hasPrefix("spec.rules[0].targets: "))
        #expect((1_000..<3_000).contains(message.count))
    }

    @Test("fields that are not known are told and passed over")
    func unknownField() {
        var state = live()
        let object = Cluster.object(
            "a", spec: ["priority": 5, "prioritySource": "x", "poolRef": ["name": "llama"]])
        let (changes, notes) = state.apply(.changed(object), of: objectives[0])
        #expect(changes.contains(.resources))
        #expect(notes.map(\.level) == [.info])
        #expect(notes[0].text.contains("prioritySource"))
        #expect(state.configuration.objectives.map(\.priority) == [5])
    }

    @Test("a write to a status changes nothing but statuses")
    func statusWrite() {
        var state = live()
        _ = state.apply(.replaced([Cluster.objective("a", priority: 1)]), of: objectives[0])
        #expect(state.statuses.map(\.isDue) == [true])
        var condition = state.statuses[0].condition
        condition.lastTransitionTime = "2026-01-01T00:00:00Z"
        let written = ClusterObject(
            metadata: Cluster.objective("a", priority: 1).metadata,
            fields: Cluster.objective("a", priority: 1).fields,
            conditions: [condition]
        )
        #expect(state.apply(.changed(written), of: objectives[0]).changes == .statuses)
        #expect(state.statuses.map(\.isDue) == [false])
        #expect(state.statuses[0].condition.lastTransitionTime == "2026-01-01T00:00:00Z")
    }

    @Test("of two InferenceModels for one model the older counts, and the other is told so")
    func modelsInUse() {
        var state = live()
        _ = state.apply(
            .replaced([
                Cluster.model("new", "llama-3", created: "2026-02-01T00:00:00Z", criticality: "Sheddable"),
                Cluster.model("old", "llama-3", created: "2026-01-01T00:00:00Z"),
            ]),
            of: ClusterResources.models
        )
        #expect(state.configuration.effectiveModels.map(\.priority) == [1])
        #expect(state.statuses.map(\.condition.reason) == ["ModelNameInUse", "Accepted"])
        #expect(state.statuses[0].condition.message?.contains("llama-3") == true)
    }

    @Test("rewrites hold by their age")
    func ageOfRewrites() {
        var state = live()
        func rewrite(_ name: String, _ created: String) -> ClusterObject {
            Cluster.object(
                name,
                created: created,
                spec: [
                    "poolRef": ["name": "llama"],
                    "rules": [["targets": [["modelRewrite": ConfigurationValue(.string(name))]]]],
                ]
            )
        }
        _ = state.apply(
            .replaced([rewrite("a", "2026-02-01T00:00:00Z"), rewrite("b", "2026-01-01T00:00:00Z")]),
            of: self.rewrites[1]
        )
        #expect(state.configuration.rewrites(of: Cluster.pool).map(\.metadata.id.name) == ["b", "a"])
    }

    @Test("a selector needs no resource, and no objective counts")
    func selector() {
        let scope = PoolScope(
            pool: Cluster.pool, definition: .selector(labels: "app in (a, b)", ports: [8000, 8001]))
        var state = ClusterState(scope)
        #expect(state.resources.isEmpty)
        #expect(state.importQuery == nil)
        #expect(state.podQuery?.query.labelSelector == "app in (a, b)")
        _ = state.apply(.replaced([Cluster.pod("a")]), generation: state.podQuery?.generation ?? 0)
        #expect(state.isSettled)
        #expect(state.endpoints.map(\.address.port) == [8000, 8001])
        #expect(state.targetPorts == [8000, 8001])
    }

    @Test("what the endpoints speak is known where the resource says it")
    func appProtocol() {
        var state = live()
        #expect(state.appProtocol == nil)
        state.set(pool: Cluster.pool(appProtocol: "kubernetes.io/h2c"))
        #expect(state.appProtocol == "kubernetes.io/h2c")
    }

    @Test("who else exports the pool is told once for each change")
    func imports() throws {
        var state = live()
        let object: PoolImport = try Cluster.decode(
            #"{"metadata": {"name": "llama"}, "status": {"controllers": [{"exportingClusters": [{"name": "w"}]}]}}"#)
        #expect(state.apply(.waiting(.notFound("no such type")) as ReflectorEvent<PoolImport>).isEmpty)
        #expect(state.apply(.replaced([object])).count == 1)
        #expect(state.apply(.changed(object)).isEmpty)
        #expect(state.exportingClusters == ["w"])
        #expect(state.apply(.removed(object.metadata.id) as ReflectorEvent<PoolImport>).count == 1)
    }
}
