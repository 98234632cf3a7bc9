import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import ExtProcServer

/// How connections end that say nothing, take nothing or say what is not HTTP/2, over both engines.
@Suite struct ConnectionLifeTests {
    typealias Engine = GRPCServerConfiguration.Engine

    private final class Connection {
        let service = EchoService()
        let channel = EmbeddedChannel()
        let loop: GRPCLoop

        init(_ engine: Engine) throws {
            var configuration = GRPCServerConfiguration()
            configuration.engine = engine
            loop = GRPCLoop(eventLoop: channel.eventLoop, configuration: configuration, services: [service])
            switch engine {
            case .own: try HTTP2EngineConnection.install(on: channel, loop: loop)
            case .nioHTTP2: try HTTP2Connection.install(on: channel, loop: loop)
            }
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
        }

        func feed(_ bytes: [UInt8]) {
            // What is wrong with the bytes is told by the frames that are sent.
            _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        }

        /// The frames that were sent since the last call.
        func frames() throws -> [ClientFrames.Received] {
            channel.embeddedEventLoop.run()
            var bytes: [UInt8] = []
            while let buffer = try channel.readOutbound(as: ByteBuffer.self) { bytes += buffer.readableBytesView }
            return ClientFrames.all(bytes[...])
        }

        /// Moves on by so many seconds.
        func sweep(_ seconds: Int64) { loop.sweep(at: .now() + .seconds(seconds)) }
    }

    @Test(arguments: Engine.allCases) func aClientThatDoesNotBegin(_ engine: Engine) throws {
        let connection = try Connection(engine)
        connection.sweep(9)
        #expect(connection.channel.isActive)
        connection.sweep(11)
        #expect(!connection.channel.isActive)
    }

    @Test(arguments: Engine.allCases) func aClientThatFallsSilent(_ engine: Engine) throws {
        let connection = try Connection(engine)
        connection.feed(ClientFrames.hello)
        _ = try connection.frames()
        connection.sweep(59)
        #expect(try connection.frames().isEmpty)
        connection.sweep(61)
        #expect(try connection.frames().map(\.type) == [6])
        connection.feed(ClientFrames.frame(6, flags: 1, 0, [0, 0, 0, 0, 0x6D, 0x61, 0x72, 0x74]))
        connection.sweep(59)
        #expect(connection.channel.isActive)
        connection.sweep(61)
        connection.sweep(82)
        #expect(!connection.channel.isActive)
    }

    @Test(arguments: Engine.allCases) func wrongBytesEndEveryCall(_ engine: Engine) throws {
        let connection = try Connection(engine)
        connection.feed(ClientFrames.hello + ClientFrames.headers(1, path: "/test/Echo"))
        connection.feed(ClientFrames.headers(3, path: "/test/Echo") + ClientFrames.data(1, [0, 0, 0, 0, 1, 7]))
        _ = try connection.frames()
        #expect(connection.service.open.load(ordering: .relaxed) == 2)
        connection.feed(ClientFrames.frame(6, 0, [1]))
        let frames = try connection.frames()
        #expect(frames.last?.type == 7 && !connection.channel.isActive)
        #expect(connection.service.open.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: Engine.allCases, [true, false]) func theEndFindsAnswersWaiting(_ engine: Engine, isWrong: Bool)
        throws
    {
        let connection = try Connection(engine)
        connection.feed(ClientFrames.hello + ClientFrames.headers(1, path: "/test/Stream"))
        connection.feed(ClientFrames.headers(3, path: "/test/Stream"))
        for stream in [1, 3] as [UInt32] { connection.feed(ClientFrames.data(stream, [0, 0, 0, 0, 4, 0, 0, 1, 0])) }
        #expect(try connection.frames().reduce(0) { $0 + ($1.type == 0 ? $1.length : 0) } == 65_535)
        if isWrong {
            connection.feed(ClientFrames.windowUpdate(0, 10_000) + ClientFrames.frame(6, 0, [1]))
            #expect(try connection.frames().contains { $0.type == 7 })
        } else {
            connection.channel.close(promise: nil)
        }
        #expect(!connection.channel.isActive && connection.service.open.load(ordering: .relaxed) == 0)
        connection.sweep(100)
    }

    @Test func aClientThatTakesNothing() throws {
        let connection = try Connection(.own)
        connection.feed(ClientFrames.hello)
        connection.channel.isWritable = false
        let pings = (0..<4_000).flatMap { _ in ClientFrames.ping }
        var rounds = 0
        while connection.channel.isActive, rounds < 100 {
            connection.feed(pings)
            connection.loop.sweep(at: .now())
            rounds += 1
        }
        #expect((30...32).contains(rounds))
    }

    @Test func answersWaitForTheChannel() throws {
        let connection = try Connection(.own)
        connection.feed(ClientFrames.hello + ClientFrames.headers(1, path: "/test/Echo"))
        _ = try connection.frames()
        connection.channel.isWritable = false
        connection.channel.pipeline.fireChannelWritabilityChanged()
        connection.feed(ClientFrames.data(1, [0, 0, 0, 0, 1, 7], isLast: true))
        #expect(try connection.frames().map(\.type) == [1])
        connection.channel.isWritable = true
        connection.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try connection.frames().map(\.type) == [0, 1])
        #expect(connection.service.open.load(ordering: .relaxed) == 0)
    }

    /// Envoy resets a stream that the server has ended, and the server resets what it has ended: thousands of refusals
    /// in a second are no flood.
    @Test func refusalsAreNoFlood() throws {
        let connection = try Connection(.own)
        connection.feed(ClientFrames.hello)
        for index in 0..<8_000 as Range<UInt32> {
            let stream = 2 * index + 1
            connection.feed(ClientFrames.headers(stream, path: "/none"))
            connection.feed(ClientFrames.data(stream, [], isLast: true))
            connection.feed(ClientFrames.frame(3, stream, ClientFrames.number(2)))
        }
        #expect(connection.channel.isActive)
        #expect(try connection.frames().allSatisfy { $0.type != 7 })
    }

    @Test func theDrainsTwoWords() throws {
        let connection = try Connection(.own)
        connection.feed(ClientFrames.hello)
        _ = try connection.frames()
        let drained = connection.loop.drain()
        #expect(try connection.frames().map(\.type) == [7, 6])
        // A call that was on its way.
        connection.feed(ClientFrames.headers(1, path: "/test/Echo"))
        connection.feed(ClientFrames.frame(6, flags: 1, 0, [0, 0, 0, 0, 0x64, 0x72, 0x61, 0x69]))
        let second = try connection.frames()
        #expect(second.map(\.type) == [7] && second[0].payload.prefix(4) == [0, 0, 0, 1])
        connection.feed(ClientFrames.headers(3, path: "/test/Echo"))
        connection.feed(ClientFrames.data(1, [0, 0, 0, 0, 0], isLast: true))
        let last = try connection.frames()
        #expect(last.map(\.type) == [1, 0, 1, 7])
        #expect(last.last?.payload.prefix(4) == [0, 0, 0, 1], "a stream that was refused is not named as taken")
        #expect(!connection.channel.isActive && connection.service.closed.load(ordering: .relaxed) == 1)
        try drained.wait()
        // Without an answer to the ping, the second word comes with the next sweep.
        let silent = try Connection(.own)
        silent.feed(ClientFrames.hello)
        _ = silent.loop.drain()
        silent.sweep(0)
        #expect(try silent.frames().filter { $0.type == 7 }.count == 1)
        silent.sweep(1)
        #expect(try silent.frames().filter { $0.type == 7 }.count == 1 && !silent.channel.isActive)
    }
}
