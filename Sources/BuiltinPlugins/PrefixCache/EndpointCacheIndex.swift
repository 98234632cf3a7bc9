import GatewayCore
import PrefixIndex

/// What the caches of one pool's endpoints are believed to hold, by hash: an index that knows lives of endpoints and
/// not only slots.
///
/// A slot is used again after its endpoint left, and an engine that starts anew begins with empty caches. This keeps
/// which life a slot's entries belong to, so that a new endpoint or engine never inherits the entries of the one
/// before, and a request that was sent to the old one never adds to it.
struct EndpointCacheIndex: ~Copyable {
    /// Slots are 0 ..< this; others hold nothing.
    static let maxSlots = LRUPrefixIndex.maxSlots

    /// One life of one engine, in the order in which they follow each other in a slot.
    private struct Life: Comparable {
        let incarnation: Int
        let engineRestarts: Int

        init(_ endpoint: EndpointSnapshot) {
            incarnation = endpoint.incarnation
            engineRestarts = endpoint.metrics.engineRestarts
        }

        /// The first life that can follow in the slot when `endpoint` has left.
        init(after endpoint: EndpointSnapshot) {
            let isLast = endpoint.incarnation == .max
            incarnation = isLast ? .max : endpoint.incarnation + 1
            engineRestarts = isLast ? .max : .min
        }

        static func < (left: Life, right: Life) -> Bool {
            (left.incarnation, left.engineRestarts) < (right.incarnation, right.engineRestarts)
        }
    }

    private var index: LRUPrefixIndex
    /// By slot: the life that the slot's entries belong to; older ones are refused. `nil` before the first.
    private var lives: [Life?] = []
    /// By slot: the capacity that the index was last told.
    private var capacities: [Int] = []

    /// Makes an empty index.
    ///
    /// - Parameter maxEntries: the most entries of all endpoints together; at the limit those who hold most give up
    ///   their oldest.
    init(maxEntries: Int = LRUPrefixIndex.defaultMaxBlocks) {
        index = LRUPrefixIndex(maxBlocks: maxEntries)
    }

    /// Counts the blocks of `hashes` that each candidate holds from the first on, by slot.
    mutating func match(_ hashes: [UInt64], candidates: Candidates) -> [Int32] {
        var matches = emptyMatches(candidates)
        guard !hashes.isEmpty else { return matches }
        var span = matches.mutableSpan
        index.match(hashes.span, into: &span)
        dropFormerLives(candidates, &matches)
        return matches
    }

    /// Counts those of `hashes` that each candidate holds, in any order, by slot.
    mutating func count(_ hashes: [UInt64], candidates: Candidates) -> [Int32] {
        var counts = emptyMatches(candidates)
        for hash in hashes {
            index.forEachHolder(of: hash) { if $0 < counts.count { counts[$0] += 1 } }
        }
        dropFormerLives(candidates, &counts)
        return counts
    }

    /// Notes that `endpoint` will hold the blocks of `hashes`, the first as the newest, and no more than `capacity` in
    /// all.
    mutating func insert(_ hashes: [UInt64], endpoint: EndpointSnapshot, capacity: Int) {
        guard !hashes.isEmpty, admit(endpoint) else { return }
        if capacities[endpoint.slot] != capacity {
            capacities[endpoint.slot] = capacity
            index.setCapacity(capacity, slot: endpoint.slot)
        }
        index.insert(hashes.span, slot: endpoint.slot)
    }

    /// Drops what `endpoint` holds. Requests that are still on their way to it add nothing any more.
    mutating func forget(_ endpoint: EndpointSnapshot) {
        guard admit(endpoint) else { return }
        index.removeSlot(endpoint.slot)
        lives[endpoint.slot] = Life(after: endpoint)
    }

    /// How many entries there are, of all endpoints together.
    var entryCount: Int { index.statistics().heldBlocks }

    /// Whether `endpoint` holds `hash`.
    mutating func holds(_ hash: UInt64, endpoint: EndpointSnapshot) -> Bool {
        var isHeld = false
        index.forEachHolder(of: hash) { if $0 == endpoint.slot { isHeld = true } }
        return isHeld && isCurrent(endpoint)
    }

    /// Zeros for the slots of the candidates; slots that the index cannot hold are left out.
    private func emptyMatches(_ candidates: Candidates) -> [Int32] {
        var highestSlot = -1
        for position in candidates.positions { highestSlot = max(highestSlot, candidates.all[position].slot) }
        return [Int32](repeating: 0, count: min(highestSlot, Self.maxSlots - 1) + 1)
    }

    private func dropFormerLives(_ candidates: Candidates, _ matches: inout [Int32]) {
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            if matches.indices.contains(endpoint.slot), !isCurrent(endpoint) { matches[endpoint.slot] = 0 }
        }
    }

    private func isCurrent(_ endpoint: EndpointSnapshot) -> Bool {
        lives.indices.contains(endpoint.slot) && lives[endpoint.slot] == Life(endpoint)
    }

    /// Makes `endpoint` the owner of its slot, unless a later life has been seen there.
    private mutating func admit(_ endpoint: EndpointSnapshot) -> Bool {
        guard endpoint.slot >= 0, endpoint.slot < Self.maxSlots else { return false }
        while lives.count <= endpoint.slot {
            lives.append(nil)
            capacities.append(-1)
        }
        let life = Life(endpoint)
        guard let known = lives[endpoint.slot], known >= life else {
            index.removeSlot(endpoint.slot)
            lives[endpoint.slot] = life
            return true
        }
        return known == life
    }
}
