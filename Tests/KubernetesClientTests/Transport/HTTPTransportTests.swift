import GatewayTesting
import KubernetesClient
import NIOCore
import Testing

@Suite("Requests to an API server", .timeLimit(.minutes(1)))
struct HTTPTransportTests {
    @Test("A request says where it goes, who asks and what is wanted")
    func request() async throws {
        let server = try await ScriptedServer.start { _ in [.send(answer("201 Created", "made"))] }
        var whom = Impersonation(user: "someone")
        whom.uid = "7"
        whom.groups = ["a", "b"]
        whom.extra = ["x/y": ["1"]]
        let configuration = ClusterConfiguration.plain(
            port: server.port, path: "/prefix",
            credentials: ClientCredentials(authorization: .token("abc"), impersonation: whom))
        try await withTransport(configuration) { transport in
            var request = APIRequest(.patch, "/api/v1/pods")
            request.query = [("labelSelector", "a in (b,c),d=é&f"), ("watch", "1"), ("empty", "")]
            request.contentType = "application/apply-patch+yaml"
            request.body = Array("{}".utf8)
            let response = try await transport.send(request)
            #expect(response.status == 201)
            #expect(response.retryAfter == nil)
            #expect(try await response.text() == "made")
        }
        let seen = try #require(server.log.value.requests.first)
        #expect(
            seen.line
                == "PATCH /prefix/api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29%2Cd%3D%C3%A9%26f&watch=1&empty="
                + " HTTP/1.1"
        )
        #expect(seen.body == "{}")
        #expect(seen.values("Host") == ["127.0.0.1:\(server.port)"])
        #expect(seen.values("User-Agent") == ["martlet/test"])
        #expect(seen.values("Accept") == ["application/json"])
        #expect(seen.values("Content-Type") == ["application/apply-patch+yaml"])
        #expect(seen.values("Authorization") == ["Bearer abc"])
        #expect(seen.values("Impersonate-User") == ["someone"])
        #expect(seen.values("Impersonate-Uid") == ["7"])
        #expect(seen.values("Impersonate-Group") == ["a", "b"])
        #expect(seen.values("Impersonate-Extra-x%2Fy") == ["1"])
        try await server.stop()
    }

    @Test("A password is shown by Basic")
    func basic() async throws {
        let server = try await ScriptedServer.start { _ in [.send(answer())] }
        let credentials = ClientCredentials(authorization: .basic(user: "a", password: "b:c"))
        try await withTransport(.plain(port: server.port, credentials: credentials)) { transport in
            _ = try await transport.text()
        }
        #expect(server.log.value.requests.first?.values("Authorization") == ["Basic YTpiOmM="])
        try await server.stop()
    }

    @Test("A connection is used again")
    func reuse() async throws {
        let server = try await ScriptedServer.start { _ in [.send(answer("200 OK", "x"))] }
        try await withTransport(.plain(port: server.port)) { transport in
            for _ in 0..<5 { try await transport.expect("200 x") }
        }
        #expect(server.log.value.accepted == 1)
        #expect(server.log.value.requests.count == 5)
        try await server.stop()
    }

    @Test("A connection that the server closed meanwhile fails no request")
    func closedMeanwhile() async throws {
        let server = try await ScriptedServer.start { _ in [.send(answer("200 OK", "x")), .close] }
        try await withTransport(.plain(port: server.port)) { transport in
            for count in 1...3 {
                try await transport.expect("200 x")
                try await server.log.wait(for: "the connection's end") { $0.closed == count }
            }
        }
        try await server.stop()
    }

    @Test("A read that is lost on a connection that ends is sent again; a write is not", arguments: [false, true])
    func lostOnTheWay(isReset: Bool) async throws {
        let server = try await ScriptedServer.start { request in
            if request.position == 0 { return [.send(answer("200 OK", "\(request.connection)"))] }
            return [isReset ? .reset : .close]
        }
        try await withTransport(.plain(port: server.port)) { transport in
            try await transport.expect("200 0")
            try await transport.expect("200 1")
            var write = APIRequest(.post, "/")
            write.body = [1]
            let error = await #expect(throws: APIError.self) { _ = try await transport.send(write) }
            #expect(error.map(unreachable)?.contains("http://127.0.0.1:\(server.port) (test)") == true)
        }
        #expect(server.log.value.requests.map(\.line).filter { $0.hasPrefix("POST") }.count == 1)
        try await server.stop()
    }

    @Test("Redirects are not followed")
    func redirect() async throws {
        let other = try await ScriptedServer.start { _ in [.send(answer())] }
        let server = try await ScriptedServer.start { _ in
            [.send(answer("307 Temporary Redirect", fields: "location: http://127.0.0.1:\(other.port)/\r\n"))]
        }
        let credentials = ClientCredentials(authorization: .token("secret"))
        try await withTransport(.plain(port: server.port, credentials: credentials)) { transport in
            try await transport.expect("307 ")
        }
        #expect(other.log.value.accepted == 0)
        try await server.stop()
        try await other.stop()
    }

    @Test(
        "Retry-After says when to come back",
        arguments: [
            ("retry-after: 7\r\n", Duration.seconds(7)),
            ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n", .seconds(30)),
            ("retry-after: soon\r\n", nil),
        ])
    func retryAfter(fields: String, expected: Duration?) async throws {
        let server = try await ScriptedServer.start { _ in
            [.send(answer("429 Too Many Requests", fields: fields))]
        }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(APIRequest(.get, "/"))
            #expect(response.status == 429)
            #expect(response.retryAfter == expected)
        }
        try await server.stop()
    }

    @Test("A port where nobody listens")
    func refused() async throws {
        let port = try await ScriptedServer.refusedPort()
        try await withTransport(.plain(port: port)) { transport in
            let error = await #expect(throws: APIError.self) { _ = try await transport.text() }
            let text = error.map(unreachable) ?? ""
            #expect(text.contains("http://127.0.0.1:\(port) (test) cannot be reached"), "\(text)")
            #expect(text.lowercased().contains("refused"), "\(text)")
        }
    }

    @Test("After the shutdown requests fail, and a running answer ends")
    func shutdown() async throws {
        let server = try await ScriptedServer.start { _ in
            [.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")]
        }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(APIRequest(.get, "/"))
            await transport.shutdown()
            await #expect(throws: APIError.self) { _ = try await response.text() }
            await #expect(throws: APIError.self) { _ = try await transport.text() }
        }
        try await server.stop()
    }

    @Test("Many lasting answers do not keep an ordinary request waiting")
    func manyWatches() async throws {
        let server = try await ScriptedServer.start { request in
            if request.line.contains("watch") {
                return [.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")]
            }
            return [.send(answer("200 OK", "x"))]
        }
        try await withTransport(.plain(port: server.port)) { transport in
            var watches: [APIResponse] = []
            for _ in 0..<40 { watches.append(try await transport.send(APIRequest(.get, "/watch"))) }
            try await transport.expect("200 x")
            #expect(watches.count == 40)
        }
        try await server.stop()
    }
}
