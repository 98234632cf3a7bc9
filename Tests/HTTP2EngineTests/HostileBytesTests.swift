import Testing

@testable import HTTP2Engine

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Cut, damaged and random sessions. Seeded, so that a failure comes again; `MARTLET_FUZZ_SECONDS` goes on with new
/// ones for so long.
@Suite struct HostileBytesTests {
    typealias Client = ClientBytes

    /// A session with everything that a client may do.
    static let session: [UInt8] = {
        let block = Client.block(Client.request)
        return Client.preface + Client.settings([(1, 100), (4, 70_000), (5, 20_000)]) + Client.frame(4, flags: 1, 0)
            + Client.windowUpdate(0, 1_000_000) + Client.headers(1) + Client.data(1, Array(0..<200))
            + Client.frame(1, flags: 0x28, 3, [2, 0, 0, 0, 0, 9] + Array(block[..<20]) + [0, 0])
            + Client.frame(9, 3, Array(block[20..<21])) + Client.frame(9, flags: 4, 3, Array(block[21...]))
            + Client.data(3, [1, 2, 3], padding: 5) + Client.data(3, [], padding: 0) + Client.ping(3)
            + Client.frame(2, 7, [0, 0, 0, 1, 7]) + Client.windowUpdate(3, 5) + Client.data(1, [], isLast: true)
            + Client.headers(3, [("t", "1")], isLast: true) + Client.frame(88, 3, [1, 2]) + Client.headers(5)
            + Client.data(5, [9], isLast: true, padding: 2) + Client.headers(7, isLast: true) + Client.headers(9)
            + Client.reset(9) + Client.ping(5, isAck: true) + Client.frame(7, 0, [UInt8](repeating: 0, count: 8))
            + Client.headers(11, []) + Client.headers(13) + Client.data(13, [UInt8](repeating: 1, count: 3_000))
    }()

    @Test func everySplitTellsTheSame() {
        let whole = EngineDriver().feed(Self.session)
        #expect(whole.seen.count == 14 && whole.engine.streamCount == 5)
        let frames = whole.frames()
        for count in 0..<Self.session.count {
            let driver = EngineDriver().feed(Array(Self.session[..<count])).feed(Array(Self.session[count...]))
            if driver.seen != whole.seen || driver.frames() != frames { Issue.record("cut at \(count)") }
        }
        for piece in 1...40 {
            let driver = EngineDriver().feed(Self.session, piece: piece)
            if driver.seen != whole.seen || driver.frames() != frames { Issue.record("in pieces of \(piece)") }
        }
    }

    @Test func damagedSessions() {
        let seconds = getenv("MARTLET_FUZZ_SECONDS").flatMap { Int(String(cString: $0)) } ?? 0
        let end = ContinuousClock.now + .seconds(seconds)
        var seed: UInt64 = 1
        var fatal = 0
        repeat {
            for _ in 0..<1_500 {
                if run(seed: seed) { fatal += 1 }
                seed += 1
            }
        } while ContinuousClock.now < end
        #expect(fatal > 300 && fatal < seed - 200, "\(fatal) of \(seed)")
    }

    /// Feeds damaged frames and answers at random; whether the connection broke.
    private func run(seed: UInt64) -> Bool {
        var random = SeededRandom(seed: seed)
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = 4
        limits.streamWindowBytes = .random(in: 0...5_000, using: &random)
        limits.maxHeaderBytes = .random(in: 100...1_000, using: &random)
        limits.headerTableBytes = .random(in: 50...200, using: &random)
        let driver = EngineDriver(limits)
        var bytes = random.next() % 4 == 0 ? damaged(Self.session, &random) : Client.hello
        if random.next() % 8 == 0 { bytes = Self.session }
        driver.feed(bytes, piece: .random(in: 1...300, using: &random))
        var next: UInt32 = bytes.count > 100 ? 15 : 1
        for _ in 0..<40 {
            var frame = anything(&random, &next)
            if random.next() % 64 == 0 { frame = damaged(frame, &random) }
            driver.feed(frame, piece: .random(in: 1...60, using: &random))
            answer(driver, &random)
            if driver.engine.streamCount > 4 || driver.engine.waitingBytes > 40 * 2_000 { Issue.record("\(seed)") }
            if driver.engine.header.bytes.count > 4_000 || driver.engine.blockBytes.count > 17_000 {
                Issue.record("\(seed)")
            }
        }
        _ = driver.frames()
        if case .failed = driver.seen.last { return true }
        return false
    }

