import GatewayCore
import ModelServerSimulator

/// A place where a model server can listen, and the server that does, if any.
///
/// A server that is killed takes its queue, its batch and its cache with it; the next one at the place starts cold.
final class SimulatedEndpoint {
    /// The endpoint as a source of endpoints describes it.
    let description: EndpointDescription
    private let parameters: EngineParameters
    /// A server as it starts.
    private let coldEngine: SimulatedEngine
    private var engine: SimulatedEngine?
    /// When the server does something next of its own accord; `nil` for never.
    private(set) var nextEventTime: MonotonicInstant?
    /// The totals of the servers that were killed.
    private var past = EngineSums()
    /// The connections that the gateway keeps to the present server and that carry no request.
    private var idleConnections = 0
    /// Which request of the present server is which of the simulation.
    private(set) var open: [SimulatedRequestID: Int] = [:]

    init(index: Int, parameters: EngineParameters) throws(EngineParametersError) {
        description = EndpointDescription(
            id: EndpointID(name: "engine-\(index)"),
            address: EndpointAddress(host: "10.0.0.\(index + 1)", port: 8000)
        )
        self.parameters = parameters
        coldEngine = try SimulatedEngine(parameters: parameters)
        engine = coldEngine
    }

    /// Whether somebody listens.
    var isUp: Bool { engine != nil }

    /// What the servers at this place counted, all together.
    var sums: EngineSums {
        guard let engine else { return past }
        return past + EngineSums(engine.counters.totals)
    }

    /// The metrics page of the present server; `nil` when nobody listens.
    var page: String? {
        engine.map { EnginePage.text(of: $0.counters, parameters: parameters) }
    }

    /// A request on its way into a server.
    struct Submission: Hashable {
        /// The server's name for it.
        let id: SimulatedRequestID
        /// Whether it went over a connection that had served another one.
        let isOnReusedConnection: Bool
    }

    /// Sends a request to the server.
    ///
    /// - Returns: `nil` when nobody listens.
    /// - Throws: why the server refuses it.
    func submit(
        _ request: SimulatedRequest,
        number: Int,
        at now: MonotonicInstant
    ) throws(SimulatedRejection) -> Submission? {
        guard engine != nil, let id = try engine?.submit(request, now: SimulatedTime(now)) else { return nil }
        open[id] = number
        noteNextEvent()
        let isReused = idleConnections > 0
        if isReused { idleConnections -= 1 }
        return Submission(id: id, isOnReusedConnection: isReused)
    }

    /// Lets the server work up to `now`.
    func advance(to now: MonotonicInstant) -> [EngineEvent] {
        defer { noteNextEvent() }
        return engine?.advance(to: SimulatedTime(now)) ?? []
    }

    /// Forgets a request whose last byte was received.
    func noteFinished(_ id: SimulatedRequestID) {
        open[id] = nil
        idleConnections += 1
    }

    /// Closes the connection of a request, with which the server drops it.
    func abandon(_ id: SimulatedRequestID, at now: MonotonicInstant) {
        open[id] = nil
        _ = engine?.cancel(id, now: SimulatedTime(now))
        noteNextEvent()
    }

    /// Ends the server without a warning.
    ///
    /// - Returns: the requests that it had, by the simulation's numbers, in their order.
    func kill() -> [Int] {
        if let engine { past = past + EngineSums(engine.counters.totals) }
        engine = nil
        nextEventTime = nil
        idleConnections = 0
        defer { open = [:] }
        return open.values.sorted()
    }

    /// Starts a server where none is.
    func start() {
        if engine == nil { engine = coldEngine }
    }

    /// Sets the factor on the duration of the server's steps; 1 is normal.
    func slow(by factor: Double) {
        engine?.slowdown = factor
    }

    /// Kept, as every step of a run asks every endpoint for it.
    private func noteNextEvent() {
        nextEventTime = engine?.nextEventTime().map { MonotonicInstant(nanoseconds: $0.nanoseconds) }
    }
}

/// What engines counted; sums of ``ModelServerSimulator/EngineTotals``.
package struct EngineSums: Hashable, Sendable {
    /// Requests taken in.
    package var accepted = 0
    /// Requests answered whole.
    package var finished = 0
    /// Requests whose client or gateway went away.
    package var cancelled = 0
    /// Requests that lost their blocks and began again.
    package var preemptions = 0
    /// Prompt tokens that were looked for in prefix caches.
    package var queriedTokens = 0
    /// Prompt tokens that were found there.
    package var hitTokens = 0
    /// Cached blocks that gave way to others.
    package var evictedBlocks = 0

    init() {}

    init(_ totals: EngineTotals) {
        accepted = totals.accepted
        finished = totals.finishedStop + totals.finishedLength
        cancelled = totals.cancelled
        preemptions = totals.preemptions
        queriedTokens = totals.prefixQueryTokens
        hitTokens = totals.prefixHitTokens
        evictedBlocks = totals.evictedBlocks
    }

    static func + (left: EngineSums, right: EngineSums) -> EngineSums {
        var sums = left
        sums.accepted += right.accepted
        sums.finished += right.finished
        sums.cancelled += right.cancelled
        sums.preemptions += right.preemptions
        sums.queriedTokens += right.queriedTokens
        sums.hitTokens += right.hitTokens
        sums.evictedBlocks += right.evictedBlocks
        return sums
    }
}

extension SimulatedTime {
    /// The engines' time of `instant`: both lines begin at zero.
    init(_ instant: MonotonicInstant) {
        self.init(nanoseconds: instant.nanoseconds)
    }
}
