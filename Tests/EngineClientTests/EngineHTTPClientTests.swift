import EngineClient
import GatewayCore
import NIOCore
import NIOPosix
import Testing

/// A client on the shared event loops while `body` runs.
func withClient(
    _ configuration: EngineHTTPClientConfiguration = EngineHTTPClientConfiguration(),
    _ body: (EngineHTTPClient, any EventLoopGroup) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let client = try EngineHTTPClient(group: group, configuration: configuration)
    do {
        try await body(client, group)
    } catch {
        await client.shutdown()
        throw error
    }
    await client.shutdown()
}

extension EngineHTTPClient {
    func get(
        _ address: EndpointAddress,
        path: String = "/metrics",
        timeout: Duration = .seconds(20),
        maxResponseBytes: Int = 1 << 20
    ) async throws -> (status: Int, text: String) {
        let response = try await get(
            OutboundRequest(address: address, path: path, timeout: timeout, maxResponseBytes: maxResponseBytes)
        )
        let text = response.body.withBytes { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
        #expect(response.body.count == text.utf8.count)
        return (response.status, text)
    }
}

/// Checks that `get` gives this status and text.
func expectAnswer(
    _ expected: (Int, String),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ get: () async throws -> (status: Int, text: String)
) async {
    do {
        let answer = try await get()
        #expect(answer == expected, sourceLocation: sourceLocation)
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
}

@Suite struct EngineHTTPClientTests {
    private static let hello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

    @Test func asksOnAConnectionThatStaysOpen() async throws {
        try await withClient { client, group in
            let reply: @Sendable (Int) -> ScriptedServer.Reply = {
                .send("HTTP/1.1 21\($0) OK\r\ncontent-length: 1\r\n\r\n\($0)")
            }
            try await ScriptedServer.run(on: group, reply: reply) { server in
                for number in 0..<5 {
                    let answer = try await client.get(server.address(), path: "/metrics?n=\(number)")
                    #expect(answer == (210 + number, "\(number)"))
                }
                #expect(server.record.connections == 1)
                #expect(client.openConnections == 1 && client.idleConnections == 1)
                let request = server.record.requests[3]
                #expect(request.hasPrefix("GET /metrics?n=3 HTTP/1.1\r\n"))
                #expect(request.contains("host: 127.0.0.1:\(server.port)\r\n"))
            }
        }
    }

    @Test func keepsAtMostTwoIdleConnectionsPerAddress() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                let address = server.address()
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<20 {
                        tasks.addTask { await expectAnswer((200, "hello")) { try await client.get(address) } }
                    }
                    try await tasks.waitForAll()
                }
                #expect(client.idleConnections <= 2 && client.idleConnections >= 1)
            }
        }
    }

    @Test func asksAgainWhenTheServerClosedTheIdleConnection() async throws {
        try await withClient { client, group in
            // The second request is answered by closing its connection.
            let reply: @Sendable (Int) -> ScriptedServer.Reply = { $0 == 1 ? .sendAndClose("") : .send(Self.hello) }
            try await ScriptedServer.run(on: group, reply: reply) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
                #expect(server.record.connections == 2 && server.record.requests.count == 3)
            }
        }
    }

    @Test func doesNotAskAgainOnANewConnection() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .sendAndClose("") }) { server in
                let failure = await #expect(throws: OutboundFailure.self) { try await client.get(server.address()) }
                #expect(failure == .badResponse("the connection was closed before the response"))
                #expect(server.record.requests.count == 1)
            }
        }
    }

    @Test func idleConnectionsEndQuietlyWithTheirServer() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                _ = try await client.get(server.address())
                try await server.closeConnections()
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
                #expect(server.record.connections == 2)
            }
        }
    }

    @Test func closesIdleConnectionsAfterTheirTime() async throws {
        var configuration = EngineHTTPClientConfiguration()
        configuration.idleTimeout = .milliseconds(20)
        try await withClient(configuration) { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                _ = try await client.get(server.address())
                try await server.waitUntilUnconnected()
                #expect(server.record.connections == 1)
            }
        }
    }

    @Test func followsTheServersWishToClose() async throws {
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(reply) }) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
                try await server.waitUntilUnconnected()
                #expect(client.idleConnections == 0)
            }
        }
    }

    @Test(arguments: [
        ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "1\r\n \r\n5\r\nworld\r\n0\r\n\r\n"],
        ["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 11\r\n\r\nhel", "lo wor", "ld"],
        ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world"],
    ])
    func collectsBodiesInPieces(pieces: [String]) async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .sendPieces(pieces) }) { server in
                for _ in 0..<3 { await expectAnswer((200, "hello world")) { try await client.get(server.address()) } }
                #expect(server.record.connections == 1)
            }
        }
    }

    @Test func aBodyMayEndWithTheConnection() async throws {
        try await withClient { client, group in
            let reply = "HTTP/1.0 200 OK\r\n\r\nhello"
            try await ScriptedServer.run(on: group, reply: { _ in .sendAndClose(reply) }) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
            }
        }
    }

    @Test func emptyBodiesAreAnswers() async throws {
        try await withClient { client, group in
            let reply = "HTTP/1.1 204 No Content\r\n\r\n"
            try await ScriptedServer.run(on: group, reply: { _ in .send(reply) }) { server in
                await expectAnswer((204, "")) { try await client.get(server.address()) }
            }
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + String(repeating: "x", count: 101),
    ])
    func bodiesOverTheLimitAreRefusedAtOnce(reply: String) async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(reply) }) { server in
                let failure = await #expect(throws: OutboundFailure.self) {
                    try await client.get(server.address(), maxResponseBytes: 100)
                }
                #expect(failure == .overLimit("the body has 101 bytes or more, over the limit of 100"))
                try await server.waitUntilUnconnected()
            }
        }
    }

    static let garbage = [
        "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc OK\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: " + String(repeating: "y", count: 200_000) + "\r\n\r\n",
    ]

    @Test(arguments: garbage.indices)
    func garbageIsABadResponse(index: Int) async throws {
        let reply = Self.garbage[index]
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(reply) }) { server in
                let failure = await #expect(throws: OutboundFailure.self) { try await client.get(server.address()) }
                guard case .badResponse = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
                try await server.waitUntilUnconnected()
            }
        }
    }

    @Test func aResponseThatBreaksOffIsABadResponse() async throws {
        try await withClient { client, group in
            let reply = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"
            try await ScriptedServer.run(on: group, reply: { _ in .sendAndClose(reply) }) { server in
                let failure = await #expect(throws: OutboundFailure.self) { try await client.get(server.address()) }
                guard case .badResponse = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
                #expect(server.record.requests.count == 1)
            }
        }
    }

    @Test func bytesThatNobodyAskedForEndAnIdleConnection() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello + Self.hello) }) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
                try await server.waitUntilUnconnected()
                #expect(client.idleConnections == 0)
            }
        }
    }
}
