import Testing

@testable import GatewayTesting

@Suite("The scripted API server: server-side apply")
struct ScriptedApplyTests {
    private var fixture = ScriptedStateFixture()

    private static func conditions(_ types: String..., status: String = "True") -> ScriptedJSON {
        [
            "apiVersion": "example.com/v1", "kind": "Widget", "metadata": ["name": "w"],
            "status": [
                "conditions": .array(types.map { ["type": .string($0), "status": .string(status)] })
            ],
        ]
    }

    private mutating func apply(
        _ body: ScriptedJSON,
        by manager: String,
        to subresource: String? = nil,
        force: Bool = false
    ) throws -> StoredObject {
        let target = try fixture.widget("w", subresource: subresource)
        return try fixture.state.apply(target, body, force: force, Writer(manager: manager)).object
    }

    private func types(_ object: StoredObject) -> [String] {
        (object.value[path: "status", "conditions"]?.elements ?? []).compactMap { $0["type"]?.text }
    }

    @Test("Applying creates, merges, takes back what is wanted no more, and says nothing twice")
    mutating func ownFields() throws {
        try fixture.defineWidgets()
        var body = ScriptedStateFixture.widget("w", size: 1)
        body.set(["a": "1", "b": "2"], at: ["metadata", "labels"])
        let made = try apply(body, by: "one")
        #expect(made.metadata["generation"] == 1)
        #expect(made.metadata["managedFields"]?.elements?.first?["operation"] == "Apply")
        let same = try apply(body, by: "one")
        #expect(same.version == made.version)
        body.set(["a": "1"], at: ["metadata", "labels"])
        body["spec"] = ["color": "red"]
        let changed = try apply(body, by: "one")
        #expect(changed.value["spec"] == ["color": "red"])
        #expect(changed.metadata["labels"] == ["a": "1"] && changed.metadata["generation"] == 2)
    }

    @Test("Managers keep their conditions apart, and conflict about the same one unless forced")
    mutating func managers() throws {
        try fixture.defineWidgets()
        _ = try fixture.state.create(try fixture.widget(), ScriptedStateFixture.widget("w", size: 1), Writer())
        _ = try apply(Self.conditions("Accepted", "Ready"), by: "one", to: "status")
        let both = try apply(Self.conditions("Programmed"), by: "two", to: "status")
        #expect(types(both) == ["Accepted", "Ready", "Programmed"])
        #expect(both.value[path: "spec", "size"] == 1 && both.metadata["generation"] == 1)
        let failure = #expect(throws: ScriptedAPIFailure.self) {
            try apply(Self.conditions("Ready", status: "False"), by: "two", to: "status")
        }
        #expect(failure?.code == 409)
        #expect(failure?.message.contains("conflict with \"one\" using example.com/v1") == true)
        #expect(failure?.message.contains(".status.conditions[type=\"Ready\"].status") == true)
        // The same value is no conflict, and belongs to both from then on.
        _ = try apply(Self.conditions("Ready", "Programmed"), by: "two", to: "status")
        let fewer = try apply(Self.conditions("Accepted"), by: "one", to: "status")
        #expect(types(fewer) == ["Accepted", "Ready", "Programmed"])
        let forced = try apply(Self.conditions("Accepted", status: "False"), by: "two", to: "status", force: true)
        #expect(types(forced) == ["Accepted"])
        #expect(forced.value[path: "status", "conditions"]?.elements?.first?["status"] == "False")
        let lost = #expect(throws: ScriptedAPIFailure.self) {
            try apply(Self.conditions("Accepted"), by: "one", to: "status")
        }
        #expect(lost?.message.contains("conflict with \"two\"") == true)
    }

    @Test("A plain write takes fields over, and status cannot be applied to what is not there")
    mutating func plainWrites() throws {
        try fixture.defineWidgets()
        let early = #expect(throws: ScriptedAPIFailure.self) {
            try apply(Self.conditions("Ready"), by: "one", to: "status")
        }
        #expect(early?.code == 404)
        _ = try apply(ScriptedStateFixture.widget("w", size: 1), by: "one")
        let target = try fixture.widget("w")
        let patch: ScriptedJSON = ["spec": ["size": 2]]
        let patched = try fixture.state.patch(
            target, "application/merge-patch+json", patch, Writer(manager: "by-hand")
        )
        #expect(patched.metadata["generation"] == 2)
        let failure = #expect(throws: ScriptedAPIFailure.self) {
            try apply(ScriptedStateFixture.widget("w", size: 3), by: "one")
        }
        #expect(failure?.message.contains("conflict with \"by-hand\"") == true)
        let forced = try apply(ScriptedStateFixture.widget("w", size: 3), by: "one", force: true)
        #expect(forced.value[path: "spec", "size"] == 3)
        #expect(forced.metadata["managedFields"]?.elements?.count == 1)
    }
}
