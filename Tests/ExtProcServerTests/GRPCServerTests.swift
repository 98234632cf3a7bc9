import ExtProcProto
import GatewayTesting
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import ExtProcServer

/// The server on loopback, over both engines of HTTP/2.
@Suite struct GRPCServerTests {
    typealias Engine = GRPCServerConfiguration.Engine

    struct Served {
        let server: GRPCServer
        let service: EchoService
        let port: Int
    }

    /// Runs `body` with a server, and drains the server if `body` did not.
    private func serve(_ engine: Engine, _ body: (Served) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let service = EchoService()
            let health = HealthService(names: { [""] }) { $0.isEmpty ? .serving : nil }
            var configuration = GRPCServerConfiguration()
            configuration.engine = engine
            let server = try await GRPCServer(group: group, configuration: configuration, services: [service, health])
            let port = try #require(await server.listen(host: "127.0.0.1", port: 0, tls: nil).address.port)
            try await body(Served(server: server, service: service, port: port))
            #expect(await server.drain(timeout: .seconds(10)))
            #expect(service.open.load(ordering: .relaxed) == 0)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func message(_ bytes: [UInt8]) -> [UInt8] {
        [0] + ClientFrames.number(UInt32(bytes.count)) + bytes
    }

    @Test(arguments: Engine.allCases) func aHealthCheck(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            let check = try await client.open("/grpc.health.v1.Health/Check")
            try await check.send(bytes: message([]), isLast: true)
            let end = try await check.ended()
            #expect(end.status == 0 && end.messages == [[8, 1]])
            let unknown = try await client.open("/no/such")
            #expect(try await unknown.ended().status == 12)
            try await client.close()
        }
    }

    @Test(arguments: Engine.allCases) func aThousandStreams(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            var streams: [ExtProcStream] = []
            for _ in 0..<1_000 { streams.append(try await client.open("/test/Echo")) }
            for (index, stream) in streams.enumerated() {
                try await stream.send(bytes: message(ClientFrames.number(UInt32(index))))
            }
            for (index, stream) in streams.enumerated() {
                let state = try await stream.state.wait(for: "an echo") { $0.messages.count == 1 }
                #expect(state.messages == [ClientFrames.number(UInt32(index))])
            }
            #expect(served.service.open.load(ordering: .relaxed) == 1_000)
            for (index, stream) in streams.enumerated() {
                // Half of them end as calls do, half as Envoy ends them.
                if index % 2 == 0 { try await stream.send(bytes: [], isLast: true) } else { await stream.reset() }
            }
            for stream in streams { _ = try await stream.ended() }
            try await client.close()
        }
    }

    @Test(arguments: Engine.allCases) func longMessages(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            let stream = try await client.open("/test/Echo")
            let bytes = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
            for count in [bytes.count, 0, 70_000] {
                try await stream.send(bytes: message(Array(bytes[..<count])))
            }
            try await stream.send(bytes: [], isLast: true)
            let end = try await stream.ended()
            #expect(end.status == 0 && end.messages.map(\.count) == [bytes.count, 0, 70_000])
            #expect(end.messages[0] == bytes)
            try await client.close()
        }
    }

    @Test(arguments: Engine.allCases) func aSlowReader(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let connection = try await RawConnection.connect(port: served.port)
            let call = ClientFrames.headers(1, path: "/test/Stream") + ClientFrames.data(1, message([0, 0, 4, 0]))
            try await connection.send(bytes: ClientFrames.hello + call + ClientFrames.data(1, [], isLast: true))
            // Of 1,024 messages, 65,535 bytes fit the windows.
            try await connection.received.wait(for: "a window's worth") {
                ClientFrames.dataBytes($0.bytes, 1) == 65_535
            }
            try await connection.send(bytes: ClientFrames.ping)
            try await connection.received.wait(for: "a pong") { received in
                ClientFrames.all(received.bytes).contains { $0.type == 6 }
            }
            #expect(ClientFrames.dataBytes(connection.received.value.bytes, 1) == 65_535)
            // The stream's window alone does not help.
            try await connection.send(bytes: ClientFrames.windowUpdate(1, 1 << 20) + ClientFrames.ping)
            try await connection.received.wait(for: "another pong") { received in
                ClientFrames.all(received.bytes).count { $0.type == 6 } == 2
            }
            #expect(ClientFrames.dataBytes(connection.received.value.bytes, 1) == 65_535)
            try await connection.send(bytes: ClientFrames.windowUpdate(0, 1 << 20))
            let received = try await connection.received.wait(for: "the trailers") { received in
                ClientFrames.all(received.bytes).contains { $0.type == 1 && $0.flags & 1 == 1 }
            }
            #expect(ClientFrames.dataBytes(received.bytes, 1) == 1_024 * 1_005)
            try await connection.close()
        }
    }

    /// The client opens its windows, for what waits, and breaks the protocol in the same breath.
    @Test(arguments: Engine.allCases) func aFaultWhileBytesWait(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let connection = try await RawConnection.connect(port: served.port)
            let call = ClientFrames.headers(1, path: "/test/Stream") + ClientFrames.data(1, message([0, 0, 4, 0]))
            try await connection.send(bytes: ClientFrames.hello + call)
            try await connection.received.wait(for: "a window's worth") {
                ClientFrames.dataBytes($0.bytes, 1) == 65_535
            }
            let windows = ClientFrames.windowUpdate(0, 1 << 20) + ClientFrames.windowUpdate(1, 1 << 20)
            try await connection.send(bytes: windows + ClientFrames.data(0, [1]))
            try await connection.received.wait(for: "the end") { $0.isClosed }
            let client = try await ExtProcClient.connect(port: served.port)
            let stream = try await client.open("/test/Echo")
            try await stream.send(bytes: message([1]), isLast: true)
            #expect(try await stream.ended().messages == [[1]])
            try await client.close()
        }
    }

    @Test(arguments: Engine.allCases) func aResetWithinAMessage(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            let stream = try await client.open("/test/Echo")
            try await stream.send(bytes: Array(message([1, 2, 3]).dropLast()))
            let other = try await client.open("/test/Echo")
            try await other.send(bytes: message([4]))
            _ = try await other.state.wait(for: "an echo") { $0.messages.count == 1 }
            await stream.reset()
            try await other.send(bytes: message([5]), isLast: true)
            #expect(try await other.ended().messages == [[4], [5]])
            #expect(served.service.closed.load(ordering: .relaxed) == 2)
            try await client.close()
        }
    }

    @Test(arguments: Engine.allCases) func anErrorAndNoMore(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            for bytes in [message([1]), message([1]) + [0, 0]] {
                let stream = try await client.open("/test/Refuse")
                try await stream.send(bytes: bytes)
                let end = try await stream.ended()
                #expect(end.status == 9 && end.statusMessage == "no: 100 %25 %C3%BC" && end.messages.isEmpty)
            }
            let framing = try await client.open("/test/Echo")
            try await framing.send(bytes: [7, 0, 0, 0, 0])
            #expect(try await framing.ended().status == 13)
            let cut = try await client.open("/test/Echo")
            try await cut.send(bytes: [0, 0], isLast: true)
            #expect(try await cut.ended().status == 13)
            try await client.close()
        }
    }

    @Test(arguments: Engine.allCases) func aDrainUnderLoad(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            let idle = try await ExtProcClient.connect(port: served.port)
            let silent = try await RawConnection.connect(port: served.port)
            var streams: [ExtProcStream] = []
            for _ in 0..<100 { streams.append(try await client.open("/test/Echo")) }
            for stream in streams { try await stream.send(bytes: message([1])) }
            for stream in streams { _ = try await stream.state.wait(for: "an echo") { $0.messages.count == 1 } }
            async let isClean = served.server.drain(timeout: .seconds(10))
            try await idle.closed()
            try await silent.received.wait(for: "the end of a connection that never spoke") { $0.isClosed }
            for stream in streams { try await stream.send(bytes: message([2]), isLast: true) }
            for stream in streams { #expect(try await stream.ended().messages == [[1], [2]]) }
            try await client.closed()
            #expect(await isClean)
        }
    }

    @Test(arguments: Engine.allCases) func aDrainThatIsOver(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let client = try await ExtProcClient.connect(port: served.port)
            let stream = try await client.open("/test/Echo")
            try await stream.send(bytes: message([1]))
            _ = try await stream.state.wait(for: "an echo") { $0.messages.count == 1 }
            #expect(await !served.server.drain(timeout: .milliseconds(50)))
            #expect(try await stream.ended().status == 14)
            try await client.closed()
        }
    }

    @Test(arguments: Engine.allCases) func noHTTP2(_ engine: Engine) async throws {
        try await serve(engine) { served in
            let connection = try await RawConnection.connect(port: served.port)
            try await connection.send(bytes: Array("GET / HTTP/1.1\r\nhost: a\r\n\r\n".utf8))
            try await connection.received.wait(for: "the end") { $0.isClosed }
        }
    }
}
