import GatewayCore
import GatewayTesting
import Testing

@testable import ReverseProxy

/// Clients that break the rules are told so, and what they send behind the fault is never taken for a request.
@Suite(.timeLimit(.minutes(2))) struct FaultyClientTests {
    /// Behind each of these stands a request that must not be served.
    @Test(arguments: [
        (
            "both lengths",
            "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400
        ),
        ("two lengths", "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd", 400),
        ("negative length", "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n", 400),
        ("huge length", "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 99999999999999999999\r\n\r\n", 400),
        ("other coding", "POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        ("broken chunk size", "POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        ("broken chunk end", "POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n", 400),
        ("no host", "GET /x HTTP/1.1\r\n\r\n", 400),
        ("two hosts", "GET /x HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("space in the name", "GET /x HTTP/1.1\r\nhost : a\r\n\r\n", 400),
        ("folded field", "GET /x HTTP/1.1\r\nhost: a\r\n folded\r\n\r\n", 400),
        ("another version", "GET /x HTTP/2.0\r\nhost: a\r\n\r\n", 400),
        ("no HTTP at all", "\u{16}\u{3}\u{1}hello\r\n\r\n", 400),
        ("a method that asks for a tunnel", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", 405),
    ])
    func faults(name: String, bytes: String, status: Int) async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            try await client.send(bytes + get("/smuggled"))
            let response = try await client.response()
            #expect(response.status == status)
            #expect(response.first("connection") == "close")
            #expect(response.body.contains(#""error""#))
            #expect(try await client.closed().bytes.isEmpty, "\(name)")
            try await client.close()
            #expect(endpoint.log.value.requests.isEmpty)
        }
        try await endpoint.stop()
    }

    @Test func aModelsNameCannotSmuggleAHeader() async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let body = #"{"model":"a\r\nx-evil: 1\r\n\r\nGET /smuggled HTTP/1.1","prompt":"x"}"#
            let response = try await proxy.once(post("/v1/completions", body: body))
            #expect(response.status == 400)
            #expect(endpoint.log.value.accepted == 0)
        }
        try await endpoint.stop()
    }

    @Test func headersOverTheLimit() async throws {
        var limits = GatewayLimits()
        limits.maxHeaderBytes = 4096
        limits.maxHeaderFields = 20
        try await withProxy(to: [], limits: limits) { proxy in
            let long = get("/x", headers: "x-long: \(String(repeating: "a", count: 5000))\r\n")
            let many = get("/x", headers: (0..<30).map { "x-\($0): 1\r\n" }.joined())
            let spread = get(
                "/x", headers: (0..<15).map { "x-\($0): \(String(repeating: "a", count: 400))\r\n" }.joined())
            for request in [long, many, spread] {
                let response = try await proxy.once(request)
                #expect(response.status == 431)
                #expect(response.first("connection") == "close")
            }
        }
    }

    /// The client goes on sending while the refusal is on its way: a connection that were closed at once would be reset
    /// by those bytes, and the reset would destroy the refusal.
    @Test(arguments: [true, false])
    func aBodyOverTheLimitIsRefusedWhileItIsSent(isAnnounced: Bool) async throws {
        var limits = GatewayLimits()
        limits.maxBodyBytes = 100_000
        try await withProxy(to: [], limits: limits) { proxy in
            let client = try await proxy.connect()
            let framing = isAnnounced ? "content-length: 2000000" : "transfer-encoding: chunked"
            try await client.send("POST /v1/completions HTTP/1.1\r\nhost: h\r\n\(framing)\r\n\r\n")
            let block = String(repeating: "a", count: 50_000)
            for _ in 0..<30 { try await client.send(isAnnounced ? block : "c350\r\n\(block)\r\n") }
            let response = try await client.response()
            #expect(response.status == 413)
            #expect(response.body.contains("100000 bytes"))
            let state = try await client.closed()
            #expect(!state.isReset && state.bytes.isEmpty)
            try await client.close()
        }
    }

    @Test func aClientThatSendsOnForEverIsCutOff() async throws {
        var limits = GatewayLimits()
        limits.maxBodyBytes = 10
        try await withProxy(to: [], limits: limits, configure: { $0.lingerTimeout = .milliseconds(50) }) { proxy in
            let client = try await proxy.connect()
            try await client.send("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 2000000\r\n\r\n")
            #expect(try await client.response().status == 413)
            await #expect(throws: (any Error).self) {
                while true { try await client.send(String(repeating: "a", count: 100_000)) }
            }
        }
    }
}
