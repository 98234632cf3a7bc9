import GatewayCore
import GatewayTesting
import RequestControl
import Testing

@testable import ReverseProxy

/// What a client of HTTP/1.x sees on its connection.
@Suite(.timeLimit(.minutes(2))) struct ClientConnectionTests {
    @Test func aConnectionServesManyRequestsOverOneUpstreamConnection() async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            for index in 0..<5 {
                let response = try await client.exchange(get("/\(index)"))
                #expect(response.status == 200 && response.body == "/\(index)")
                #expect(response.first("connection") == nil)
            }
            #expect(endpoint.log.value.accepted == 1)
            #expect(proxy.gateway.metric("proxy_connections_total", ["side": "upstream"]) == 1)
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let gate = ScriptedGate()
        let endpoint = try await ScriptedServer.start { request in
            let answer = ScriptedStep.send(ScriptedServer.response(body: request.line))
            return request.line.contains("/1 ") ? [.wait(gate), answer] : [answer]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            try await client.send(get("/1") + post("/2", body: "abc") + get("/3"))
            _ = try await endpoint.request(1)
            #expect(endpoint.log.value.requests.count == 1)
            gate.open()
            for line in ["GET /1 HTTP/1.1", "POST /2 HTTP/1.1", "GET /3 HTTP/1.1"] {
                #expect(try await client.response().body == line)
            }
            #expect(try await endpoint.request(2).body == "abc")
            try await client.close()
        }
        try await endpoint.stop()
    }

    /// Each of these is answered inside the read that brought it; were each one handled inside the one before, the
    /// stack would not be deep enough.
    @Test func manyPipelinedRefusalsDoNotRecurse() async throws {
        try await withProxy(to: []) { proxy in
            let client = try await proxy.connect()
            let count = 8_000
            try await client.send(get("/x"))
            let first = try await client.received.wait(for: "a response") {
                RawResponse.take(from: $0.bytes, isEnd: false) != nil
            }
            #expect(first.text.hasPrefix("HTTP/1.1 503 "))
            try await client.send(String(repeating: get("/x"), count: count - 1))
            let all = try await client.received.wait(for: "all responses", timeout: .seconds(60)) { state in
                state.bytes.count >= count * first.bytes.count
            }
            #expect(all.bytes.count == count * first.bytes.count)
            try await client.close()
        }
    }

    @Test func aClientThatExpectsAContinueGetsIt() async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            try await client.send("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
            let interim = try await client.response()
            #expect(interim.status == 100 && interim.fields.isEmpty)
            #expect(try await client.exchange("abc").body == "/x")
            let request = try await endpoint.request()
            #expect(request.body == "abc" && request.values("expect").isEmpty)
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func aRefusalTakesThePlaceOfAContinue() async throws {
        var limits = GatewayLimits()
        limits.maxBodyBytes = 10
        try await withProxy(to: [], limits: limits) { proxy in
            let client = try await proxy.connect()
            let head = "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\nexpect: 100-continue\r\n\r\n"
            #expect(try await client.exchange(head).status == 413)
            try await client.close()
        }
    }

    @Test func anOldClientGetsNoContinue() async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            let request = "POST /x HTTP/1.0\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\nabc"
            #expect(try await client.exchange(request).status == 200)
            try await client.closed()
        }
        try await endpoint.stop()
    }

    /// The response to a HEAD has no body, whatever its fields announce: a single byte would be taken for the next
    /// response.
    @Test func responsesToHeadHaveNoBody() async throws {
        let endpoint = try await ScriptedServer.start { request in
            switch request.line.split(separator: " ")[1] {
            case "/sized": [.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")]
            case "/chunked": [.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")]
            default: [.send(ScriptedServer.response(body: "next"))]
            }
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            proxy.gateway.tell(models: ["m"])
            let client = try await proxy.connect()
            for path in ["/sized", "/chunked", "/v1/models", "/v1/models/none"] {
                let head = get(path).replacing("GET", with: "HEAD", maxReplacements: 1)
                let response = try await client.exchange(head, isHead: true)
                #expect(response.status == (path.hasSuffix("none") ? 404 : 200), "\(path)")
                if path == "/sized" { #expect(response.first("content-length") == "10") }
                #expect(try await client.exchange(get("/x")).body == "next", "behind \(path)")
            }
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func responsesWithoutABodyHaveNoFraming() async throws {
        let endpoint = try await ScriptedServer.start { request in
            let status = request.line.contains("/204") ? "204 No Content" : "304 Not Modified\r\ncontent-length: 7"
            return [.send("HTTP/1.1 \(status)\r\n\r\n")]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            for path in ["/204", "/304", "/204"] {
                let response = try await client.exchange(get(path))
                #expect(response.status == Int(path.dropFirst()))
                #expect(response.first("transfer-encoding") == nil)
                #expect(response.first("content-length") == (path == "/304" ? "7" : nil))
            }
            #expect(client.received.value.bytes.isEmpty)
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func http10() async throws {
        let endpoint = try await ScriptedServer.start { request in
            request.line.contains("/sized")
                ? [.send(ScriptedServer.response(body: "sized"))]
                : [.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let plain = try await proxy.once("GET /sized HTTP/1.0\r\n\r\n")
            #expect(plain.statusLine == "HTTP/1.0 200 OK")
            #expect(plain.first("connection") == "close" && plain.body == "sized")

            let client = try await proxy.connect()
            let kept = try await client.exchange("GET /sized HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            #expect(kept.first("connection") == "keep-alive" && kept.body == "sized")
            let unsized = try await client.exchange("GET /chunked HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
            #expect(unsized.first("connection") == "close" && unsized.first("transfer-encoding") == nil)
            #expect(unsized.body == "hello" && unsized.isWhole)
            #expect(try await client.closed().isReset == false)
        }
        try await endpoint.stop()
    }

    @Test func aBodyInChunksGoesOnWithItsLength() async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            try await client.send("POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
            #expect(try await client.exchange("4;x=y\r\ndefg\r\n0\r\ntrailer: t\r\n\r\n").status == 200)
            let request = try await endpoint.request()
            #expect(request.body == "abcdefg")
            #expect(request.values("content-length") == ["7"] && request.values("transfer-encoding").isEmpty)
            #expect(request.values("x-forwarded-for") == ["127.0.0.1"])
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func connectionCloseIsHonoured() async throws {
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            let response = try await client.exchange(get("/x", headers: "connection: close\r\n"))
            #expect(response.first("connection") == "close" && response.body == "/x")
            #expect(try await client.closed().bytes.isEmpty)
        }
        try await endpoint.stop()
    }

    /// A close behind the last byte must not overtake it on a connection that takes its bytes slowly.
    @Test func aSlowClientGetsTheWholeOfItsLastResponse() async throws {
        let body = String(repeating: "b", count: 8 << 20)
        let endpoint = try await ScriptedServer.start { _ in [.send(ScriptedServer.response(body: body))] }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect(isReading: false, receiveBuffer: 8 << 10)
            try await client.send(get("/x", headers: "connection: close\r\n"))
            _ = try await endpoint.request()
            try await client.read()
            let state = try await client.closed()
            let response = try #require(RawResponse.take(from: state.bytes, isEnd: true)).response
            #expect(response.isWhole && response.body.utf8.count == body.utf8.count)
        }
        try await endpoint.stop()
    }
}
