import Testing

@testable import GatewayTesting

@Suite("The scripted API server: writes")
struct ScriptedWriteTests {
    private var fixture = ScriptedStateFixture()

    /// The status of a write that must fail.
    private static func code(_ body: () throws -> Void) -> Int? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ScriptedAPIFailure)?.code
        }
    }

    @Test("Creating gives an object its identity, and refuses a second of its name")
    mutating func creation() throws {
        try fixture.create("pods", ScriptedStateFixture.pod("a"))
        let pod = try fixture.state.get(try fixture.target("pods", "a"))
        #expect(pod.metadata["uid"]?.text?.count == 36)
        #expect(pod.metadata["creationTimestamp"]?.text?.hasSuffix("Z") == true)
        #expect(pod.metadata["generation"] == 1)
        #expect(pod.value[path: "status", "phase"] == "Pending")
        #expect(Self.code { try fixture.create("pods", ScriptedStateFixture.pod("a")) } == 409)
        let target = try fixture.target("events")
        let made = try fixture.state.create(target, ["metadata": ["generateName": "event-"]], Writer())
        let other = try fixture.state.create(target, ["metadata": ["generateName": "event-"]], Writer())
        #expect(made.metadata["name"]?.text?.count == 11)
        #expect(made.metadata["name"] != other.metadata["name"])
        let bad: [ScriptedJSON] = [
            [:], ["metadata": ["name": 1]], ["kind": "Pot", "metadata": ["name": "x"]],
            ["metadata": ["name": "x", "namespace": "other"]], ["metadata": ["name": "x", "labels": ["a": 1]]], "text",
        ]
        for body in bad {
            let code = Self.code { _ = try fixture.state.create(try fixture.target("pods"), body, Writer()) }
            #expect(code == (body == [:] ? 422 : 400), "\(body)")
        }
    }

    @Test("Replacing needs the present version, a change counts once, no change is none")
    mutating func replacement() throws {
        try fixture.defineWidgets()
        let target = try fixture.widget("w")
        let made = try fixture.state.create(try fixture.widget(), ScriptedStateFixture.widget("w", size: 1), Writer())
        var body = made.value(as: target.type, "v1")
        body.set(2, at: ["spec", "size"])
        let changed = try fixture.state.replace(target, body, Writer())
        #expect(changed.metadata["generation"] == 2)
        #expect(Self.code { _ = try fixture.state.replace(target, body, Writer()) } == 409)
        body.set(.string("\(changed.version)"), at: ["metadata", "resourceVersion"])
        let same = try fixture.state.replace(target, body, Writer())
        #expect(same.version == changed.version && fixture.state.store.version == changed.version)
        body.set(nil, at: ["metadata", "resourceVersion"])
        #expect(Self.code { _ = try fixture.state.replace(target, body, Writer()) } == 422)
        body.set("another", at: ["metadata", "uid"])
        body.set(.string("\(changed.version)"), at: ["metadata", "resourceVersion"])
        #expect(Self.code { _ = try fixture.state.replace(target, body, Writer()) } == 409)
        let missing = try fixture.widget("none")
        #expect(Self.code { _ = try fixture.state.replace(missing, body, Writer()) } == 400)
        // Config maps may be written blindly.
        try fixture.create("configmaps", ["metadata": ["name": "m"], "data": ["a": "1"]])
        let map = try fixture.target("configmaps", "m")
        let blind = try fixture.state.replace(map, ["metadata": ["name": "m"], "data": ["a": "2"]], Writer())
        #expect(blind.value[path: "data", "a"] == "2" && blind.metadata["generation"] == nil)
    }

    @Test("Status and spec are written apart")
    mutating func status() throws {
        try fixture.defineWidgets()
        var body = ScriptedStateFixture.widget("w", size: 1)
        body["status"] = ["ready": true]
        let made = try fixture.state.create(try fixture.widget(), body, Writer())
        #expect(made.value["status"] == nil)
        let patch: ScriptedJSON = ["spec": ["size": 9], "status": ["ready": true], "metadata": ["labels": ["a": "b"]]]
        let merge = "application/merge-patch+json"
        let told = try fixture.state.patch(try fixture.widget("w", subresource: "status"), merge, patch, Writer())
        #expect(told.value[path: "status", "ready"] == true)
        #expect(told.value[path: "spec", "size"] == 1)
        #expect(told.metadata["labels"] == nil && told.metadata["generation"] == 1)
        let wanted = try fixture.state.patch(
            try fixture.widget("w"), merge, ["spec": ["size": 9], "status": .null], Writer()
        )
        #expect(wanted.value[path: "status", "ready"] == true && wanted.metadata["generation"] == 2)
    }

    @Test("Patches: merge, JSON, strategic, and none that the type does not take")
    mutating func patches() throws {
        try fixture.defineWidgets()
        _ = try fixture.state.create(try fixture.widget(), ScriptedStateFixture.widget("w", size: 1), Writer())
        let target = try fixture.widget("w")
        func json(_ operations: ScriptedJSON) throws -> ScriptedJSON {
            var copy = fixture.state
            return try copy.patch(target, "application/json-patch+json", operations, Writer()).value
        }
        #expect(try json([["op": "add", "path": "/spec/list", "value": [1, 2]]])[path: "spec", "list"] == [1, 2])
        #expect(
            try json([
                ["op": "add", "path": "/spec/list", "value": [1, 3]],
                ["op": "add", "path": "/spec/list/1", "value": 2],
                ["op": "add", "path": "/spec/list/-", "value": 4], ["op": "remove", "path": "/spec/list/0"],
                ["op": "move", "from": "/spec/size", "path": "/spec/a~1b"],
                ["op": "test", "path": "/spec/a~1b", "value": 1],
            ])["spec"] == ["list": [2, 3, 4], "a/b": 1]
        )
        let bad: [ScriptedJSON] = [
            [["op": "test", "path": "/spec/size", "value": 7]], [["op": "replace", "path": "/spec/none", "value": 7]],
            [["op": "remove", "path": "/spec/none"]], [["op": "dance", "path": "/spec"]], [["path": "/spec"]],
        ]
        for operations in bad { #expect(Self.code { _ = try json(operations) } == 422) }
        let stale: ScriptedJSON = ["metadata": ["resourceVersion": "7"], "spec": ["size": 3]]
        for (type, body, expected) in [
            ("application/merge-patch+json", stale, 409), ("application/strategic-merge-patch+json", stale, 415),
            ("text/plain", stale, 415),
        ] {
            #expect(Self.code { _ = try fixture.state.patch(target, type, body, Writer()) } == expected)
        }
        try fixture.create("pods", ScriptedStateFixture.pod("a"))
        let conditions: ScriptedJSON = ["status": ["conditions": [["type": "Ready", "status": "True"]]]]
        let pod = try fixture.target("pods", "a", subresource: "status")
        let strategic = "application/strategic-merge-patch+json"
        _ = try fixture.state.patch(pod, strategic, conditions, Writer())
        let more: ScriptedJSON = [
            "status": ["conditions": [["type": "Healthy", "status": "True"]], "phase": "Running"]
        ]
        let merged = try fixture.state.patch(pod, strategic, more, Writer())
        #expect(merged.value[path: "status", "conditions"]?.elements?.count == 2)
    }

    @Test("Deleting waits for grace periods and finalizers")
    mutating func deletion() throws {
        try fixture.create("pods", ScriptedStateFixture.pod("a"))
        let target = try fixture.target("pods", "a")
        guard case .terminating(let marked) = try fixture.state.delete(target, [:], Writer()) else {
            Issue.record("a pod on a node was gone at once")
            return
        }
        #expect(marked.metadata["deletionTimestamp"] != nil && marked.metadata["deletionGracePeriodSeconds"] == 30)
        let again = try fixture.state.delete(target, [:], Writer())
        #expect(again == .terminating(marked))
        #expect(fixture.state.finishDeletion(target) != nil)
        #expect(fixture.state.finishDeletion(target) == nil)
        #expect(Self.code { _ = try fixture.state.delete(target, [:], Writer()) } == 404)
        var free = ScriptedStateFixture.pod("b")
        free["spec"] = [:]
        try fixture.create("pods", free)
        guard case .gone = try fixture.state.delete(try fixture.target("pods", "b"), [:], Writer()) else {
            Issue.record("a pod on no node stayed")
            return
        }
        let held: ScriptedJSON = ["metadata": ["name": "m", "finalizers": ["example.com/hold"]]]
        try fixture.create("configmaps", held)
        let map = try fixture.target("configmaps", "m")
        let wrong: ScriptedJSON = ["preconditions": ["uid": "another"]]
        #expect(Self.code { _ = try fixture.state.delete(map, wrong, Writer()) } == 409)
        guard case .terminating = try fixture.state.delete(map, [:], Writer()) else {
            Issue.record("a finalizer did not hold")
            return
        }
        let release: ScriptedJSON = ["metadata": ["finalizers": .null]]
        _ = try fixture.state.patch(map, "application/merge-patch+json", release, Writer())
        #expect(Self.code { _ = try fixture.state.get(map) } == 404)
    }

    @Test("A definition serves its type in several versions, and takes it away with its objects")
    mutating func definitions() throws {
        #expect(Self.code { _ = try fixture.widget() } == 404)
        try fixture.defineWidgets()
        #expect(Self.code { _ = try fixture.widget(version: "v1alpha1") } == 404)
        _ = try fixture.state.create(try fixture.widget(), ScriptedStateFixture.widget("w", size: 1), Writer())
        let old = try fixture.widget("w", version: "v1alpha2")
        let object = try fixture.state.get(old).value(as: old.type, old.version)
        #expect(object["apiVersion"] == "example.com/v1alpha2" && object["kind"] == "Widget")
        let definition = try fixture.definition("widgets.example.com")
        let conditions = try fixture.state.get(definition).value[path: "status", "conditions"]?.elements ?? []
        #expect(conditions.contains { $0["type"] == "Established" && $0["status"] == "True" })
        _ = try fixture.state.delete(definition, [:], Writer())
        #expect(Self.code { _ = try fixture.widget() } == 404)
        #expect(fixture.state.store.objects(GroupResource(group: "example.com", plural: "widgets")).isEmpty)
        #expect(fixture.state.store.takeUnseen().suffix(2).map(\.isRemoval) == [true, true])
    }
}
