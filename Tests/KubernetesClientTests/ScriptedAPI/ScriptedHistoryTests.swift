import Testing

@testable import GatewayTesting

/// A list at a version and the events after it are the list of now, whatever happened and whatever is selected: what
/// every client of the API builds on.
@Suite("The scripted API server: histories")
struct ScriptedHistoryTests {
    /// A generator that repeats.
    private struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static func step(_ fixture: inout ScriptedStateFixture, _ dice: inout Dice) throws {
        let name = "pod-\(Int.random(in: 0..<6, using: &dice))"
        let namespace = Bool.random(using: &dice) ? "default" : "other"
        let target = try fixture.target("pods", name, namespace: namespace)
        let app: ScriptedJSON = Bool.random(using: &dice) ? "x" : "y"
        let isThere = fixture.state.store.object(target.type.name, target.key) != nil
        switch Int.random(in: 0..<8, using: &dice) {
        case 0..<3 where !isThere:
            try fixture.create("pods", ScriptedStateFixture.pod(name, ["app": app], namespace: namespace))
        case 3..<5 where isThere:
            let patch: ScriptedJSON = ["metadata": ["labels": ["app": app]]]
            _ = try fixture.state.patch(target, "application/merge-patch+json", patch, Writer())
        case 5 where isThere:
            _ = try fixture.state.delete(target, [:], Writer())
        case 6 where isThere:
            _ = try fixture.state.delete(target, ["gracePeriodSeconds": 0], Writer())
        default:
            fixture.state.store.advance(by: 1)
        }
    }

    @Test("List and watch agree, from every version and for every selector", arguments: 1...40 as ClosedRange<UInt64>)
    func listAndWatch(seed: UInt64) throws {
        var dice = Dice(state: seed)
        var fixture = ScriptedStateFixture()
        let type = try fixture.target("pods").type
        let selectors = try [("", nil), ("app=x", nil), ("app!=x", "other"), ("", "default")].map {
            try ObjectSelector(namespace: $0.1, labelSelector: $0.0, fieldSelector: "", type: type)
        }
        let first = fixture.state.store.version
        for _ in 0..<60 { try Self.step(&fixture, &dice) }
        let last = fixture.state.store.version
        for version in first...last {
            for selector in selectors {
                let past = ListQuery(selector: selector, resourceVersion: "\(version)", match: "Exact")
                var known: [String: StoredObject] = [:]
                for object in try fixture.state.list(type, past).objects { known[key(object)] = object }
                let watch = WatchQuery(selector: selector, resourceVersion: "\(version)")
                for event in try fixture.state.openWatch(type, watch).events {
                    switch event.kind {
                    case .added: #expect(known.updateValue(event.object, forKey: key(event.object)) == nil)
                    case .modified: #expect(known.updateValue(event.object, forKey: key(event.object)) != nil)
                    case .deleted: #expect(known.removeValue(forKey: key(event.object)) != nil)
                    }
                }
                let now = try fixture.state.list(type, ListQuery(selector: selector)).objects
                #expect(known.values.map(key).sorted() == now.map(key))
                #expect(now.allSatisfy { known[key($0)] == $0 })
            }
        }
    }

    private func key(_ object: StoredObject) -> String {
        "\(object.metadata["namespace"]?.text ?? "")/\(object.metadata["name"]?.text ?? "")"
    }
}
