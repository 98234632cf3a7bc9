import GatewayCore
import GatewayTesting
import NIOCore
import NIOHTTP1
import Testing

@testable import ReverseProxy

/// HTTP/2 with prior knowledge: the same requests, each in a stream of its own.
@Suite(.timeLimit(.minutes(2))) struct HTTP2Tests {
    @Test func streamsAreServedSideBySide() async throws {
        let gate = ScriptedGate()
        let endpoint = try await ScriptedServer.start { request in
            let answer = ScriptedStep.send(
                ScriptedServer.response(headers: "connection: x\r\nx: 1\r\n", body: request.line))
            return request.line.contains("/slow") ? [.wait(gate), answer] : [answer]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await HTTP2Client.connect(port: proxy.port)
            let slow = try await client.send(.POST, "/slow", body: "abc")
            _ = try await endpoint.request()
            let fast = try await client.send(.GET, "/fast").ended()
            #expect(fast.status == 200 && fast.body == "GET /fast HTTP/1.1" && fast.isWhole)
            #expect(fast.headers["x"] == nil && fast.headers["connection"] == nil)
            #expect(!slow.response.value.isClosed)
            gate.open()
            #expect(try await slow.ended().body == "POST /slow HTTP/1.1")
            let request = try await endpoint.request()
            #expect(request.body == "abc" && request.values("content-length") == ["3"])
            #expect(request.values("host") == ["localhost"] && request.values("x-forwarded-for") == ["127.0.0.1"])
            try await client.channel.close()
        }
        try await endpoint.stop()
    }

    @Test func headsLocalRepliesAndBreaks() async throws {
        let endpoint = try await ScriptedServer.start { request in
            request.line.hasPrefix("HEAD")
                ? [.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")]
                : [.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"), .close]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await HTTP2Client.connect(port: proxy.port)
            let head = try await client.send(.HEAD, "/x").ended()
            #expect(head.status == 200 && head.isWhole && head.body.isEmpty)
            let refused = try await client.send(.POST, "/v1/completions", body: "{").ended()
            #expect(refused.status == 400 && refused.isWhole && refused.body.contains("error"))
            let broken = try await client.send(.GET, "/x").ended()
            #expect(broken.status == 200 && !broken.isWhole)
            try await client.channel.close()
        }
        try await endpoint.stop()
    }

    @Test func aBodyOverTheLimitEndsItsStreamOnly() async throws {
        var limits = GatewayLimits()
        limits.maxBodyBytes = 1000
        let endpoint = try await ScriptedServer.echo()
        try await withProxy(to: [endpoint.port], limits: limits, configure: { $0.lingerTimeout = .milliseconds(20) }) {
            proxy in
            let client = try await HTTP2Client.connect(port: proxy.port)
            let stream = try await client.open()
            let head = HTTPRequestHead(version: .http2, method: .POST, uri: "/x", headers: ["host": "h"])
            try await stream.send(.head(head))
            try await stream.send(.body(.byteBuffer(ByteBuffer(repeating: 97, count: 1001))))
            // The request never ends; the gateway ends the stream.
            let refused = try await stream.ended()
            #expect(refused.status == 413 && refused.body.contains("1000 bytes"))
            #expect(try await client.send(.GET, "/next").ended().body == "/next")
            try await client.channel.close()
        }
        try await endpoint.stop()
    }

    @Test func aClientThatResetsItsStreamEndsTheAttempt() async throws {
        let endpoint = try await ScriptedServer.start { _ in [] }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await HTTP2Client.connect(port: proxy.port)
            let stream = try await client.send(.GET, "/x")
            _ = try await endpoint.request()
            try? await stream.channel.close().get()
            try await endpoint.log.wait(for: "the end of the attempt") { $0.closed == 1 }
            #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.clientDisconnected])
            try await client.channel.close()
        }
        try await endpoint.stop()
    }

    /// The end of a response waits behind the window of its stream; closing the stream first would cut it off.
    @Test func aSlowStreamGetsTheWholeResponse() async throws {
        let body = String(repeating: "b", count: 4 << 20)
        let endpoint = try await ScriptedServer.start { _ in [.send(ScriptedServer.response(body: body))] }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await HTTP2Client.connect(port: proxy.port)
            let stream = try await client.send(.GET, "/x", isReading: false)
            _ = try await endpoint.request()
            try await stream.channel.setOption(.autoRead, value: true).get()
            stream.channel.read()
            let response = try await stream.ended()
            #expect(response.isWhole && response.body.utf8.count == body.utf8.count)
            try await client.channel.close()
        }
        try await endpoint.stop()
    }

    @Test func aDrainLetsRunningStreamsFinish() async throws {
        let gate = ScriptedGate()
        let endpoint = try await ScriptedServer.start { _ in
            [.wait(gate), .send(ScriptedServer.response(body: "late"))]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let idle = try await HTTP2Client.connect(port: proxy.port)
            let busy = try await HTTP2Client.connect(port: proxy.port)
            let stream = try await busy.send(.GET, "/x")
            _ = try await endpoint.request()
            async let drained = proxy.server.drain(timeout: .seconds(30))
            try await idle.channel.closeFuture.get()
            #expect(!stream.response.value.isClosed)
            gate.open()
            let response = try await stream.ended()
            #expect(response.isWhole && response.body == "late")
            try await busy.channel.closeFuture.get()
            #expect(await drained)
        }
        try await endpoint.stop()
    }
}
