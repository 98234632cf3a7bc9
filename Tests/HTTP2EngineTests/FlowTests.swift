import Testing

@testable import HTTP2Engine

/// Windows in both directions, the order of what is sent, and the ends of streams.
@Suite struct FlowTests {
    typealias Client = ClientBytes

    private func bytes(_ frames: [SentFrame], _ stream: UInt32) -> [UInt8] {
        frames.filter { $0.type == 0 && $0.stream == stream }.flatMap(\.payload)
    }

    // MARK: Sending

    @Test func aWholeCall() {
        let driver = EngineDriver.met()
        driver.feed(Client.headers(1) + Client.data(1, [1, 2]) + Client.data(1, [], isLast: true))
        #expect(driver.seen.dropFirst() == [.data(1, [1, 2], isLast: true)])
        driver.begin(1)
        driver.send([3, 4], 1)
        driver.finish(1)
        let frames = driver.frames()
        #expect(frames.map(\.type) == [1, 0, 1] && frames.map(\.flags) == [4, 0, 5])
        #expect(frames[0].payload == [0x88, 0x0F, 0x10, 16] + Array("application/grpc".utf8))
        #expect(frames[1].payload == [3, 4])
        #expect(frames[2].payload == Client.block([("grpc-status", "0")]))
        #expect(driver.closed == [1] && driver.engine.streamCount == 0 && driver.engine.waitingBytes == 0)
        // Both sides have ended it: what comes now is a fault of the connection.
        driver.feed(Client.windowUpdate(1, 1) + Client.reset(1))
        #expect(driver.seen.count == 2)
        driver.feed(Client.data(1, [1]))
        #expect(driver.seen.last == .failed(.streamClosed))
    }

