import Testing

@testable import GatewayTesting

@Suite("The scripted API server: lists and watches")
struct ScriptedListTests {
    private var fixture = ScriptedStateFixture()

    private func pods() throws -> ScriptedResourceType { try fixture.target("pods").type }

    private static func names(_ page: ListPage) -> [String] { page.objects.compactMap { $0.metadata["name"]?.text } }

    private func selector(_ labels: String = "", fields: String = "", namespace: String? = nil) throws -> ObjectSelector
    {
        try ObjectSelector(namespace: namespace, labelSelector: labels, fieldSelector: fields, type: pods())
    }

    @Test("Pages show one version, and a token that lost its version says how to go on")
    mutating func paging() throws {
        for name in ["e", "a", "d", "b", "c"] { try fixture.create("pods", ScriptedStateFixture.pod(name)) }
        let version = fixture.state.store.version
        let first = try fixture.state.list(try pods(), ListQuery(limit: 2))
        #expect(Self.names(first) == ["a", "b"])
        #expect(first.remaining == 3)
        _ = try fixture.state.delete(try fixture.target("pods", "c"), ["gracePeriodSeconds": 0], Writer())
        try fixture.create("pods", ScriptedStateFixture.pod("bb"))
        let second = try fixture.state.list(try pods(), ListQuery(limit: 2, continueToken: first.continueToken))
        #expect(Self.names(second) == ["c", "d"])
        #expect(second.version == version)
        fixture.state.store.compact()
        let failure = #expect(throws: ScriptedAPIFailure.self) {
            try fixture.state.list(pods(), ListQuery(continueToken: second.continueToken))
        }
        #expect(failure?.code == 410)
        #expect(failure?.reason == "Expired")
        let token = try #require(failure?.continueToken)
        let rest = try fixture.state.list(try pods(), ListQuery(continueToken: token))
        #expect(Self.names(rest) == ["e"])
        #expect(rest.version == fixture.state.store.version)
        let again = try fixture.state.list(try pods(), ListQuery(limit: 9))
        #expect(Self.names(again) == ["a", "b", "bb", "d", "e"])
        #expect(again.remaining == nil && again.continueToken.isEmpty)
    }

    @Test("Versions: the cache does not page, an exact version shows the past, the future is a timeout")
    mutating func versions() throws {
        try fixture.create("pods", ScriptedStateFixture.pod("a"), ScriptedStateFixture.pod("b"))
        let old = fixture.state.store.version
        try fixture.create("pods", ScriptedStateFixture.pod("c"))
        let cached = try fixture.state.list(try pods(), ListQuery(limit: 1, resourceVersion: "0"))
        #expect(Self.names(cached) == ["a", "b", "c"])
        let exact = try fixture.state.list(try pods(), ListQuery(resourceVersion: "\(old)", match: "Exact"))
        #expect(Self.names(exact) == ["a", "b"] && exact.version == old)
        let newer = try fixture.state.list(try pods(), ListQuery(resourceVersion: "\(old)"))
        #expect(Self.names(newer) == ["a", "b", "c"])
        let paged = try fixture.state.list(try pods(), ListQuery(limit: 1, resourceVersion: "\(old)"))
        #expect(paged.version == old && paged.remaining == 1)
        let future = #expect(throws: ScriptedAPIFailure.self) {
            try fixture.state.list(pods(), ListQuery(resourceVersion: "\(old + 50)"))
        }
        #expect(future?.code == 504)
        #expect(future?.details?["causes"]?.elements?.first?["reason"] == "ResourceVersionTooLarge")
        fixture.state.store.compact()
        let gone = #expect(throws: ScriptedAPIFailure.self) {
            try fixture.state.list(pods(), ListQuery(resourceVersion: "\(old)", match: "Exact"))
        }
        #expect(gone?.code == 410)
        for (version, match) in [("x", ""), ("", "Exact"), ("0", "Exact"), ("1", "Nearly")] {
            let bad = #expect(throws: ScriptedAPIFailure.self) {
                try fixture.state.list(pods(), ListQuery(resourceVersion: version, match: match))
            }
            #expect(bad?.code == 400)
        }
    }

    @Test(
        "Selectors of labels",
        arguments: [
            ("app=x", ["a", "b"]), ("app==x,tier=gold", ["a"]), ("app!=x", ["c", "d"]), ("tier", ["a", "c"]),
            ("!tier", ["b", "d"]), ("tier in (gold, silver)", ["a", "c"]), ("tier notin (gold)", ["b", "c", "d"]),
            ("app in (x,y),!tier", ["b"]), ("rank>1", ["c"]), ("rank<2", ["b"]), ("", ["a", "b", "c", "d"]),
        ]
    )
    mutating func labels(text: String, expected: [String]) throws {
        try fixture.create(
            "pods", ScriptedStateFixture.pod("a", ["app": "x", "tier": "gold"]),
            ScriptedStateFixture.pod("b", ["app": "x", "rank": "1"]),
            ScriptedStateFixture.pod("c", ["app": "y", "tier": "silver", "rank": "2"]), ScriptedStateFixture.pod("d")
        )
        let page = try fixture.state.list(try pods(), ListQuery(selector: try selector(text)))
        #expect(Self.names(page) == expected)
    }

    @Test("Selectors of fields, and what is no selector")
    mutating func fields() throws {
        try fixture.create("pods", ScriptedStateFixture.pod("a"), ScriptedStateFixture.pod("a", namespace: "other"))
        for (text, count) in [
            ("metadata.name=a", 2), ("metadata.namespace!=default", 1), ("spec.nodeName=node,metadata.name==a", 2),
            ("status.phase=Running", 0), ("status.phase=Pending", 2),
        ] {
            let page = try fixture.state.list(try pods(), ListQuery(selector: try selector(fields: text)))
            #expect(page.objects.count == count, "\(text)")
        }
        let one = try fixture.state.list(try pods(), ListQuery(selector: try selector(namespace: "other")))
        #expect(one.objects.count == 1)
        for (labels, fields) in [
            ("a in x", ""), ("=x", ""), ("", "spec.color=red"), ("", "metadata.name"), ("a b", ""),
        ] {
            let bad = #expect(throws: ScriptedAPIFailure.self) { try selector(labels, fields: fields) }
            #expect(bad?.code == 400)
        }
    }

    @Test("A watch tells the present state, or what came later, or that it is too late")
    mutating func watches() throws {
        try fixture.create("pods", ScriptedStateFixture.pod("a"))
        let old = fixture.state.store.version
        try fixture.create("pods", ScriptedStateFixture.pod("b"))
        try fixture.create("configmaps", ["metadata": ["name": "other"]])
        for version in ["", "0"] {
            let (events, after) = try fixture.state.openWatch(try pods(), WatchQuery(resourceVersion: version))
            #expect(events.map(\.kind) == [.added, .added] && after == fixture.state.store.version)
        }
        let later = try fixture.state.openWatch(try pods(), WatchQuery(resourceVersion: "\(old)"))
        #expect(later.events.compactMap { $0.object.metadata["name"]?.text } == ["b"])
        // From the future: silent until the store is past it, as after etcd was restored.
        let future = try fixture.state.openWatch(try pods(), WatchQuery(resourceVersion: "\(old + 100)"))
        #expect(future.events.isEmpty && future.after == old + 100)
        fixture.state.store.compact()
        let failure = #expect(throws: ScriptedAPIFailure.self) {
            try fixture.state.openWatch(pods(), WatchQuery(resourceVersion: "\(old)"))
        }
        #expect(failure?.code == 410)
        let now = WatchQuery(resourceVersion: "\(fixture.state.store.version)")
        #expect(try fixture.state.openWatch(try pods(), now).events.isEmpty)
    }

    @Test("An object that begins to match is ADDED, one that ceases to is DELETED with its old content")
    mutating func transitions() throws {
        let start = fixture.state.store.version
        let target = try fixture.target("pods", "a")
        func label(_ value: String) -> ScriptedJSON { ["metadata": ["labels": ["app": .string(value)]]] }
        try fixture.create("pods", ScriptedStateFixture.pod("a", ["app": "no"]))
        for value in ["yes", "yes ", "yes", "no", "never"] {
            _ = try fixture.state.patch(target, "application/merge-patch+json", label(value), Writer())
        }
        _ = try fixture.state.patch(target, "application/merge-patch+json", label("yes"), Writer())
        _ = try fixture.state.delete(target, ["gracePeriodSeconds": 0], Writer())
        let query = WatchQuery(selector: try selector("app=yes"), resourceVersion: "\(start)")
        let events = try fixture.state.openWatch(try pods(), query).events
        #expect(events.map(\.kind) == [.added, .deleted, .added, .deleted, .added, .deleted])
        #expect(events[1].object.value[path: "metadata", "labels", "app"] == "yes")
        #expect(events[1].object.metadata["resourceVersion"] == .string("\(start + 3)"))
        #expect(events.last?.object.version == fixture.state.store.version)
    }

    @Test("History is trimmed, and the state can go back while versions repeat")
    mutating func history() throws {
        fixture.state.store.historyLimit = 8
        for index in 0..<200 { try fixture.create("pods", ScriptedStateFixture.pod("p\(index)")) }
        let store = fixture.state.store
        #expect(store.compactedVersion > store.version - 40 && store.compactedVersion <= store.version - 8)
        let name = GroupResource(group: "", plural: "pods")
        #expect(store.objects(name, at: store.version - 5)?.count == 195)
        let earlier = fixture.state
        let identity = try fixture.state.get(try fixture.target("pods", "p0")).metadata["uid"]
        try fixture.create("pods", ScriptedStateFixture.pod("late"))
        fixture.state.restore(earlier)
        #expect(fixture.state.store.version == earlier.store.version)
        #expect(fixture.state.store.changes(of: name, after: store.version - 1) == nil)
        try fixture.create("pods", ScriptedStateFixture.pod("new"))
        #expect(try fixture.state.get(try fixture.target("pods", "p0")).metadata["uid"] == identity)
    }
}
