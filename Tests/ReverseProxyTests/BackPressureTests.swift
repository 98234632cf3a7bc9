import GatewayCore
import GatewayTesting
import Testing

@testable import ReverseProxy

@Suite(.timeLimit(.minutes(2))) struct BackPressureTests {
    /// A client that does not read for a while gets everything when it does.
    @Test func aFastEndpointWaitsForASlowClient() async throws {
        let blocks = 512
        let total = blocks * (64 << 10)
        let endpoint = try await ScriptedServer.start { _ in
            [.send("HTTP/1.1 200 OK\r\ncontent-length: \(total)\r\n\r\n"), .flood(blocks: blocks, bytes: 64 << 10)]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect(isReading: false, receiveBuffer: 16 << 10)
            try await client.send(get("/x"))
            _ = try await endpoint.request()
            _ = try await bytesTakenWhenStalled(endpoint)
            try await client.read()
            try await client.received.wait(for: "the whole body", timeout: .seconds(60)) { $0.bytes.count > total }
            #expect(endpoint.bytesTaken == total)
            try await client.close()
        }
        try await endpoint.stop()
    }

    /// Waits until the server has taken nothing for many turns of an exchange with itself.
    private func bytesTakenWhenStalled(_ endpoint: ScriptedServer) async throws -> Int {
        let beacon = try await ScriptedServer.start { _ in [.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")] }
        let connection = try await RawConnection.connect(port: beacon.port)
        var last = -1
        var quietTurns = 0
        while quietTurns < 300 {
            _ = try await connection.exchange(get("/"))
            quietTurns = endpoint.bytesTaken == last ? quietTurns + 1 : 0
            last = endpoint.bytesTaken
        }
        try await connection.close()
        try await beacon.stop()
        return last
    }

    /// What the gateway takes from an endpoint ahead of its client is bounded by the system's buffers of two
    /// connections, tens of MiB at most, however long the response is; and the end of the client is noticed all the
    /// same.
    @Test func whatIsTakenAheadIsBoundedAndFreed() async throws {
        let endpoint = try await ScriptedServer.start { _ in
            [.send("HTTP/1.1 200 OK\r\n\r\n"), .flood(blocks: 16_384, bytes: 64 << 10)]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect(isReading: false, receiveBuffer: 16 << 10)
            try await client.send(get("/x"))
            _ = try await endpoint.request()
            let taken = try await bytesTakenWhenStalled(endpoint)
            #expect(taken < 64 << 20)
            #expect(proxy.gateway.openLeases == 1)
            try await client.reset()
            try await endpoint.log.wait(for: "the end of the attempt") { $0.closed == 1 }
            #expect(proxy.gateway.attempts.ended.map(\.outcome) == [.clientDisconnected])
        }
        try await endpoint.stop()
    }
}
