/// A request inside the engine, waiting or running.
struct SequenceState {
    let id: SimulatedRequestID
    let adapter: String?
    let promptTokens: Int
    /// Tokens to generate; 0 for a request that only has its prompt computed.
    let outputLimit: Int
    let finishReason: SimulatedFinishReason
    let submittedAt: SimulatedTime
    /// The first moment at which the sequence may be scheduled.
    let readyAt: SimulatedTime

    var text: GeneratedText
    var chain: BlockHash
    var blocks: [KVBlockPool.Block] = []
    var publishedBlocks = 0

    var outputTokens = 0
    /// Tokens whose keys and values are in the cache.
    var computedTokens = 0
    /// Tokens the step under way computes for this sequence.
    var scheduledTokens = 0
    /// Prompt tokens found in the cache when the sequence first ran.
    var cachedTokens = 0

    var firstScheduledAt: SimulatedTime?
    var lastTokenAt: SimulatedTime?

    /// Tokens of the sequence so far. The newest output token is among them before it has been computed.
    var totalTokens: Int {
        promptTokens + outputTokens
    }

    var usage: SimulatedUsage {
        SimulatedUsage(promptTokens: promptTokens, cachedTokens: cachedTokens, outputTokens: outputTokens)
    }
}

/// Requests that wait, first come first served, with room at the front for preempted ones.
struct WaitingQueue {
    private var storage: [SequenceState?] = []
    private var head = 0

    var count: Int {
        storage.count - head
    }

    var isEmpty: Bool {
        count == 0
    }

    /// The waiting sequences, first the next to run.
    var elements: some Sequence<SequenceState> {
        storage[head...].lazy.compactMap { $0 }
    }

    subscript(offset: Int) -> SequenceState? {
        storage.indices.contains(head + offset) ? storage[head + offset] : nil
    }

    mutating func append(_ sequence: SequenceState) {
        storage.append(sequence)
    }

    mutating func prepend(_ sequence: SequenceState) {
        if head > 0 {
            head -= 1
            storage[head] = sequence
        } else {
            storage.insert(sequence, at: 0)
        }
    }

    mutating func remove(at offset: Int) {
        guard offset == 0 else {
            storage.remove(at: head + offset)
            return
        }
        storage[head] = nil
        head += 1
        // The vacated front is given back once it is the larger half, so that each removal costs constant time on
        // average.
        if head > 32, head * 2 > storage.count {
            storage.removeFirst(head)
            head = 0
        }
    }

    /// Removes a sequence wherever it stands; nil when it is not here.
    mutating func remove(id: SimulatedRequestID) -> SequenceState? {
        guard let index = storage[head...].firstIndex(where: { $0?.id == id }), let found = storage[index] else {
            return nil
        }
        remove(at: index - head)
        return found
    }
}
