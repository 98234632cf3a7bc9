/// An inference engine without a model: continuous batching, chunked prefill, a paged KV cache with prefix caching,
/// preemption and adapter slots, over virtual time.
///
/// It is a value without clock, thread or I/O. The driver submits requests, asks for the time of the next event, and
/// advances the engine to it; equal calls give equal answers. The rules of scheduling are those of vLLM's scheduler
/// (version 1):
///
/// - Time goes by in steps. A step computes one token of each decoding sequence and as many prompt tokens as its budget
///   leaves, and lasts as long as both take together. The token it makes for a sequence appears at its end.
/// - Running sequences come first, in order of admission; then waiting requests in order of arrival, as long as the
///   batch, the budget and the cache have room. A request whose adapter is not resident is passed over; no other
///   request is.
/// - A sequence that needs a block when none is free takes those of the sequence admitted last, which goes back to the
///   front of the queue and is computed again.
package struct SimulatedEngine: Sendable {
    /// What the engine can do; fixed for its life.
    package let parameters: EngineParameters

    /// Factor on the duration of the steps that begin from now on: 1 is normal, 2 is half as fast. From 0.001 to
    /// 1,000,000; a value outside becomes the nearest one inside, and what is not a number becomes 1.
    package var slowdown = 1.0 {
        didSet {
            slowdown = slowdown.isNaN ? 1 : min(max(slowdown, 0.001), 1_000_000)
        }
    }

    var now = SimulatedTime.zero
    var running: [SequenceState] = []
    var waiting = WaitingQueue()
    var pool: KVBlockPool
    var adapters: AdapterSlots
    var totals = EngineTotals()
    var step: Step?
    private var idleWake: SimulatedTime?
    private var submissions: UInt64 = 0

    /// The step under way.
    struct Step {
        var end: SimulatedTime
        var seconds: Double
        var hasPrefill: Bool
    }

    /// An engine that holds nothing, at time zero.
    /// - Throws: ``EngineParametersError`` when a parameter is out of its range.
    package init(parameters: EngineParameters = EngineParameters()) throws(EngineParametersError) {
        try parameters.validate()
        self.parameters = parameters
        self.pool = KVBlockPool(blockCount: parameters.blockCount)
        self.adapters = AdapterSlots(capacity: parameters.maxLoRAs, loadTime: parameters.adapterLoadTime)
    }

    /// Takes a request in.
    ///
    /// - Parameter time: when it arrives. A time before one the engine has already seen counts as that one.
    /// - Returns: the identity its events will carry.
    /// - Throws: ``SimulatedRejection`` when the engine cannot or will not take it.
    package mutating func submit(
        _ request: SimulatedRequest,
        now time: SimulatedTime
    ) throws(SimulatedRejection) -> SimulatedRequestID {
        now = max(now, time)
        if let limit = parameters.maxQueuedRequests, running.count + waiting.count >= limit {
            totals.rejectedQueueFull += 1
            throw .queueFull(limit: limit)
        }
        let sequence: SequenceState
        do throws(SimulatedRejection) {
            sequence = try makeSequence(for: request)
        } catch {
            totals.rejectedInvalid += 1
            throw error
        }
        submissions += 1
        totals.accepted += 1
        waiting.append(sequence)
        if step == nil {
            idleWake = min(idleWake ?? .distantFuture, sequence.readyAt)
        }
        return sequence.id
    }

    /// Ends a request at once: its blocks are free when the call returns, and no event follows for it.
    ///
    /// - Returns: whether the request was still alive.
    package mutating func cancel(_ id: SimulatedRequestID, now time: SimulatedTime) -> Bool {
        now = max(now, time)
        if let index = running.firstIndex(where: { $0.id == id }) {
            let sequence = running.remove(at: index)
            pool.release(sequence.blocks)
            if let adapter = sequence.adapter {
                adapters.release(adapter)
            }
        } else if waiting.remove(id: id) == nil {
            return false
        }
        // What was arranged for it must not count for whoever comes next.
        if waiting.isEmpty, step == nil { idleWake = nil }
        totals.cancelled += 1
        return true
    }

    /// When something happens next if nothing else is submitted; nil when the engine is idle.
    package func nextEventTime() -> SimulatedTime? {
        if let step {
            return step.end
        }
        return waiting.isEmpty ? nil : idleWake
    }

    /// Lets everything happen that happens up to and at `time`, and returns it in order.
    package mutating func advance(to time: SimulatedTime) -> [EngineEvent] {
        var events: [EngineEvent] = []
        while let next = nextEventTime(), next <= time {
            now = max(now, next)
            if let ended = step {
                step = nil
                complete(ended, at: next, into: &events)
            }
            beginStep(at: next)
        }
        now = max(now, time)
        return events
    }

    /// Names of the adapters of all running and waiting requests, sorted.
    package var wantedAdapters: [String] {
        Set(running.compactMap(\.adapter)).union(waiting.elements.compactMap(\.adapter)).sorted()
    }

    /// Frees an adapter's slot, as its unloading does. Sequences that run with it go on.
    package mutating func removeAdapter(_ adapter: String) {
        adapters.remove(adapter)
    }

    /// Forgets every cached prefix that no sequence uses.
    package mutating func resetPrefixCache() {
        pool.forgetFreeBlocks()
    }

    /// What the engine tells about itself now. Costs time in proportion to the waiting requests.
    package var counters: EngineCounters {
        var counters = EngineCounters()
        counters.running = running.count
        counters.waiting = waiting.count
        counters.waitingForAdapter = waiting.elements.count { sequence in
            sequence.adapter.map { !adapters.isResident($0, at: now) } ?? false
        }
        counters.cacheUsage = pool.usage
        counters.usedBlocks = pool.usableCount - pool.freeCount
        counters.cachedBlocks = pool.cachedCount
        counters.runningAdapters = Set(running.compactMap(\.adapter)).sorted()
        counters.waitingAdapters = Set(waiting.elements.compactMap(\.adapter)).sorted()
        counters.residentAdapters = adapters.residents(at: now)
        counters.totals = totals
        counters.totals.evictedBlocks = pool.evictions
        counters.totals.adapterLoads = adapters.loads
        return counters
    }

    /// Begins the next step, or notes when the next one could begin.
    private mutating func beginStep(at time: SimulatedTime) {
        step = planStep(at: time)
        idleWake = nil
        guard step == nil, !waiting.isEmpty else {
            return
        }
        // Nothing runs, so every block and every loaded slot can be had: what waits can only wait for its own time or a
        // load.
        let ready = waiting.elements.lazy.map(\.readyAt).first { $0 > time }
        idleWake = [ready, adapters.nextLoadEnd(after: time)].compactMap { $0 }.min()
    }

    private func makeSequence(for request: SimulatedRequest) throws(SimulatedRejection) -> SequenceState {
        let promptTokens = request.prompt.count
        guard promptTokens > 0 else {
            throw .emptyPrompt
        }
        if let adapter = request.adapter, parameters.maxLoRAs == 0 {
            throw .adaptersDisabled(adapter: adapter)
        }
        var chain = BlockHash(blockSize: parameters.blockSizeTokens, salt: BlockHash.salt(of: request.adapter))
        chain.append(contentsOf: request.prompt)
        var random = SeededRandom(
            seed: chain.digest ^ BlockHash.scramble(parameters.seed) ^ BlockHash.scramble(~request.variation)
        )
        let natural = 1 + random.next(below: parameters.maxNaturalOutputTokens)

        let room = parameters.effectiveMaxModelLength - promptTokens
        let requested: Int
        let reason: SimulatedFinishReason
        switch request.output {
        case .none:
            (requested, reason) = (0, .stop)
        case .unbounded:
            (requested, reason) = (max(1, room), .length)
        case .exactly(let count):
            (requested, reason) = (max(1, count), .length)
        case .natural(limit: nil):
            (requested, reason) = (min(natural, max(1, room)), natural <= room ? .stop : .length)
        case .natural(limit: let limit?):
            (requested, reason) = (max(1, min(natural, limit)), natural <= limit ? .stop : .length)
        }
        guard requested <= room else {
            throw .tooLong(
                promptTokens: promptTokens, outputTokens: requested, limit: parameters.effectiveMaxModelLength
            )
        }
        return SequenceState(
            id: SimulatedRequestID(number: submissions),
            adapter: request.adapter,
            promptTokens: promptTokens,
            outputLimit: requested,
            finishReason: reason,
            submittedAt: now,
            readyAt: now + parameters.timeToFirstTokenOverhead,
            text: GeneratedText(seed: random.next()),
            chain: chain
        )
    }
}
