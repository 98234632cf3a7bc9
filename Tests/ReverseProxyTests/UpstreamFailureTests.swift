import DataLayer
import GatewayCore
import GatewayTesting
import RequestControl
import Testing

@testable import ReverseProxy

/// Endpoints that refuse, break off, reset, answer nonsense or stay silent.
@Suite(.timeLimit(.minutes(2))) struct UpstreamFailureTests {
    private static let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"

    /// Whatever an endpoint does before the first byte of a body costs the client nothing.
    @Test(arguments: [
        ("closes", [ScriptedStep.close]),
        ("resets", [.reset]),
        ("closes in the head", [.send("HTTP/1.1 200 OK\r\ncontent-"), .close]),
        ("closes behind the head", [.send(head), .close]),
        ("resets behind the head", [.send(head), .reset]),
        ("speaks something else", [.send("220 mail ready\r\n"), .close]),
        ("answers 503", [.send("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy")]),
    ])
    func beforeTheFirstByteTheRequestGoesElsewhere(name: String, steps: [ScriptedStep]) async throws {
        let broken = try await ScriptedServer.start { _ in steps }
        let healthy = try await ScriptedServer.echo()
        try await withProxy(to: [broken.port, healthy.port]) { proxy in
            let response = try await proxy.once(post("/x", body: "abc"))
            #expect(response.status == 200 && response.body == "/x", "\(name)")
            #expect(try await broken.request().body == "abc")
            #expect(try await healthy.request().body == "abc")
            #expect(proxy.gateway.metric("proxy_upstream_retries_total") == 1)
        }
        try await broken.stop()
        try await healthy.stop()
    }

    @Test func nobodyListens() async throws {
        let refused = try await ScriptedServer.refusedPort()
        let healthy = try await ScriptedServer.echo()
        try await withProxy(to: [refused, healthy.port]) { proxy in
            let response = try await proxy.once(get("/x"))
            #expect(response.body == "/x")
            #expect(proxy.gateway.metric("proxy_upstream_errors_total", ["reason": "connect-failure"]) == 1)
        }
        try await withProxy(to: [refused]) { proxy in
            let response = try await proxy.once(get("/x"))
            #expect(response.status == 503)
            #expect(response.first("x-llm-d-request-dropped-reason") == "upstream-failed")
            #expect(response.first("retry-after") == "1")
        }
        try await healthy.stop()
    }

    @Test func theLast503IsRelayed() async throws {
        let busy = try await ScriptedServer.start { _ in [.send("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy")] }
        try await withProxy(to: [busy.port]) { proxy in
            let client = try await proxy.connect()
            for _ in 0..<2 {
                let response = try await client.exchange(get("/x"))
                #expect(response.status == 503 && response.body == "busy")
            }
            try await client.close()
        }
        try await busy.stop()
    }

    /// An endpoint closes connections that it has not heard of for a while, just when the next request is sent on one.
    @Test func aStaleConnectionIsReplacedByANewOne() async throws {
        let gate = ScriptedGate()
        let endpoint = try await ScriptedServer.start { request in
            request.position == 0
                ? [.wait(gate), .send(ScriptedServer.response(body: "\(request.connection)"))] : [.reset]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            // Two requests at once leave two idle connections behind: a retry must not take the second for the first.
            let clients = [try await proxy.connect(), try await proxy.connect()]
            for client in clients { try await client.send(get("/1")) }
            _ = try await endpoint.request(2)
            gate.open()
            for client in clients { #expect(try await client.response().status == 200) }
            for round in 2...6 {
                #expect(try await clients[0].exchange(get("/2")).body == "\(round)")
            }
            #expect(proxy.gateway.store.current.outages.isEmpty)
            #expect(proxy.gateway.attempts.ended.count { $0.outcome == .staleConnection } == 5)
            for client in clients { try await client.close() }
        }
        try await endpoint.stop()
    }

    @Test(arguments: ["content-length: 10\r\n", "transfer-encoding: chunked\r\n", ""])
    func inTheMiddleTheClientSeesABrokenResponse(framing: String) async throws {
        let start = framing.hasPrefix("t") ? "5\r\nhello\r\n" : "hello"
        for end in [ScriptedStep.close, .reset] {
            // A response without a length is whole when its connection closes in good order.
            if framing.isEmpty, case .close = end { continue }
            let gate = ScriptedGate()
            let endpoint = try await ScriptedServer.start { _ in
                [.send("HTTP/1.1 200 OK\r\n\(framing)\r\n\(start)"), .wait(gate), end]
            }
            try await withProxy(to: [endpoint.port]) { proxy in
                for version in ["1.1", "1.0"] {
                    let client = try await proxy.connect()
                    try await client.send(get("/x", version: version))
                    try await client.received.wait(for: "the start of the body") { $0.text.contains("hello") }
                    gate.open()
                    let state = try await client.closed()
                    let response = RawResponse.take(from: state.bytes, isEnd: true)?.response
                    #expect(response?.isWhole == false || state.isReset, "\(version) \(framing)")
                }
                #expect(proxy.gateway.attempts.ended.allSatisfy { $0.outcome == .resetMidResponse })
                #expect(proxy.gateway.metric("proxy_upstream_retries_total") == 0)
            }
            try await endpoint.stop()
        }
    }

    @Test func bytesBehindAResponseAreNeverTheNextResponse() async throws {
        let poison = ScriptedServer.response(body: "poison")
        let endpoint = try await ScriptedServer.start { request in
            [.send(ScriptedServer.response(body: request.line) + poison)]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            try await client.send(get("/1") + get("/2") + get("/3"))
            for path in ["/1", "/2", "/3"] { #expect(try await client.response().body == "GET \(path) HTTP/1.1") }
            #expect(try await client.exchange(get("/4")).body == "GET /4 HTTP/1.1")
            #expect(endpoint.log.value.accepted == 4)
            #expect(proxy.gateway.metric("proxy_upstream_retries_total") == 0)
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func informationalResponsesAreNotTheResponse() async throws {
        let endpoint = try await ScriptedServer.start { _ in
            [
                .send(
                    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
                        + ScriptedServer.response(body: "x"))
            ]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let response = try await proxy.once(get("/x"))
            #expect(response.body == "x")
        }
        try await endpoint.stop()
    }

    @Test func aClientThatLeavesEndsTheAttemptAtOnce() async throws {
        let silent = try await ScriptedServer.start { _ in [] }
        let streaming = try await ScriptedServer.start { _ in
            [.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")]
        }
        for (endpoint, isStreaming) in [(silent, false), (streaming, true)] {
            try await withProxy(to: [endpoint.port]) { proxy in
                let client = try await proxy.connect()
                try await client.send(get("/x"))
                _ = try await endpoint.request()
                if isStreaming { try await client.received.wait(for: "an event") { $0.text.contains("data: 1") } }
                try await client.reset()
                try await endpoint.log.wait(for: "the end of the attempt") { $0.closed == 1 }
                #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.clientDisconnected])
                #expect(proxy.gateway.metric("proxy_client_disconnects_total") == 1)
            }
            try await endpoint.stop()
        }
    }

    @Test(arguments: [true, false])
    func anEndpointThatDoesNotAnswerInTime(ofTheWholeRequest: Bool) async throws {
        let endpoint = try await ScriptedServer.start { _ in [] }
        try await withProxy(
            to: [endpoint.port],
            rule: { rule in
                if ofTheWholeRequest {
                    rule.requestTimeout = .milliseconds(50)
                } else {
                    rule.backendTimeout = .milliseconds(50)
                }
            }
        ) { proxy in
            let client = try await proxy.connect()
            for _ in 0..<2 {
                let response = try await client.exchange(get("/x"))
                #expect(response.status == 504)
                #expect(response.first("x-llm-d-request-dropped-reason") == "upstream-timeout")
            }
            try await endpoint.log.wait(for: "the end of both attempts") { $0.closed == 2 }
            #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.timedOut, .timedOut])
            try await client.close()
        }
        try await endpoint.stop()
    }
}