    @Test func anErrorWithoutAMessage() throws {
        let driver = EngineDriver.met()
        driver.feed(Client.headers(1))
        let message = [UInt8](repeating: 65, count: 1_023) + Array("%20%20".utf8)
        let end = HTTP2CallEnd(status: 12, message: message, refusesEncodings: true)
        driver.finish(1, with: end, resets: true)
        let frames = driver.frames()
        #expect(frames.map(\.type) == [1, 3] && frames[0].flags == 5 && frames[1].code == 0)
        var header = HeaderBlock()
        var decoder = HeaderDecoder(tableLimit: 4096, listLimit: 1 << 16)
        let block = frames[0].payload
        try decoder.decode(0..<block.count, of: block.span.bytes, into: &header)
        let fields = (0..<header.count).map { header.field($0).name }
        #expect(
            fields == [":status", "content-type", "grpc-status", "grpc-message", "grpc-accept-encoding"])
        #expect(header.field(2).value == "12" && header.field(3).value == String(repeating: "A", count: 1_023))
        #expect(HTTP2CallEnd(status: 0, message: [UInt8](repeating: 37, count: 9_000)).message.count <= 1_024)
        // What was on the way is passed by, trailers too.
        driver.feed(Client.data(1, [1]) + Client.headers(1, [("a", "b")], isLast: true) + Client.headers(3))
        #expect(driver.seen.count == 2 && driver.frames().isEmpty)
    }

    @Test func windowsHoldBytesBack() {
        let driver = EngineDriver.met()
        driver.feed(Client.settings([(4, 10)]) + Client.headers(1) + Client.headers(3))
        _ = driver.frames()
        driver.begin(1)
        driver.send(Array(0..<25), 1)
        driver.finish(1, resets: true)
        #expect(bytes(driver.frames(), 1) == Array(0..<10))
        driver.feed(Client.windowUpdate(1, 5))
        #expect(bytes(driver.frames(), 1) == Array(10..<15))
        // Settings take away more than is left, and give it back.
        driver.feed(Client.settings([(4, 0)]) + Client.windowUpdate(1, 9))
        #expect(bytes(driver.frames(), 1).isEmpty)
        driver.feed(Client.settings([(4, 12)]))
        let more = driver.frames()
        #expect(bytes(more, 1) == Array(15..<25) && more.map(\.type) == [4, 0, 1, 3])
        #expect(driver.closed == [1])
    }

    @Test func streamsTakeTurns() {
        let driver = EngineDriver.met()
        driver.feed(Client.settings([(4, 1 << 20)]) + Client.headers(1) + Client.headers(3) + Client.headers(5))
        _ = driver.frames()
        for stream in [1, 3, 5] as [UInt32] { driver.send([UInt8](repeating: UInt8(stream), count: 40_000), stream) }
        driver.finish(5, resets: true)
        let first = driver.frames()
        #expect(first.map(\.stream) == [1, 3, 5, 1] && first.map(\.payload.count) == [16_384, 16_384, 16_384, 16_383])
        driver.feed(Client.windowUpdate(0, 1_000))
        #expect(driver.frames().map(\.stream) == [3])
        driver.reset(3)
        #expect(driver.engine.waitingBytes == 7_233 + 23_616)
        driver.feed(Client.windowUpdate(0, 1 << 20))
        let rest = driver.frames()
        #expect(bytes(rest, 1).count == 7_233 && bytes(rest, 5).count == 23_616 && bytes(rest, 3).isEmpty)
        #expect(driver.closed == [5] && driver.engine.waitingBytes == 0)
    }

    @Test func longFramesIfTheClientTakesThem() {
        let driver = EngineDriver.met()
        driver.feed(
            Client.settings([(4, 1 << 20), (5, 1 << 20)]) + Client.windowUpdate(0, 1 << 20) + Client.headers(1))
        _ = driver.frames()
        driver.send([UInt8](repeating: 0, count: 100_000), 1)
        #expect(driver.frames().map(\.payload.count) == [65_536, 34_464])
    }

    @Test func tableSizesThatTheClientTakesBack() throws {
        let driver = EngineDriver.met()
        driver.feed(Client.settings([(1, 100)]) + Client.headers(1) + Client.headers(3))
        _ = driver.frames()
        driver.begin(1)
        driver.begin(3)
        let frames = driver.frames()
        #expect(frames[0].payload.first == 0x20 && frames[1].payload.first == 0x88)
        driver.feed(Client.settings([(1, 4_096)]) + Client.settings([(1, 0)]))
        driver.finish(1)
        #expect(driver.frames().last?.payload.first == 0)
    }

    // MARK: Receiving

    @Test func theStreamsWindow() {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 10
        let driver = EngineDriver.met(limits)
        driver.feed(Client.headers(1) + Client.data(1, [1, 2], padding: 3) + Client.data(1, [3, 4, 5, 6]))
        #expect(driver.frames().isEmpty)
        // What was consumed is given back, and the padding with it.
        driver.allow(2, 1)
        #expect(driver.frames() == [SentFrame(type: 8, flags: 0, stream: 1, payload: Client.number(6))])
        driver.feed(Client.data(1, [7, 8, 9, 1, 2, 3]))
        #expect(driver.seen.last == .data(1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3], isLast: false))
        driver.feed(Client.data(1, [1]) + Client.headers(3))
        #expect(driver.seen.contains(.reset(1, isByPeer: false, 3)))
        #expect(driver.frames().last?.code == 3 && driver.engine.streamCount == 1)
        driver.allow(.max / 2, 3)
        #expect(driver.frames().last?.payload == Client.number(0x7FFF_FFFF - 10))
    }

    @Test func theConnectionsWindow() {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 1 << 20
        limits.connectionWindowBytes = 0
        let driver = EngineDriver(limits)
        driver.feed(Client.hello + Client.headers(1))
        #expect(driver.frames().map(\.type) == [4, 4], "the window is the protocol's own")
        let chunk = [UInt8](repeating: 7, count: 16_384)
        driver.feed(Client.data(1, chunk) + Client.data(1, chunk))
        #expect(driver.frames() == [SentFrame(type: 8, flags: 0, stream: 0, payload: Client.number(32_768))])
        // Bytes of streams that are no more count too.
        driver.reset(1)
        driver.feed(Client.data(1, chunk) + Client.data(1, chunk))
        #expect(driver.frames().last == SentFrame(type: 8, flags: 0, stream: 0, payload: Client.number(32_768)))
    }

    // MARK: Ends

    @Test func refusedStreams() {
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = 2
        let driver = EngineDriver.met(limits)
        driver.feed(Client.headers(1) + Client.headers(3) + Client.headers(5))
        #expect(driver.frames().map(\.code) == [7] && driver.engine.streamCount == 2)
        driver.feed(Client.reset(1) + Client.data(5, [1]) + Client.headers(7))
        #expect(driver.engine.streamCount == 2 && driver.frames().isEmpty)
    }

    @Test func aGracefulEnd() {
        let driver = EngineDriver.met()
        driver.feed(Client.headers(1))
        driver.announceEnd()
        driver.feed(Client.headers(3))
        driver.refuseStreams()
        driver.feed(Client.headers(5) + Client.data(5, [1]) + Client.data(3, [1], isLast: true))
        driver.finish(3)
        let frames = driver.frames()
        #expect(frames.map(\.type) == [7, 7, 1])
        #expect(frames[0].payload == Client.number(0x7FFF_FFFF) + Client.number(0))
        #expect(frames[1].payload == Client.number(3) + Client.number(0))
        #expect(driver.engine.streamCount == 1 && driver.seen.last == .data(3, [1], isLast: true))
    }

    @Test func aClientThatStaysOpen() {
        let driver = EngineDriver.met()
        driver.feed(Client.headers(1) + Client.data(1, [1]))
        driver.finish(1, resets: false)
        #expect(driver.frames().map(\.type) == [1] && driver.closed.isEmpty)
        driver.feed(Client.data(1, [2]) + Client.headers(1, [("a", "b")], isLast: true))
        #expect(driver.seen.last == .trailers(1, [["a", "b"]]))
        #expect(driver.frames().isEmpty && driver.closed == [1])
    }

    @Test func manyStreams() {
        var random = SeededRandom(seed: 4)
        let driver = EngineDriver.met()
        var open: Set<UInt32> = []
        var number: UInt32 = 1
        for _ in 0..<20_000 {
            if open.count < 300, Bool.random(using: &random) {
                driver.feed(Client.headers(number) + Client.data(number, [1]))
                open.insert(number)
                number += 2 * .random(in: 1...200, using: &random)
            } else if let victim = open.randomElement(using: &random) {
                open.remove(victim)
                driver.feed(Client.reset(victim))
            }
            if driver.engine.streamCount != open.count || Set(driver.open.keys) != open { Issue.record("\(number)") }
        }
        #expect(Set(driver.open.values.map(\.place)).count == open.count)
        #expect(driver.open.values.allSatisfy { $0.place < 300 && HTTP2Stream(rawValue: $0.rawValue) == $0 })
    }
}
