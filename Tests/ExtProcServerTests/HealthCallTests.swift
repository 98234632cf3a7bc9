import ExtProcProto
import NIOCore
import NIOEmbedded
import Testing

@testable import ExtProcServer

/// A watch of a service's health, without a socket.
@Suite struct HealthCallTests {
    private let connection = RecordingConnection()

    private func watch() throws -> GRPCStream {
        var configuration = GRPCServerConfiguration()
        configuration.streamWindowBytes = 1 << 16
        let stream = GRPCStream(1, connection: connection, configuration: configuration)
        let service = HealthService(names: { [""] }) { _ in .serving }
        stream.start(try #require(service.makeCall(path: "/grpc.health.v1.Health/Watch", stream: stream)))
        stream.received(ByteBuffer(bytes: [0, 0, 0, 0, 0]))
        stream.handOver()
        return stream
    }

    @Test func aWatchLooksAgain() throws {
        let stream = try watch()
        #expect(connection.bytes[1] == [0, 0, 0, 0, 2, 8, 1])
        connection.embedded.advanceTime(by: .seconds(3))
        #expect(connection.flushCount == 3)
        #expect(connection.bytes[1]?.count == 7, "nothing has changed")
        stream.closed()
        connection.embedded.advanceTime(by: .seconds(3))
        #expect(connection.flushCount == 3)
    }

    /// The connection turns out to be broken when the watch writes.
    @Test func aWatchEndsWithItsConnection() throws {
        let stream = try watch()
        connection.onFlush = { stream.closed() }
        connection.embedded.advanceTime(by: .seconds(5))
        #expect(connection.flushCount == 1)
        connection.onFlush = {}
    }
}
