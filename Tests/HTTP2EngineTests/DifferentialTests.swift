import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Testing

@testable import HTTP2Engine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The same clients before this engine and before swift-nio-http2: both must tell the same. `MARTLET_FUZZ_SECONDS` goes
/// on with new clients for so long.
@Suite struct DifferentialTests {
    @Test func randomClients() throws {
        let seconds = getenv("MARTLET_FUZZ_SECONDS").flatMap { Int(String(cString: $0)) } ?? 0
        let end = ContinuousClock.now + .seconds(seconds)
        var seed: UInt64 = 1
        var (fatal, resets) = (0, 0)
        repeat {
            for _ in 0..<500 {
                let told = try run(seed: seed)
                if told.isDead { fatal += 1 }
                resets += told.resets.count
                seed += 1
            }
        } while ContinuousClock.now < end
        #expect(fatal > 50 && fatal < seed * 2 / 3 && resets > 50, "\(fatal) of \(seed), \(resets) resets")
    }

    /// The cases of ConformanceTests in which swift-nio-http2 does another thing: it ends the connection for the first
    /// four, where the stream is enough, and takes the rest.
    private static let known: Set<String> = [
        "DATA behind a reset", "HEADERS behind a reset", "PRIORITY of a wrong length, on a stream", ": 1", "a:  1",
        "a: 1\t", "content-length: ",
    ]

    @Test func wrongClients() throws {
        let malformed = ConformanceTests.malformed.map { fields in
            let last = fields.last ?? ("", "")
            return ConformanceTests.Case("\(last.0): \(last.1)", ClientBytes.headers(1, fields))
        }
        let cases = ConformanceTests.fatalCases + ConformanceTests.streamCases + ConformanceTests.harmless + malformed
        for wrong in cases {
            let ours = EngineDriver().feed(ClientBytes.hello + wrong.bytes)
            let theirs = try NIOServer()
            theirs.feed(ClientBytes.hello + wrong.bytes)
            let isSame = theirs.told() == Told(ours)
            #expect(isSame != Self.known.contains(wrong.testDescription), "\(wrong.testDescription)")
        }
    }

    /// What a server tells of a client.
    struct Told: Equatable {
        var requests: [UInt32: [[String]]] = [:]
        var bodies: [UInt32: [UInt8]] = [:]
        var trailers: [UInt32: [[String]]] = [:]
        var ended: Set<UInt32> = []
        var resetByPeer: Set<UInt32> = []
        /// Streams that the server reset for a fault.
        var resets: Set<UInt32> = []
        var isDead = false
    }

    private func run(seed: UInt64) throws -> Told {
        var random = SeededRandom(seed: seed)
        var client = RandomClient(faults: seed % 3 == 0 ? 0 : 20)
        let ours = EngineDriver()
        let theirs = try NIOServer()
        ours.feed(ClientBytes.hello)
        theirs.feed(ClientBytes.hello)
        var told = Told()
        for step in 0..<30 {
            let bytes = client.next(&random)
            ours.feed(bytes, piece: .random(in: 1...300, using: &random))
            theirs.feed(bytes)
            if random.next() % 8 == 0, let stream = ours.open.keys.min() {
                let isDone = told.ended.contains(stream) || ours.isRemoteDone(stream)
                ours.begin(stream)
                ours.finish(stream, resets: true)
                ours.flush()
                theirs.finish(stream, resets: !isDone)
                client.closed.insert(stream)
            }
            told = Told(ours)
            let expected = theirs.told()
            if told != expected {
                Issue.record("seed \(seed), step \(step), \(client.last): \(told) is not \(expected)")
                return told
            }
            if told.isDead { break }
        }
        return told
    }
}

extension DifferentialTests.Told {
    init(_ driver: EngineDriver) {
        for event in driver.seen {
            switch event {
            case .request(let stream, let fields, let isLast):
                requests[stream] = fields
                if isLast { ended.insert(stream) }
            case .data(let stream, let bytes, let isLast):
                if !bytes.isEmpty { bodies[stream, default: []] += bytes }
                if isLast { ended.insert(stream) }
            case .trailers(let stream, let fields):
                trailers[stream] = fields
                ended.insert(stream)
            case .reset(let stream, true, _): resetByPeer.insert(stream)
            case .failed: isDead = true
            case .reset, .pong: break
            }
        }
        driver.flush()
        resets = Set(SentFrame.all(driver.sent).filter { $0.type == 3 && $0.code != 0 }.map(\.stream))
    }
}

/// A server on swift-nio-http2.
final class NIOServer {
    private let channel = EmbeddedChannel()
    private var state = DifferentialTests.Told()
    private var sent: [UInt8] = []

    init() throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 65_536),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 65_536),
            HTTP2Setting(parameter: .initialWindowSize, value: 2 << 20),
        ]
        connection.maximumConnectionGlitches = 1_000_000
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.streamResetFrameRateLimit.maximumCount = 1_000_000
        stream.streamErrorRateLimit.maximumCount = 1_000_000
        try channel.pipeline.syncOperations.addHandler(
            NIOHTTP2Handler(mode: .server, connectionConfiguration: connection, streamConfiguration: stream))
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
    }

    func feed(_ bytes: [UInt8]) {
        // Errors are told by what is sent.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    func finish(_ stream: UInt32, resets: Bool) {
        let id = HTTP2StreamID(Int(stream))
        let trailers: HPACKHeaders = [":status": "200", "content-type": "application/grpc", "grpc-status": "0"]
        let end = HTTP2Frame(streamID: id, payload: .headers(.init(headers: trailers, endStream: true)))
        channel.writeAndFlush(end, promise: nil)
        if resets { channel.writeAndFlush(HTTP2Frame(streamID: id, payload: .rstStream(.noError)), promise: nil) }
    }

    func told() -> DifferentialTests.Told {
        while let frame = try? channel.readInbound(as: HTTP2Frame.self) { take(frame) }
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { sent += bytes.readableBytesView }
        let frames = SentFrame.all(sent)
        state.resets = Set(frames.filter { $0.type == 3 && $0.code != 0 }.map(\.stream))
        state.isDead = frames.contains { $0.type == 7 && $0.code != 0 }
        return state
    }

    private func take(_ frame: HTTP2Frame) {
        let stream = UInt32(Int(frame.streamID))
        switch frame.payload {
        case .headers(let headers):
            let fields = headers.headers.map { [$0.name, $0.value] }
            if state.requests[stream] == nil {
                state.requests[stream] = fields
            } else {
                state.trailers[stream] = fields
            }
            if headers.endStream { state.ended.insert(stream) }
        case .data(let data):
            guard case .byteBuffer(let bytes) = data.data else { return }
            if bytes.readableBytes > 0 { state.bodies[stream, default: []] += bytes.readableBytesView }
            if data.endStream { state.ended.insert(stream) }
        case .rstStream: state.resetByPeer.insert(stream)
        default: break
        }
    }
}
