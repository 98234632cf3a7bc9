import GatewayCore
import PrefixIndex

/// The index of one pool, which knows lives of endpoints and not only slots.
///
/// A slot is used again after its endpoint left. This keeps which incarnation a slot's blocks belong to, so that a new
/// endpoint never inherits the blocks of the one before, and a request that was sent to the old one never adds to it.
struct ApproximatePrefixIndex: ~Copyable {
    private var index = LRUPrefixIndex()
    /// By slot: the incarnation that the slot's blocks belong to; older ones are refused. -1 before the first.
    private var incarnations: [Int] = []
    /// By slot: the capacity that the index was last told.
    private var capacities: [Int] = []

    /// Counts the blocks of `hashes` that each candidate holds from the first on, by slot.
    mutating func match(_ hashes: [UInt64], candidates: Candidates) -> [Int32] {
        var highestSlot = -1
        for position in candidates.positions { highestSlot = max(highestSlot, candidates.all[position].slot) }
        var matches = [Int32](repeating: 0, count: min(highestSlot, LRUPrefixIndex.maxSlots - 1) + 1)
        guard !hashes.isEmpty else { return matches }
        var span = matches.mutableSpan
        index.match(hashes.span, into: &span)
        for position in candidates.positions {
            let endpoint = candidates.all[position]
            if matches.indices.contains(endpoint.slot), !isCurrent(endpoint) { matches[endpoint.slot] = 0 }
        }
        return matches
    }

    /// Notes that `endpoint` will hold the blocks of `hashes`, and no more than `capacity` in all.
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
        incarnations[endpoint.slot] = endpoint.incarnation == .max ? .max : endpoint.incarnation + 1
    }

    private func isCurrent(_ endpoint: EndpointSnapshot) -> Bool {
        incarnations.indices.contains(endpoint.slot) && incarnations[endpoint.slot] == endpoint.incarnation
    }

    /// Makes `endpoint` the owner of its slot, unless a later life has been seen there.
    private mutating func admit(_ endpoint: EndpointSnapshot) -> Bool {
        guard endpoint.slot >= 0, endpoint.slot < LRUPrefixIndex.maxSlots else { return false }
        while incarnations.count <= endpoint.slot {
            incarnations.append(-1)
            capacities.append(-1)
        }
        let known = incarnations[endpoint.slot]
        if endpoint.incarnation < known { return false }
        if endpoint.incarnation > known {
            index.removeSlot(endpoint.slot)
            incarnations[endpoint.slot] = endpoint.incarnation
        }
        return true
    }
}
