import GatewayTesting
import Testing

@Suite("The scripted API server over HTTP", .timeLimit(.minutes(1)))
struct ScriptedServerTests {
    private static func get(_ path: String, _ fields: String...) -> String {
        "GET \(path) HTTP/1.1\r\nhost: api\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private static func send(_ method: String, _ path: String, _ body: String, type: String? = nil) -> String {
        """
        \(method) \(path) HTTP/1.1\r\nhost: api\r\ncontent-type: \(type ?? "application/json")\r\n\
        content-length: \(body.utf8.count)\r\n\r\n\(body)
        """
    }

    private static func pod(_ name: String, app: String = "x") -> ScriptedJSON {
        [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "labels": ["app": .string(app)]],
            "spec": ["nodeName": "node"],
        ]
    }

    private static let pods = "/api/v1/namespaces/default/pods"

    /// The lines of a watch so far, of chunks whose ends have come.
    private static func lines(_ received: RawConnection.Received) -> [ScriptedJSON] {
        let text = received.text
        guard let end = text.firstRange(of: "\r\n\r\n") else { return [] }
        return text[end.upperBound...].split(separator: "\r\n").compactMap { try? ScriptedJSON(String($0)) }
            .filter { $0["type"] != nil }
    }

    private static func types(_ received: RawConnection.Received) -> [String] {
        lines(received).compactMap { $0["type"]?.text }
    }

    /// Opens a watch, and waits until the server has it.
    private static func watch(
        _ api: ScriptedKubernetesAPI,
        _ query: String = "resourceVersion=0",
        receiveBuffer: Int? = nil
    ) async throws -> RawConnection {
        let open = api.log.value.openWatches["pods"] ?? 0
        let connection = try await RawConnection.connect(port: api.port, receiveBuffer: receiveBuffer)
        try await connection.send(get("\(pods)?watch=1&\(query)"))
        try await api.log.wait(for: "the watch") { $0.openWatches["pods"] ?? 0 > open }
        return connection
    }

    @Test("Reads and writes, and who may not")
    func readsAndWrites() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        let connection = try await RawConnection.connect(port: api.port)
        let made = try await connection.exchange(Self.send("POST", Self.pods, "\(Self.pod("a"))"))
        #expect(made.status == 201)
        let list = try ScriptedJSON(try await connection.exchange(Self.get(Self.pods)).body)
        #expect(list["kind"] == "PodList" && list["apiVersion"] == "v1")
        // Items of built-in types have neither.
        let item = try #require(list["items"]?.elements?.first)
        #expect(item["kind"] == nil && item[path: "metadata", "name"] == "a")
        let patch = #"{"metadata":{"labels":{"app":"y"}}}"#
        let patched = try await connection.exchange(
            Self.send("PATCH", "\(Self.pods)/a", patch, type: "application/merge-patch+json"))
        #expect(try ScriptedJSON(patched.body)[path: "metadata", "labels", "app"] == "y")
        #expect(try await connection.exchange(Self.get("\(Self.pods)/b")).status == 404)
        let unknown = try await connection.exchange(Self.get("/apis/example.com/v1/widgets"))
        #expect(unknown.status == 404 && unknown.body == "404 page not found\n")
        #expect(try await connection.exchange(Self.send("DELETE", Self.pods + "/a", "{}")).status == 200)
        #expect(api.object("pods", name: "a")?[path: "metadata", "deletionTimestamp"] != nil)
        try api.finishDeletion(name: "a")
        #expect(api.objects("pods").isEmpty)
        #expect(api.log.value.requests.map(\.verb) == ["create", "list", "patch", "get", "", "delete"])
        #expect(api.log.value.requests.map(\.status) == [201, 200, 200, 404, 404, 200])
        try await api.stop()
    }

    @Test("Tokens and rules, also while they change")
    func access() async throws {
        let rule = ScriptedAPIUser.Rule(["get", "watch"], groups: [""], resources: ["pods"])
        let user = ScriptedAPIUser(name: "picker", rules: [rule, .init(["get"], paths: ["/metrics"])])
        let api = try await ScriptedKubernetesAPI.start(users: ["secret": user])
        let connection = try await RawConnection.connect(port: api.port)
        let bearer = "authorization: Bearer secret"
        #expect(try await connection.exchange(Self.get(Self.pods)).status == 401)
        let refused = try await connection.exchange(Self.get(Self.pods, bearer))
        #expect(refused.status == 403)
        #expect(
            try ScriptedJSON(refused.body)["message"]?.text
                == #"pods is forbidden: User "picker" cannot list resource "pods" in API group "" "#
                + #"in the namespace "default""#
        )
        #expect(try await connection.exchange(Self.get(Self.pods + "/a", bearer)).status == 404)
        api.setToken("next", ScriptedAPIUser(name: "picker"))
        api.expireToken("secret")
        #expect(try await connection.exchange(Self.get(Self.pods + "/a", bearer)).status == 401)
        let next = "authorization: Bearer next"
        #expect(try await connection.exchange(Self.get(Self.pods, next)).status == 200)
        api.setToken("scraper", ScriptedAPIUser(name: "prometheus", rules: [.init(["get"], paths: ["/metrics"])]))
        func review(_ path: String, _ spec: String) async throws -> ScriptedJSON? {
            let text = Self.send("POST", path, #"{"spec":\#(spec)}"#)
            let request = text.replacing("host: api\r\n", with: "host: api\r\n\(next)\r\n")
            return try ScriptedJSON(try await connection.exchange(request).body)["status"]
        }
        let tokens = "/apis/authentication.k8s.io/v1/tokenreviews"
        let known = try await review(tokens, #"{"token":"scraper"}"#)
        #expect(known?["authenticated"] == true && known?[path: "user", "username"] == "prometheus")
        #expect(try await review(tokens, #"{"token":"x"}"#)?["authenticated"] == false)
        let reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        for (path, isAllowed) in [("/metrics", true), ("/debug", false)] {
            let spec = #"{"user":"prometheus","nonResourceAttributes":{"path":"\#(path)","verb":"get"}}"#
            #expect(try await review(reviews, spec)?["allowed"] == .bool(isAllowed))
        }
        try await api.stop()
    }

    @Test("A watch tells what happens, and ends with a bookmark when its time is over")
    func watching() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        try api.apply(Self.pod("a"))
        try api.apply(Self.pod("hidden", app: "y"))
        let query = "resourceVersion=0&labelSelector=app%3Dx&allowWatchBookmarks=true&timeoutSeconds=1"
        let connection = try await Self.watch(api, query)
        try api.apply(Self.pod("b"))
        try api.apply(Self.pod("b", app: "y"))
        try api.remove("pods", name: "a")
        let response = try await connection.response()
        #expect(response.isWhole && response.first("transfer-encoding") == "chunked")
        let lines = try response.body.split(separator: "\n").map { try ScriptedJSON(String($0)) }
        #expect(lines.compactMap { $0["type"]?.text } == ["ADDED", "ADDED", "DELETED", "DELETED", "BOOKMARK"])
        #expect(lines.last?[path: "object", "metadata", "resourceVersion"] == .string("\(api.version)"))
        #expect(lines.first?[path: "object", "kind"] == "Pod")
        try await api.stop()
    }

    @Test("A compacted version is an ERROR event or a status, and sendInitialEvents is as the settings say")
    func tooOld() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        let old = api.version
        try api.apply(Self.pod("a"))
        api.compact()
        let connection = try await RawConnection.connect(port: api.port)
        let watch = Self.get("\(Self.pods)?watch=1&resourceVersion=\(old)")
        let event = try await connection.exchange(watch)
        #expect(event.status == 200)
        let line = try ScriptedJSON(event.body)
        #expect(line["type"] == "ERROR" && line[path: "object", "code"] == 410)
        api.configure { $0.tooOldWatch = .status }
        #expect(try await connection.exchange(watch).status == 410)
        let initial = Self.get("\(Self.pods)?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=1")
        #expect(try await connection.exchange(initial).status == 422)
        api.configure { $0.initialEvents = .supported }
        let lines = try await connection.exchange(initial).body.split(separator: "\n").map(String.init)
        let bookmark = try ScriptedJSON(lines[1])
        #expect(bookmark[path: "object", "metadata", "annotations", "k8s.io/initial-events-end"] == "true")
        try await api.stop()
    }

    @Test("Faults of answers happen as often as they should")
    func answerFaults() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        let connection = try await RawConnection.connect(port: api.port)
        api.inject(ScriptedFault(.status(429, retryAfter: 3), resource: "pods", verb: "list", times: 2))
        for _ in 0..<2 {
            let busy = try await connection.exchange(Self.get(Self.pods))
            #expect(busy.status == 429 && busy.first("retry-after") == "3")
            #expect(try ScriptedJSON(busy.body)["reason"] == "TooManyRequests")
        }
        #expect(try await connection.exchange(Self.get(Self.pods)).status == 200)
        api.inject(ScriptedFault(.replaceBody("{\"kind\":"), verb: "list"))
        #expect(try await connection.exchange(Self.get(Self.pods)).body == "{\"kind\":")
        api.inject(ScriptedFault(.delay(.milliseconds(200)), verb: "list"))
        let start = ContinuousClock.now
        #expect(try await connection.exchange(Self.get(Self.pods)).status == 200)
        #expect(ContinuousClock.now - start >= .milliseconds(190))
        api.inject(ScriptedFault(.cutBody(afterBytes: 10), verb: "list"))
        let cut = try await connection.exchange(Self.get(Self.pods))
        #expect(!cut.isWhole && cut.body.utf8.count == 10)
        #expect(try await connection.closed().isReset)
        let other = try await RawConnection.connect(port: api.port)
        api.inject(ScriptedFault(.reset))
        try await other.send(Self.get(Self.pods))
        #expect(try await other.closed().bytes.isEmpty)
        let silent = try await RawConnection.connect(port: api.port)
        api.inject(ScriptedFault(.stallBody(afterBytes: 5), times: nil))
        try await silent.send(Self.get(Self.pods))
        try await silent.received.wait(for: "five bytes") { $0.text.hasSuffix("\r\n\r\n{\"kin") }
        api.clearFaults()
        let fourth = try await RawConnection.connect(port: api.port)
        let slow = ContinuousClock.now
        api.inject(ScriptedFault(.slowBody(bytesPerSecond: 400)))
        #expect(try await fourth.exchange(Self.get(Self.pods)).isWhole)
        #expect(ContinuousClock.now - slow >= .milliseconds(100))
        try await api.stop()
    }

    @Test("Disturbed watches: wrong lines, duplicates, stale bookmarks, an end in the middle of an event")
    func watchFaults() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        let connection = try await Self.watch(api)
        try api.apply(Self.pod("a"))
        #expect(api.disturb("pods", .duplicate) == 1)
        api.disturb(nil, .event("RENAMED", ["kind": "Pod", "metadata": ["name": 7]]))
        api.disturb("pods", .bookmark(version: 3))
        api.disturb("pods", .line("{\"type\":\"ADDED\",\"obj"))
        let received = try await connection.received.wait(for: "half a line") { $0.text.contains("\"obj\n") }
        #expect(Self.types(received) == ["ADDED", "ADDED", "RENAMED", "BOOKMARK"])
        #expect(Self.lines(received).last?[path: "object", "metadata", "resourceVersion"] == "3")
        api.disturb("pods", .cutNextEvent(afterBytes: 20))
        try api.apply(Self.pod("b"))
        let cut = try await connection.closed()
        #expect(cut.isReset && !cut.text.contains("\"name\":\"b\""))
        #expect(cut.text.hasSuffix("{\"type\":\"ADDED\",\"obj\r\n"))
        // A connection that stalls stays open, and what it is sent is lost.
        let stalled = try await Self.watch(api, "resourceVersion=\(api.version)")
        api.disturb("pods", .stall)
        try api.apply(Self.pod("c"))
        let whole = try await Self.watch(api, "resourceVersion=0&timeoutSeconds=1")
        #expect(try await whole.response().body.contains("\"name\":\"c\""))
        #expect(Self.types(stalled.received.value).isEmpty && !stalled.received.value.isClosed)
        api.disturb("pods", .error(410))
        try await api.stop()
    }

    @Test("A watch whose client does not read ends, and the others do not")
    func slowWatch() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        api.configure { $0.watchQueueLimit = 4 }
        let slow = try await RawConnection.connect(port: api.port, isReading: false, receiveBuffer: 4_096)
        try await slow.send(Self.get("\(Self.pods)?watch=1&resourceVersion=0&labelSelector=app%3Dx"))
        try await api.log.wait(for: "the watch") { $0.openWatches["pods"] == 1 }
        let other = try await Self.watch(api, "resourceVersion=0&labelSelector=app%3Dy")
        var big = Self.pod("big")
        big.set(.string(String(repeating: "x", count: 2_000_000)), at: ["metadata", "annotations", "text"])
        for index in 0..<8 {
            big.set(.int(Int64(index)), at: ["spec", "number"])
            try api.apply(big)
        }
        try await api.log.wait(for: "the end of the watch") { $0.openWatches["pods"] == 1 }
        try api.apply(Self.pod("small", app: "y"))
        try await other.received.wait(for: "an event") { Self.types($0) == ["ADDED"] }
        try await api.stop()
    }

    @Test("A restart keeps the port and the objects; a restored snapshot repeats versions")
    func restart() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        try api.apply(Self.pod("a"))
        api.takeSnapshot()
        let version = api.version
        try api.apply(Self.pod("b"))
        let connection = try await Self.watch(api)
        try await api.restart(losingHistory: true)
        _ = try await connection.closed()
        let next = try await RawConnection.connect(port: api.port)
        let late = try await next.exchange(Self.get("\(Self.pods)?watch=1&resourceVersion=\(version)"))
        #expect(late.body.contains("410"))
        try await api.restart(restoring: "snapshot")
        #expect(api.version == version && api.object("pods", name: "b") == nil)
        let again = try await RawConnection.connect(port: api.port)
        let list = try ScriptedJSON(try await again.exchange(Self.get(Self.pods)).body)
        #expect(list["items"]?.elements?.count == 1)
        #expect(list[path: "metadata", "resourceVersion"] == .string("\(version)"))
        try await api.stop()
    }

    @Test("A clock that is wrong, and a cache that lags behind")
    func wrongClock() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        api.configure { $0.clockSkew = .seconds(-86_400 * 365) }
        try api.apply(Self.pod("a"))
        api.configure { $0.clockSkew = .zero }
        try api.apply(Self.pod("b"))
        func year(_ name: String) -> String? {
            (api.object("pods", name: name)?[path: "metadata", "creationTimestamp"]?.text).map { String($0.prefix(4)) }
        }
        #expect(year("a").flatMap(Int.init).map { $0 + 1 } == year("b").flatMap(Int.init))
        let connection = try await RawConnection.connect(port: api.port)
        api.inject(ScriptedFault(.staleRead(versionsBehind: 1), verb: "list"))
        let stale = try ScriptedJSON(try await connection.exchange(Self.get(Self.pods + "?resourceVersion=0")).body)
        #expect(stale["items"]?.elements?.count == 1)
        let fresh = try ScriptedJSON(try await connection.exchange(Self.get(Self.pods + "?resourceVersion=0")).body)
        #expect(fresh["items"]?.elements?.count == 2)
        try await api.stop()
    }

    @Test("When its type goes, a watch ends and the paths lead nowhere")
    func removedType() async throws {
        let api = try await ScriptedKubernetesAPI.start()
        let type = ScriptedResourceType(group: "example.com", versions: ["v1"], plural: "widgets", kind: "Widget")
        api.register(type)
        try api.apply(["apiVersion": "example.com/v1", "kind": "Widget", "metadata": ["name": "w"]])
        let connection = try await RawConnection.connect(port: api.port)
        try await connection.send(Self.get("/apis/example.com/v1/widgets?watch=true"))
        try await api.log.wait(for: "the watch") { $0.openWatches["widgets"] == 1 }
        api.unregister("widgets", group: "example.com")
        let response = try await connection.response()
        #expect(response.isWhole)
        #expect(response.body.split(separator: "\n").count == 2 && response.body.contains("DELETED"))
        #expect(try await connection.exchange(Self.get("/apis/example.com/v1/widgets")).body == "404 page not found\n")
        try await api.stop()
    }
}