    private func answer(_ driver: EngineDriver, _ random: inout SeededRandom) {
        let stream = UInt32.random(in: 1...21, using: &random)
        switch random.next() % 8 {
        case 0: driver.begin(stream)
        case 1, 2: driver.send([UInt8](repeating: 5, count: .random(in: 0...2_000, using: &random)), stream)
        case 3: driver.finish(stream, resets: Bool.random(using: &random))
        case 4: driver.allow(.random(in: 0...3_000, using: &random), stream)
        case 5: driver.reset(stream)
        case 6: driver.refill()
        default: _ = driver.frames()
        }
    }

    /// Any frame, and mostly one that fits. `next` is the number of the client's next stream.
    private func anything(_ random: inout SeededRandom, _ next: inout UInt32) -> [UInt8] {
        let noise = (0..<Int.random(in: 0...30, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let isWild = random.next() % 128 == 0
        let stream =
            isWild ? UInt32.random(in: 0...41, using: &random) : .random(in: 0..<(next / 2 + 1), using: &random) * 2 + 1
        if stream == next || random.next() % 4 == 0 {
            let new = isWild ? stream : next
            next = max(next, new + 2)
            return headers(new, &random)
        }
        switch random.next() % 16 {
        case 0...4: return Client.data(stream, noise, isLast: random.next() % 4 == 0)
        case 5, 6: return Client.data(stream, noise, padding: noise.count)
        case 7, 8: return Client.reset(stream)
        case 9: return Client.windowUpdate(stream, .random(in: 0...5_000, using: &random))
        case 10: return Client.windowUpdate(0, .random(in: 1...5_000, using: &random))
        case 11: return Client.settings([(random.next() % 2 == 0 ? 1 : 4, .random(in: 0...70_000, using: &random))])
        case 12: return Client.headers(stream, [("a", "b")], isLast: random.next() % 4 > 0)
        case 13: return Client.ping(isAck: Bool.random(using: &random))
        case 14: return Client.frame(2, stream, [0, 0, 0, 0, 9])
        default:
            guard isWild else { return Client.frame(.random(in: 20...30, using: &random), stream, noise) }
            let type = UInt8.random(in: 0...12, using: &random)
            return Client.frame(type, flags: .random(in: 0...255, using: &random), stream, noise)
        }
    }

    private func headers(_ stream: UInt32, _ random: inout SeededRandom) -> [UInt8] {
        let isLast = Bool.random(using: &random)
        switch random.next() % 8 {
        case 0: return Client.headers(stream, [], isLast: isLast)
        case 1: return Client.frame(1, flags: 4, stream, [0x83, 0x86, 0x44, 1, 47, 0x40, 1, 120, 1, 121, 0xBE, 0xBE])
        case 2:
            return Client.headers(stream, isLast: isLast, isWhole: false)
                + Client.frame(9, flags: 4, stream, Client.block([("content-length", "9")]))
        case 3: return Client.headers(stream, Client.request + [("x", String(repeating: "y", count: 900))])
        default: return Client.headers(stream, isLast: isLast)
        }
    }

    private func damaged(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &random)
            switch random.next() % 4 {
            case 0: bytes[index] = .random(in: 0...255, using: &random)
            case 1: bytes[index] ^= 1 << (random.next() % 8)
            case 2: bytes.remove(at: index)
            default: bytes.insert(.random(in: 0...255, using: &random), at: index)
            }
        }
        return bytes
    }

    @Test func huffmanNoise() {
        var random = SeededRandom(seed: 6)
        var valid = 0
        for _ in 0..<20_000 {
            let noise = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            var output: [UInt8] = []
            if HuffmanCode.decode(0..<noise.count, of: noise.span.bytes, onto: &output) { valid += 1 }
            #expect(output.count <= noise.count * 8 / 5 + 1)
        }
        #expect(valid > 1_000)
    }
}
