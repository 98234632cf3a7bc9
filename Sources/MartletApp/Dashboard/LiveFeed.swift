import GatewayCore
import NIOCore
import NIOHTTP1
import RequestFormats
import ServiceLifecycle

/// `GET /api/live`: what happens, as server-sent events: first everything, then once a second what changed.
///
/// A second is encoded once for all readers. While nobody reads, only the figures of the whole process are taken once a
/// second, for the curves that a reader finds; nothing is done for an endpoint. A reader that does not keep up misses
/// seconds and then gets everything anew, so nothing piles up for it.
actor LiveFeed: Service {
    /// One who reads.
    private struct Reader {
        let stream: AdminStream
        /// How many seconds it has missed in a row.
        var missed = 0
        /// Whether the next that it gets is everything.
        var needsHello = false
    }

    /// The path.
    static let path = "/api/live"
    /// The most readers at once.
    static let readersMax = 16
    /// How many seconds a reader may miss in a row before it is let go.
    static let missedMax = 60

    private let source: any LiveSource
    private let clock: any MonotonicClock
    private let interval: Duration
    private let places = Seats(LiveFeed.readersMax)
    private var state = LiveState()
    private var readers: [Reader] = []
    private var isEnding = false
    /// The number of the last event.
    private var number = 0
    /// The configuration that readers know, and what it said.
    private var configuration: AnyObject?
    private var written: [UInt8] = []

    /// Makes a feed of `source`, whose time is that of `clock`.
    init(source: any LiveSource, clock: any MonotonicClock, interval: Duration = .seconds(1)) {
        self.source = source
        self.clock = clock
        self.interval = interval
    }

    /// Takes the figures once a second, and tells the readers, until the shutdown. Then their streams end.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var due = self.clock.now
            while !Task.isCancelled {
                await self.tick()
                due = due.advanced(by: self.interval)
                // A machine that slept does not make up for it.
                due = max(due, self.clock.now)
                guard (try? await self.clock.sleep(until: due)) != nil else { break }
            }
        }
        end()
    }

    /// The answer to one who wants to read: a stream, or why not.
    nonisolated func answer() -> AdminResponse {
        guard places.take() else {
            let text = "the live feed has \(Self.readersMax) readers, which is the most; close one of them"
            return .text(text, status: .serviceUnavailable)
        }
        return .stream { [self] stream in
            stream.whenClosed { self.places.giveBack() }
            _ = stream.eventLoop.makeFutureWithTask { await self.join(stream) }
        }
    }

    private func join(_ stream: AdminStream) {
        let headers: HTTPHeaders = ["content-type": "text/event-stream", "cache-control": "no-store"]
        stream.begin(headers: headers)
        guard !isEnding else { return stream.end() }
        if readers.isEmpty {
            if state.history.lastReading == nil { state.history.add(source.traffic()) }
            noteConfiguration()
            _ = state.look(at: source.pools(at: clock.now), now: clock.now, staleness: source.staleness)
        }
        stream.write(event("hello", hello()))
        readers.append(Reader(stream: stream))
    }

    private func end() {
        isEnding = true
        for reader in readers { reader.stream.end() }
        readers = []
    }

    // MARK: A second

    /// Takes a moment and tells it to those who read.
    private func tick() {
        state.history.add(source.traffic())
        readers.removeAll { !$0.stream.isOpen }
        guard !readers.isEmpty else { return }
        number += 1
        let now = clock.now
        let pools = source.pools(at: now)
        let changes = state.look(at: pools, now: now, staleness: source.staleness)
        let tick = event("tick", LiveEncoder.tick(state, moment(pools, changes)))
        if noteConfiguration() {
            for index in readers.indices { readers[index].needsHello = true }
        }
        // Made when the first reader needs it.
        var hello: ByteBuffer?
        for index in readers.indices {
            let stream = readers[index].stream
            guard stream.isWritable else {
                readers[index].missed += 1
                readers[index].needsHello = true
                if readers[index].missed > Self.missedMax { stream.abort() }
                continue
            }
            readers[index].missed = 0
            guard readers[index].needsHello else {
                stream.write(tick)
                continue
            }
            readers[index].needsHello = false
            let everything = hello ?? event("hello", self.hello())
            hello = everything
            stream.write(everything)
        }
    }

    /// Looks whether the configuration says something else than readers know.
    @discardableResult
    private func noteConfiguration() -> Bool {
        let present = source.configuration
        if let present, present === configuration { return false }
        configuration = present
        var writer = JSONWriter()
        writer.beginObject()
        source.writeConfiguration(to: &writer)
        writer.endObject()
        defer { written = writer.bytes }
        return writer.bytes != written
    }

    private func hello() -> [UInt8] {
        let pools = source.pools(at: clock.now)
        return LiveEncoder.hello(state, moment(pools, state.everything), source: source)
    }

    private func moment(_ pools: [PoolReading], _ changes: LiveChanges) -> LiveMoment {
        LiveMoment(
            figures: state.history.last,
            traffic: state.history.lastReading ?? TrafficReading(),
            standing: source.standing(at: clock.now),
            pools: pools,
            changes: changes
        )
    }

    private func event(_ name: String, _ data: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(data.count + 64)
        buffer.writeString("id: \(number)\nevent: \(name)\ndata: ")
        buffer.writeBytes(data)
        buffer.writeString("\n\n")
        return buffer
    }
}

/// The live feed at the admin address.
struct LiveRoutes: AdminArea {
    /// The feed.
    let feed: LiveFeed

    var paths: [String] { [LiveFeed.path] }

    func answer(_ request: AdminRequest) -> AdminResponse? {
        guard request.path == LiveFeed.path else { return nil }
        guard request.method == .GET else { return .text("only GET is answered here", status: .methodNotAllowed) }
        return feed.answer()
    }
}
