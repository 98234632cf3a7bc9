import Testing

@testable import HTTP2Engine

/// What a hostile client may make the server do, and where that ends.
@Suite struct FloodTests {
    typealias Client = ClientBytes

    struct Flood: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let limit: Int
        let first: [UInt8]
        let frames: @Sendable (Int) -> [UInt8]
    }

    private static func number(_ index: Int) -> UInt32 { UInt32(2 * index + 1) }

    static let kinds: [Flood] = [
        Flood(testDescription: "SETTINGS", limit: 5_000, first: []) { _ in Client.settings() },
        Flood(testDescription: "PING", limit: 5_000, first: []) { _ in Client.ping() },
        Flood(testDescription: "PRIORITY", limit: 5_000, first: []) { _ in Client.frame(2, 1, [0, 0, 0, 0, 1]) },
        Flood(testDescription: "unknown", limit: 5_000, first: []) { _ in Client.frame(77, 1) },
        Flood(
            testDescription: "RST_STREAM for what is closed", limit: 5_000, first: Client.headers(1) + Client.reset(1)
        ) {
            _ in Client.reset(1)
        },
        Flood(testDescription: "empty DATA", limit: 1_000, first: Client.headers(1)) { _ in Client.data(1, []) },
        Flood(testDescription: "padding", limit: 1_000, first: Client.headers(1)) { _ in Client.data(1, [], padding: 9)
        },
        Flood(
            testDescription: "empty DATA for what is closed", limit: 1_000,
            first: Client.headers(1) + Client.reset(1) + Client.headers(3)
        ) {
            _ in Client.data(1, [])
        },
        Flood(testDescription: "streams reset at once", limit: 1_000, first: []) { index in
            Client.headers(number(index)) + Client.reset(number(index))
        },
        Flood(testDescription: "streams reset behind padding", limit: 1_000, first: []) { index in
            Client.headers(number(index)) + Client.data(number(index), [], padding: 1) + Client.reset(number(index))
        },
        Flood(testDescription: "faulty streams", limit: 10_000, first: []) { Client.headers(number($0), []) },
        Flood(testDescription: "windows opened by 0", limit: 10_000, first: []) { index in
            Client.headers(number(index)) + Client.windowUpdate(number(index), 0)
        },
    ]

    @Test(arguments: kinds) func floods(_ flood: Flood) {
        for refills in [false, true] {
            let driver = EngineDriver.met()
            driver.refill()
            driver.feed(flood.first)
            var count = 0
            var last: SentFrame?
            while count < 3 * flood.limit, driver.seen.last != .failed(.enhanceYourCalm) {
                if refills, count % (flood.limit / 2) == 0 { driver.refill() }
                driver.feed(flood.frames(count + 10))
                if count % 100 == 0 { last = driver.frames().last ?? last }
                count += 1
            }
            if refills {
                #expect(count == 3 * flood.limit && driver.engine.streamCount <= 1)
            } else {
                // Two late frames of each stream that was opened are free.
                #expect((flood.limit - 1...flood.limit + 6).contains(count))
                last = driver.frames().last ?? last
                #expect(last?.code == HTTP2ErrorCode.enhanceYourCalm.rawValue)
            }
        }
    }

    @Test func envoyEndsEveryStreamByAReset() {
        let driver = EngineDriver.met()
        for index in 0..<20_000 {
            let number = Self.number(index)
            driver.feed(Client.headers(number))
            // Half of them after a byte of a message, half after an answer.
            if index % 2 == 0 { driver.feed(Client.data(number, [0])) } else { driver.begin(number) }
            driver.feed(Client.reset(number))
            _ = driver.frames()
        }
        #expect(driver.seen.count { if case .failed = $0 { true } else { false } } == 0)
    }

    @Test func blocksWithoutEnd() {
        for piece in [[UInt8](repeating: 0x82, count: 16_000), [0x82], []] {
            let driver = EngineDriver.met()
            driver.feed(Client.frame(1, 1, piece))
            var frames = 0
            while driver.seen.isEmpty, frames < 2_000 {
                driver.feed(Client.frame(9, 1, piece))
                frames += 1
            }
            #expect(driver.seen == [.failed(.enhanceYourCalm)] && frames <= 64)
        }
    }

    @Test func longHeaderLists() {
        let driver = EngineDriver.met()
        let fields = Client.request + (0..<300).map { ("name-\($0)", String(repeating: "v", count: 200)) }
        let block = Client.block(fields)
        driver.feed(Client.frame(1, 1, Array(block[..<16_000])))
        for start in stride(from: 16_000, to: block.count, by: 16_000) {
            let end = min(start + 16_000, block.count)
            driver.feed(Client.frame(9, flags: end == block.count ? 4 : 0, 1, Array(block[start..<end])))
        }
        #expect(driver.seen == [.failed(.enhanceYourCalm)] || driver.frames().map(\.code) == [11])
        // Short blocks that stand for much.
        let bomb = EngineDriver.met()
        let entry = [0x40] + Client.string("x") + Client.string(String(repeating: "y", count: 3_900))
        bomb.feed(Client.frame(1, flags: 4, 1, entry + [UInt8](repeating: 0xBE, count: 60)))
        #expect(bomb.seen.isEmpty && bomb.frames().map(\.code) == [11])
        bomb.feed(Client.frame(1, flags: 4, 3, [UInt8](repeating: 0xBE, count: 16_000)))
        #expect(bomb.seen == [.failed(.enhanceYourCalm)])
    }

    @Test func settingsThatMoveManyWindows() {
        let driver = EngineDriver.met()
        for index in 0..<6_400 { driver.feed(Client.headers(Self.number(index))) }
        var count = 0
        while driver.seen.last != .failed(.enhanceYourCalm), count < 200 {
            driver.feed(Client.settings([(4, UInt32(count % 2))]))
            count += 1
        }
        #expect((40...60).contains(count))
    }
}
