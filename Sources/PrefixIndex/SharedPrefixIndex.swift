import Synchronization

/// A prefix index that many requests use at once.
///
/// Every call is one short critical section, so that a request waits for microseconds of another's work, not longer.
/// ``withIndex(_:)`` does several steps in one.
package final class SharedPrefixIndex: Sendable {
    private let index: Mutex<LRUPrefixIndex>

    /// Makes an empty index; see ``LRUPrefixIndex/init(maxBlocks:defaultCapacity:)``.
    package init(
        maxBlocks: Int = LRUPrefixIndex.defaultMaxBlocks,
        defaultCapacity: Int = LRUPrefixIndex.defaultCapacity
    ) {
        index = Mutex(LRUPrefixIndex(maxBlocks: maxBlocks, defaultCapacity: defaultCapacity))
    }

    /// Calls `body` with the index while nobody else uses it.
    package func withIndex<Result>(_ body: (inout LRUPrefixIndex) throws -> Result) rethrows -> Result {
        try index.withLock { try body(&$0) }
    }

    /// The blocks of a prompt that each endpoint holds from the first on; see ``LRUPrefixIndex/match(_:into:)``.
    ///
    /// - Parameters:
    ///   - hashes: the prompt's block hashes, from the first block on.
    ///   - slots: how many slots are wanted, counted from 0.
    /// - Returns: by slot, `slots` numbers.
    package func matches(_ hashes: [UInt64], slots: Int) -> [Int32] {
        var matches = [Int32](repeating: 0, count: slots)
        index.withLock { index in
            var span = matches.mutableSpan
            index.match(hashes.span, into: &span)
        }
        return matches
    }

    /// Notes that an endpoint will hold the blocks of a prompt; see ``LRUPrefixIndex/insert(_:slot:)``.
    package func insert(_ hashes: [UInt64], slot: Int) {
        index.withLock { $0.insert(hashes.span, slot: slot) }
    }

    /// Sets the most blocks that an endpoint holds; see ``LRUPrefixIndex/setCapacity(_:slot:)``.
    package func setCapacity(_ capacity: Int, slot: Int) {
        index.withLock { $0.setCapacity(capacity, slot: slot) }
    }

    /// Forgets an endpoint; see ``LRUPrefixIndex/removeSlot(_:)``.
    package func removeSlot(_ slot: Int) {
        index.withLock { $0.removeSlot(slot) }
    }

    /// What the index holds now.
    package func statistics() -> IndexStatistics {
        index.withLock { $0.statistics() }
    }
}
