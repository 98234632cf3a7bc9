import GatewayCore
import GatewayTesting
import NIOCore
import NIOHTTP1
import RequestControl
import Testing

@testable import ReverseProxy

/// How a response is framed into which the client's name of a model is put.
@Suite(.timeLimit(.minutes(2))) struct ModelRestoringTests {
    private static let rules = [
        ModelRewriteRule(rewrite: "r", models: ["chat"], targets: [ModelRewriteRule.Target(model: "target")])
    ]
    private static let answer = #"{"model":"target"}"#
    private static let restored = #"{"model":"chat"}"#
    private static let completion = #"{"model":"chat","prompt":"hello"}"#

    private func withAnswer(
        _ headers: String = "content-type: application/json\r\n",
        body: String = answer,
        _ test: (ProxyFixture) async throws -> Void
    ) async throws {
        let endpoint = try await ScriptedServer.start { _ in
            [.send(ScriptedServer.response(headers: headers, body: body))]
        }
        try await withProxy(to: [endpoint.port], rewrites: Self.rules, test)
        try await endpoint.stop()
    }

    private func post(version: String = "1.1", _ body: String = completion) -> String {
        "POST /v1/completions HTTP/\(version)\r\nhost: localhost\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    @Test func aClientOfHTTP11GetsChunks() async throws {
        try await withAnswer { proxy in
            let connection = try await proxy.connect()
            for _ in 0..<2 {
                let response = try await connection.exchange(post())
                #expect(response.body == Self.restored && response.isWhole)
                #expect(response.first("content-length") == nil && response.first("transfer-encoding") == "chunked")
            }
            let direct = try await connection.exchange(post(#"{"model":"target","prompt":"x"}"#))
            #expect(direct.body == Self.answer && direct.first("content-length") == "\(Self.answer.utf8.count)")
            try await connection.close()
        }
    }

    @Test func aClientOfHTTP10GetsAllUntilTheClose() async throws {
        try await withAnswer { proxy in
            let response = try await proxy.once(post(version: "1.0"))
            #expect(response.body == Self.restored && response.isWhole)
            #expect(response.first("content-length") == nil && response.first("connection") == "close")
        }
    }

    @Test func aClientOfHTTP2GetsNoLength() async throws {
        try await withAnswer { proxy in
            let client = try await HTTP2Client.connect(port: proxy.port)
            let response = try await client.send(.POST, "/v1/completions", body: Self.completion).ended()
            #expect(response.body == Self.restored && response.isWhole && response.headers["content-length"] == nil)
            let direct = try await client.send(.POST, "/v1/completions", body: #"{"model":"target","prompt":"x"}"#)
                .ended()
            #expect(direct.body == Self.answer && direct.headers["content-length"] == "\(Self.answer.utf8.count)")
            try await client.channel.close()
        }
    }

    @Test(arguments: ["content-type: application/json\r\ncontent-encoding: br\r\n", "content-type: text/plain\r\n", ""])
    func whatIsNotReadKeepsItsLength(headers: String) async throws {
        try await withAnswer(headers) { proxy in
            let response = try await proxy.once(post())
            #expect(response.body == Self.answer && response.first("content-length") == "\(Self.answer.utf8.count)")
        }
    }

    @Test func aBodyThatEndsInsideTheNameIsWhole() async throws {
        for body in [#"{"model":"tar"#, #"{"model":""#, ""] {
            try await withAnswer(body: body) { proxy in
                let response = try await proxy.once(post())
                #expect(response.body == body && response.isWhole)
            }
        }
    }
}
