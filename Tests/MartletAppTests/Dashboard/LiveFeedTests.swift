import GatewayCore
import GatewayTesting
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RequestFormats
import Synchronization
import Testing

@testable import MartletApp

/// Has no endpoints, and a configuration that the test changes.
private final class ScriptedSource: LiveSource {
    private final class Version: Sendable {}

    private let clock: ManualClock
    private let state = Mutex((version: Version(), text: "a", looks: 0))

    init(clock: ManualClock) {
        self.clock = clock
    }

    var configuration: AnyObject? { state.withLock { $0.version } }
    var staleness: Duration { .seconds(2) }
    /// How often the pools were asked for.
    var looks: Int { state.withLock { $0.looks } }

    func change(to text: String) {
        state.withLock { ($0.version, $0.text) = (Version(), text) }
    }

    func traffic() -> TrafficReading { TrafficReading(at: clock.now, unixTime: 1) }
    func standing(at now: MonotonicInstant) -> StandingReading { StandingReading() }

    func pools(at now: MonotonicInstant) -> [PoolReading] {
        state.withLock { $0.looks += 1 }
        return []
    }

    func writeConfiguration(to writer: inout JSONWriter) {
        writer.field("text", state.withLock { $0.text })
    }
}

/// The client's side of a stream.
private struct Client {
    let channel: NIOAsyncTestingChannel

    init() async throws {
        channel = NIOAsyncTestingChannel()
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
    }

    /// The names of the events since the last call; `end` for the end.
    func events() async throws -> [String] {
        var events: [String] = []
        await channel.testingEventLoop.run()
        while let part = try await channel.readOutbound(as: HTTPServerResponsePart.self) {
            switch part {
            case .head(let head): events.append("\(head.status.code)")
            case .body(.byteBuffer(let bytes)):
                let line = String(buffer: bytes).split(separator: "\n").first { $0.hasPrefix("event: ") }
                events.append(line.map { String($0.dropFirst("event: ".count)) } ?? "?")
            case .body: events.append("?")
            case .end: events.append("end")
            }
        }
        return events
    }
}

@Suite(.timeLimit(.minutes(1))) struct LiveFeedTests {
    private let clock = ManualClock()

    /// Runs a feed for `body`, which lets seconds pass one by one; then ends it.
    private func withFeed(
        _ body: (LiveFeed, ScriptedSource, _ second: () async throws -> Void) async throws -> Void
    ) async throws {
        let source = ScriptedSource(clock: clock)
        let feed = LiveFeed(source: source, clock: clock)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await feed.run() }
            try await clock.waitForSleepers(1)
            try await body(feed, source) {
                clock.advance(by: .seconds(1))
                try await clock.waitForSleepers(1)
            }
            group.cancelAll()
        }
    }

    /// Lets `client` read; returns once it has been greeted.
    private func join(_ feed: LiveFeed, _ client: Client) async throws {
        let stream = try #require(feed.answer().stream)
        stream(AdminStream(client.channel))
        var told: [String] = []
        while told.count < 2 { told += try await client.events() }
        #expect(told == ["200", "hello"])
    }

    @Test func everythingFirstAndThenEachSecond() async throws {
        try await withFeed { feed, source, second in
            try await second()
            #expect(source.looks == 0, "nobody looks")
            let client = try await Client()
            try await join(feed, client)
            try await second()
            try await second()
            #expect(try await client.events() == ["tick", "tick"])
            source.change(to: "b")
            try await second()
            try await second()
            #expect(try await client.events() == ["hello", "tick"], "another configuration")
            source.change(to: "b")
            try await second()
            #expect(try await client.events() == ["tick"], "another object that says the same")
            try await client.channel.close()
            try await second()
            let looks = source.looks
            try await second()
            #expect(source.looks == looks, "nobody looks any more")
        }
    }

    @Test func whoDoesNotKeepUpMissesSecondsAndThenGetsEverything() async throws {
        try await withFeed { feed, _, second in
            let (slow, quick) = (try await Client(), try await Client())
            try await join(feed, slow)
            try await join(feed, quick)
            slow.channel.isWritable = false
            for _ in 0..<3 { try await second() }
            #expect(try await slow.events().isEmpty)
            #expect(try await quick.events() == ["tick", "tick", "tick"])
            slow.channel.isWritable = true
            try await second()
            try await second()
            #expect(try await slow.events() == ["hello", "tick"])
            #expect(try await quick.events() == ["tick", "tick"])
            slow.channel.isWritable = false
            for _ in 0..<LiveFeed.missedMax { try await second() }
            #expect(slow.channel.isActive)
            try await second()
            await slow.channel.testingEventLoop.run()
            #expect(!slow.channel.isActive, "it is let go")
            #expect(quick.channel.isActive)
        }
    }

    @Test func placesAreGivenBack() async throws {
        let feed = LiveFeed(source: ScriptedSource(clock: clock), clock: clock)
        var clients: [Client] = []
        for _ in 0..<LiveFeed.readersMax {
            let client = try await Client()
            try await join(feed, client)
            clients.append(client)
        }
        #expect(feed.answer().status == .serviceUnavailable)
        try await clients[3].channel.close()
        await clients[3].channel.testingEventLoop.run()
        #expect(feed.answer().stream != nil)
    }

    @Test func theShutdownEndsTheStreams() async throws {
        let early = try await Client()
        let late = try await Client()
        try await withFeed { feed, _, _ in try await join(feed, early) }
        #expect(try await early.events() == ["end"])
        let feed = LiveFeed(source: ScriptedSource(clock: clock), clock: clock)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await feed.run() }
            group.cancelAll()
        }
        let stream = try #require(feed.answer().stream)
        stream(AdminStream(late.channel))
        var told: [String] = []
        while told.count < 2 { told += try await late.events() }
        #expect(told == ["200", "end"], "whoever comes then gets an end at once")
    }
}
