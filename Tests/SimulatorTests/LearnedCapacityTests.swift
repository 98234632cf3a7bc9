import BuiltinPlugins
import GatewayCore
import ModelServerSimulator
import Testing

/// The learned capacity against an engine that has one.
@Suite struct LearnedCapacityTests {
    @Test(arguments: [(16, 64), (64, 64), (64, 200), (128, 100)])
    func theLimitFindsTheBatch(capacity: Int, output: Int) throws {
        var world = try ClosedLoop(capacity: capacity)
        world.output = output
        try world.run(for: 120)
        try world.expectLimit(near: capacity)
        // And it stays there for minutes without a lull: waiting is not taken for normal.
        for _ in 0..<6 {
            try world.run(for: 60)
            try world.expectLimit(near: capacity)
        }
    }

    @Test func aSlowerEngineHasTheSameRoom() throws {
        var world = try ClosedLoop(capacity: 16)
        try world.run(for: 120)
        world.engine.slowdown = 4
        try world.run(for: 600)
        try world.expectLimit(near: 16)
        world.engine.slowdown = 1
        try world.run(for: 300)
        try world.expectLimit(near: 16)
    }

    @Test func anotherEngineInItsPlaceIsFollowed() throws {
        var world = try ClosedLoop(capacity: 64)
        try world.run(for: 120)
        try world.expectLimit(near: 64)
        try world.replaceEngine(capacity: 16)
        try world.run(for: 300)
        try world.expectLimit(near: 16)
        try world.replaceEngine(capacity: 48)
        try world.run(for: 300)
        try world.expectLimit(near: 48)
    }

    /// Prompts from 10 to 4,000 tokens, half of them mostly in the engine's cache, as far as the gateway knows.
    @Test(arguments: [1.0, 0.7, 0])
    func mixedPromptsDoNotMakeItCollapse(knownHits: Double) throws {
        var world = try ClosedLoop(capacity: 32)
        world.promptLengths = [10, 100, 400, 1_000, 4_000]
        world.hitShare = 0.5
        world.knownHitShare = knownHits
        try world.run(for: 240)
        for _ in 0..<3 {
            try world.run(for: 60)
            try world.expectLimit(near: 32)
        }
    }

    @Test func anIdleEngineIsNotForgotten() throws {
        var world = try ClosedLoop(capacity: 32)
        try world.run(for: 120)
        world.demand = 2
        try world.run(for: 600)
        try world.expectLimit(near: 32)
    }
}

/// Clients that always want more than an engine takes, and a gateway that asks the detector before each request.
private struct ClosedLoop {
    private struct Open {
        let promptTokens: Int
        let openRequests: Int
        let sentAt: MonotonicInstant
        var firstByteAt: MonotonicInstant?
        let isHitKnown: Bool
    }

    var engine: SimulatedEngine
    /// The tokens that every response has.
    var output = 64
    /// The lengths of prompts, in turn.
    var promptLengths = [500]
    /// The share of prompts that begin as all others of their length do.
    var hitShare = 0.0
    /// The share of prompts of which the gateway learns what the engine had in its cache.
    var knownHitShare = 1.0
    /// The most requests that clients have open.
    var demand = 1_000

    private let detector: any SaturationDetector & ServiceObserver
    private let load = EndpointLoad()
    private let endpoint: EndpointSnapshot
    private var open: [SimulatedRequestID: Open] = [:]
    private var now = SimulatedTime.zero
    private var random = RandomSource(seed: 7)
    private var sent = 0

    init(capacity: Int) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        let plugin = try BuiltinCatalogue.registry()
            .make(
                type: "learned-capacity-detector",
                name: "detector",
                parameters: ParameterDecoder(value: nil),
                context: &context
            )
        detector = try #require(plugin as? any SaturationDetector & ServiceObserver)
        endpoint = EndpointSnapshot(
            id: EndpointID(name: "engine"),
            slot: 0,
            address: EndpointAddress(host: "10.0.0.1", port: 8000),
            load: load
        )
        engine = try Self.engine(capacity: capacity)
    }

    private static func engine(capacity: Int) throws -> SimulatedEngine {
        var parameters = EngineParameters()
        parameters.maxRunningSequences = capacity
        parameters.blockCount = 65_536
        return try SimulatedEngine(parameters: parameters)
    }

    /// The limit, by how much of it one request takes.
    private var limit: Double {
        let idle = EndpointSnapshot(id: endpoint.id, slot: 0, address: endpoint.address)
        let share = detector.fullness(of: idle, adding: PendingLoad(requests: 1, tokens: 0), now: instant) ?? 1
        return 1 / share
    }

    private var instant: MonotonicInstant { MonotonicInstant(nanoseconds: now.nanoseconds) }

    func expectLimit(near capacity: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let ratio = limit / Double(capacity)
        #expect((0.8...1.5).contains(ratio), "the limit is \(limit)", sourceLocation: sourceLocation)
    }

    /// Puts another engine in the place of this one, whose requests never end.
    mutating func replaceEngine(capacity: Int) throws {
        for _ in open { load.remove(tokens: 0) }
        open = [:]
        engine = try Self.engine(capacity: capacity)
        _ = engine.advance(to: now)
    }

    mutating func run(for seconds: Double) throws {
        let end = now + .seconds(seconds)
        while true {
            try submit()
            guard let next = engine.nextEventTime(), next <= end else { break }
            now = max(now, next)
            for event in engine.advance(to: now) { take(event) }
        }
        now = end
        for event in engine.advance(to: now) { take(event) }
    }

    private mutating func submit() throws {
        while load.requests < demand,
            let fullness = detector.fullness(of: endpoint, adding: .none, now: instant), fullness < 1
        {
            sent += 1
            let length = promptLengths[sent % promptLengths.count]
            let isHit = random.unit() < hitShare
            let common = isHit ? length * 9 / 10 : 0
            let prompt = (0..<length).map { SimulatedToken(value: UInt32($0 < common ? $0 : sent &* 8_192 &+ $0)) }
            let id = try engine.submit(SimulatedRequest(prompt: prompt, output: .exactly(output)), now: now)
            load.add(tokens: 0)
            open[id] = Open(
                promptTokens: length,
                openRequests: load.requests,
                sentAt: instant,
                isHitKnown: random.unit() < knownHitShare
            )
        }
    }

    private mutating func take(_ event: EngineEvent) {
        guard var request = open[event.id] else { return }
        let at = MonotonicInstant(nanoseconds: event.time.nanoseconds)
        switch event.kind {
        case .token(_, index: 0, _):
            request.firstByteAt = at
            open[event.id] = request
        case .token: break
        case .finished(let usage, _):
            open[event.id] = nil
            load.remove(tokens: 0)
            detector.served(
                ServedRequest(
                    endpoint: endpoint,
                    openRequests: request.openRequests,
                    uncachedTokens: request.promptTokens - (request.isHitKnown ? usage.cachedTokens : 0),
                    sentAt: request.sentAt,
                    firstByteAt: request.firstByteAt ?? at,
                    endedAt: at
                )
            )
        }
    }
}
