import GatewayCore
import GatewayTesting
import Testing

@testable import ReverseProxy

@Suite(.timeLimit(.minutes(2))) struct DrainTests {
    @Test func runningRequestsFinishAndEverythingElseEnds() async throws {
        let gate = ScriptedGate()
        let endpoint = try await ScriptedServer.start { _ in
            [
                .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n"), .wait(gate),
                .send("data: 2\n\n"), .close,
            ]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let idle = try await proxy.connect()
            let running = try await proxy.connect()
            try await running.send(get("/stream"))
            try await running.received.wait(for: "the first event") { $0.text.contains("data: 1") }
            async let drained = proxy.server.drain(timeout: .seconds(30))
            try await idle.closed()
            await #expect(throws: (any Error).self) { try await proxy.connect() }
            #expect(!running.received.value.isClosed)
            gate.open()
            let state = try await running.closed()
            let response = try #require(RawResponse.take(from: state.bytes, isEnd: true)).response
            #expect(response.isWhole && response.body == "data: 1\n\ndata: 2\n\n")
            #expect(await drained)
            #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.completed])
        }
        try await endpoint.stop()
    }

    @Test func aRequestThatIsLeftIsEndedAtTheDeadline() async throws {
        let endpoint = try await ScriptedServer.start { _ in
            [.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            try await client.send(get("/x"))
            try await client.received.wait(for: "the start of the body") { $0.text.contains("hello") }
            #expect(await proxy.server.drain(timeout: .milliseconds(50)) == false)
            let state = try await client.closed()
            #expect(RawResponse.take(from: state.bytes, isEnd: true)?.response.isWhole == false)
            #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.drained])
            try await endpoint.log.wait(for: "the end of the attempt") { $0.closed == 1 }
        }
        try await endpoint.stop()
    }

    @Test func aKeptAliveConnectionHearsOfTheDrainInItsResponse() async throws {
        let gate = ScriptedGate()
        let endpoint = try await ScriptedServer.start { _ in [.wait(gate), .send(ScriptedServer.response(body: "x"))] }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            let idle = try await proxy.connect()
            try await client.send(get("/x"))
            _ = try await endpoint.request()
            async let drained = proxy.server.drain(timeout: .seconds(30))
            try await idle.closed()
            gate.open()
            let response = try await client.response()
            #expect(response.body == "x" && response.first("connection") == "close")
            try await client.closed()
            #expect(await drained)
            try await endpoint.log.wait(for: "the idle connections to close") { $0.closed == 1 }
        }
        try await endpoint.stop()
    }

    @Test func connectionsOverTheLimitAreNotServed() async throws {
        var limits = GatewayLimits()
        limits.maxConnections = 2
        try await withProxy(to: [], limits: limits) { proxy in
            let first = try await proxy.connect()
            let second = try await proxy.connect()
            for client in [first, second] { #expect(try await client.exchange(get("/x")).status == 503) }
            let third = try await proxy.connect()
            try await third.closed()
            try await first.close()
            try await second.close()
        }
    }
}
