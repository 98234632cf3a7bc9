import NIOCore
import Testing

@testable import KubernetesClient

@Suite("Requests to an API server")
struct APIClientTests {
    private static let name = ObjectName(namespace: "ns", name: "a")
    private static let path = "/apis/tests.example/v1/namespaces/ns/gadgets"

    private struct Body: Encodable {
        var a = 1
    }

    /// A client whose server answers everything alike.
    private func client(_ response: APIResponse) -> (APIClient, MemoryTransport) {
        let transport = MemoryTransport { _ in response }
        return (APIClient(transport: transport), transport)
    }

    @Test("An object is read")
    func get() async throws {
        let (client, transport) = client(.memory(200, [Gadget.json("a", version: 3, size: "8")]))
        let gadget = try await client.get(Gadget.resource, Self.name, as: Gadget.self)
        #expect(gadget.spec.size == 8)
        #expect(gadget.metadata.resourceVersion == "3")
        #expect(transport.sent.map { "\($0.method.rawValue) \($0.path)" } == ["GET \(Self.path)/a"])
    }

    @Test("An answer that is no such object says where")
    func getMalformed() async {
        let (client, _) = client(.memory(200, [Gadget.json("a", version: 3, size: "{}")]))
        let error = await #expect(throws: APIError.self) {
            try await client.get(Gadget.resource, Self.name, as: Gadget.self)
        }
        #expect(
            error
                == .malformed(
                    "the answer to GET \(Self.path)/a: spec.size is not a number: Expected to decode Int but "
                        + "found a dictionary instead."))
    }

    @Test("Statuses are told in the server's words")
    func statuses() async {
        let denied = Gadget.status(403, "Forbidden", "gadgets is forbidden: User \\\"x\\\" cannot get")
        let asked = "(GET \(Self.path)/a: status"
        let cases: [(APIResponse, APIError)] = [
            (.memory(403, [denied]), .forbidden("gadgets is forbidden: User \"x\" cannot get \(asked) 403)")),
            (.memory(401, [Gadget.status(401, "Unauthorized", "no")]), .unauthenticated("no \(asked) 401)")),
            (.memory(404, ["404 page not found\n"]), .notFound("404 page not found \(asked) 404)")),
            (.memory(409, []), .conflict("GET \(Self.path)/a: status 409")),
            (.memory(410, [Gadget.status(410, "Expired", "old")]), .expired("old \(asked) 410)")),
            (
                .memory(429, [], retryAfter: .seconds(3)),
                .busy("GET \(Self.path)/a: status 429", retryAfter: .seconds(3))
            ),
            (
                .memory(503, [Gadget.status(503, "x", "busy", details: #"{"retryAfterSeconds":2}"#)]),
                .busy("busy \(asked) 503)", retryAfter: .seconds(2))
            ),
            (.memory(500, ["oops"], end: .broken("cut")), .refused(status: 500, "GET \(Self.path)/a: status 500")),
            (.memory(302, []), .refused(status: 302, "GET \(Self.path)/a: status 302")),
            (
                .memory(418, ["<p>\u{1B}[31m" + String(repeating: "x", count: 100_000)]),
                .refused(status: 418, "GET \(Self.path)/a: status 418")
            ),
        ]
        for (response, expected) in cases {
            let (client, _) = client(response)
            let error = await #expect(throws: APIError.self) {
                try await client.get(Gadget.resource, Self.name, as: Gadget.self)
            }
            #expect(error == expected)
        }
    }

    @Test("A broken answer and a broken transport are no connection")
    func unreachable() async {
        let (broken, _) = client(.memory(200, [#"{"metadata""#], end: .broken("reset")))
        let first = await #expect(throws: APIError.self) {
            try await broken.get(Gadget.resource, Self.name, as: Gadget.self)
        }
        #expect(first == .unreachable("reset"))
        let refused = APIClient(
            transport: MemoryTransport { _ throws(APIError) in throw .unreachable("connection refused") })
        let second = await #expect(throws: APIError.self) { try await refused.list(Gadget.query, as: Gadget.self) }
        #expect(second == .unreachable("connection refused"))
    }

    @Test("A list asks for a page of the most recent state")
    func list() async throws {
        let (client, transport) = client(.memory(200, [Gadget.list([Gadget.json("a", version: 1)], version: "2")]))
        var query = Gadget.query
        query.labelSelector = "app=a b"
        query.fieldSelector = "metadata.name=a"
        let page = try await client.list(
            query, as: Gadget.self, page: ListPageRequest(limit: 7, continuation: "token"))
        #expect(page.objects.count == 1)
        #expect(
            transport.sent[0].parameters == [
                "labelSelector": "app=a b", "fieldSelector": "metadata.name=a", "limit": "7", "continue": "token",
            ])
    }

    @Test("A watch asks for bookmarks and an end, and tells events")
    func watch() async throws {
        let lines = Gadget.event("ADDED", Gadget.json("a", version: 6)) + Gadget.bookmark(9)
        let (client, transport) = client(.memory(200, [lines]))
        let events = try await client.watch(
            Gadget.query, as: Gadget.self, from: "5", timeout: .milliseconds(7900), idleLimit: .seconds(70))
        var count = 0
        for try await _ in events { count += 1 }
        #expect(count == 2)
        #expect(
            transport.sent[0].parameters == [
                "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "5", "timeoutSeconds": "7",
            ])
        #expect(transport.sent[0].idleTimeout == .seconds(70))
        #expect(transport.sent[0].path == Self.path)
    }

    @Test("Writes")
    func writes() async throws {
        let (client, transport) = client(.memory(201, [Gadget.json("a", version: 4)]))
        let made = try await client.create(Gadget.resource, namespace: "ns", body: Body())
        #expect(made.metadata.resourceVersion == "4")
        try await client.replace(Gadget.resource, Self.name, subresource: "status", body: Body())
        try await client.mergePatch(Gadget.resource, Self.name, body: Body())
        try await client.delete(Gadget.resource, Self.name)
        try await client.delete(Gadget.resource, Self.name, uid: "u1")
        try await client.apply(
            Gadget.resource, Self.name, subresource: "status", body: Body(), fieldManager: "m", force: true)
        let sent = transport.sent
        #expect(
            sent.map {
                "\($0.method.rawValue) \($0.path.dropFirst(Self.path.count)) \($0.contentType ?? "-") \($0.text)"
            }
                == [
                    #"POST  application/json {"a":1}"#,
                    #"PUT /a/status application/json {"a":1}"#,
                    #"PATCH /a application/merge-patch+json {"a":1}"#,
                    "DELETE /a - ",
                    sent[4].text.isEmpty ? "" : "DELETE /a application/json \(sent[4].text)",
                    #"PATCH /a/status application/apply-patch+yaml {"a":1}"#,
                ])
        #expect(sent[4].text.contains(#""preconditions":{"uid":"u1"}"#))
        #expect(sent[5].parameters == ["fieldManager": "m", "force": "true"])
    }
}
