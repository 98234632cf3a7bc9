/// Which endpoint was sent which prompt prefixes, and so probably still has them in its cache.
///
/// An endpoint is a slot: a small number that the caller gives out and may use again after ``removeSlot(_:)``. Each
/// endpoint has an LRU of its own capacity, as its engine has a cache of its own. A prompt is a chain of block hashes
/// as ``BlockHasher`` makes them.
///
/// **Order.** An insertion uses the blocks of a prompt from the last to the first, so the first is the newest. An
/// extension therefore always goes before the prefix that it extends, and what an endpoint holds stays a set of whole
/// prefixes.
///
/// **Memory.** All endpoints together hold at most ``maxBlocks`` blocks, counted once for each holder. A block takes 40
/// to 80 bytes as a rule and 300 at worst, which is right after most blocks of a full index were dropped; to that come
/// the bit sets of blocks that many endpoints share. At the limit an endpoint that has its fair share gives up its own
/// oldest block for a new one; for any other the endpoint with most gives up its oldest.
///
/// The value has no synchronization of its own. Nothing in it depends on a clock, and the same calls give the same
/// answers in every process.
package struct LRUPrefixIndex: ~Copyable, Sendable {
    /// Slots are 0 ..< this.
    package static let maxSlots = 4096
    /// The capacity of an endpoint that nobody set another for: llm-d's `lruCapacityPerServer`.
    package static let defaultCapacity = 31_250
    /// Room for 268 endpoints of the default capacity; some 500 MB when full.
    package static let defaultMaxBlocks = 8 << 20

    /// The blocks whose places in the table are read ahead at once: with those that go for them, 64 reads.
    private static let batchBlocks = 32

    /// The most blocks that all endpoints hold together.
    package let maxBlocks: Int

    private let defaultCapacity: Int
    let multiplier: UInt64
    private(set) var holders = HolderTable()
    /// By slot; slots behind the end were never used.
    private var endpoints = OwnedArray<EndpointBlocks>()
    private var heldBlocks = 0
    private var occupiedSlots = 0
    private var evictions: UInt64 = 0
    /// The endpoint that gives up blocks for others as long as it has more than its share.
    private var donor = 0
    /// Takes what is read only to bring memory near, so that the compiler cannot leave the reading out.
    private var unusedReads: UInt64 = 0

    /// Makes an empty index.
    ///
    /// - Parameters:
    ///   - maxBlocks: the most blocks of all endpoints together, at least 1.
    ///   - defaultCapacity: the most blocks of an endpoint until ``setCapacity(_:slot:)`` says otherwise, at least 0.
    package init(maxBlocks: Int = Self.defaultMaxBlocks, defaultCapacity: Int = Self.defaultCapacity) {
        let secret = UInt64.random(in: 0...(.max)) | 1
        self.init(maxBlocks: maxBlocks, defaultCapacity: defaultCapacity, multiplier: secret)
    }

    /// Makes an empty index whose tables are laid out by `multiplier`, an odd number. Only where keys lie in the tables
    /// depends on it, never an answer.
    init(maxBlocks: Int, defaultCapacity: Int, multiplier: UInt64) {
        precondition(maxBlocks > 0, "an index of at most \(maxBlocks) blocks can hold nothing")
        self.maxBlocks = min(maxBlocks, EndpointBlocks.maxCapacity)
        self.defaultCapacity = min(max(0, defaultCapacity), self.maxBlocks)
        self.multiplier = multiplier
    }

    /// Notes that the endpoint of `slot` will hold the blocks of a prompt: the first as the newest of all, the others
    /// right behind it. Of a prompt longer than the endpoint's capacity only the start is kept.
    ///
    /// - Parameters:
    ///   - hashes: the prompt's block hashes, from the first block on.
    ///   - slot: 0 ..< ``maxSlots``.
    package mutating func insert(_ hashes: Span<UInt64>, slot: Int) {
        let endpoint = endpoint(slot)
        var end = min(hashes.count, endpoint.pointee.capacity)
        if end > 0 { holders.reserve(slot: slot) }
        while end > 0 {
            let batch = max(0, end - Self.batchBlocks)..<end
            bringNear(hashes, batch, slot)
            for index in batch.reversed() { use(BlockKey(hashes[index], multiplier: multiplier), slot, endpoint) }
            end = batch.lowerBound
        }
    }

    /// Sets the most blocks that an endpoint holds, and drops its oldest ones that are too many. Takes time in
    /// proportion to the blocks that it drops.
    ///
    /// - Parameters:
    ///   - capacity: in blocks; below 0 counts as 0, above ``maxBlocks`` as that.
    ///   - slot: 0 ..< ``maxSlots``.
    package mutating func setCapacity(_ capacity: Int, slot: Int) {
        let endpoint = endpoint(slot)
        let capacity = min(max(0, capacity), maxBlocks)
        while endpoint.pointee.count > capacity { evictOldest(slot) }
        endpoint.pointee.capacity = capacity
    }

    /// Forgets all blocks of an endpoint; its capacity stays. Takes time in proportion to the blocks.
    ///
    /// - Parameter slot: 0 ..< ``maxSlots``.
    package mutating func removeSlot(_ slot: Int) {
        precondition((0..<Self.maxSlots).contains(slot), "slot \(slot) is not in 0 ..< \(Self.maxSlots)")
        guard slot < endpoints.count else { return }
        let endpoint = endpoints[slot]
        guard endpoint.pointee.count > 0 else { return }
        heldBlocks -= endpoint.pointee.count
        occupiedSlots -= 1
        endpoint.pointee.forEachOldest(endpoint.pointee.count) { _ = holders.remove(slot, key: $0) }
        endpoint.pointee.removeAll()
    }

    /// What the index holds now. Takes time in proportion to the number of slots.
    package borrowing func statistics() -> IndexStatistics {
        var heldBlocksBySlot: [Int] = []
        var bytesUsed = holders.bytesUsed + endpoints.bytesUsed
        for slot in 0..<endpoints.count {
            heldBlocksBySlot.append(endpoints[slot].pointee.count)
            bytesUsed += endpoints[slot].pointee.bytesUsed
        }
        return IndexStatistics(
            blocks: holders.count,
            heldBlocks: heldBlocks,
            heldBlocksBySlot: heldBlocksBySlot,
            evictions: evictions,
            bytesUsed: bytesUsed
        )
    }
}

extension LRUPrefixIndex {
    /// The endpoint of a slot, which is made if it is new.
    private mutating func endpoint(_ slot: Int) -> UnsafeMutablePointer<EndpointBlocks> {
        precondition((0..<Self.maxSlots).contains(slot), "slot \(slot) is not in 0 ..< \(Self.maxSlots)")
        while endpoints.count <= slot { endpoints.append(EndpointBlocks(capacity: defaultCapacity)) }
        return endpoints[slot]
    }

    /// Reads once where the blocks of a batch, and those that go for them, lie in the table.
    ///
    /// The table is far larger than the processor's caches, and each block lies elsewhere. The readings depend on
    /// nothing before them, so the processor waits for all of them at once instead of for one after the other.
    private mutating func bringNear(_ hashes: Span<UInt64>, _ batch: Range<Int>, _ slot: Int) {
        let endpoint = endpoints[slot]
        var reads: UInt64 = 0
        for index in batch { reads &+= holders.home(of: BlockKey(hashes[index], multiplier: multiplier)) }
        // Who holds a block of a prompt holds those before it: then nothing goes for the blocks of the batch.
        let last = holders.place(of: BlockKey(hashes[batch.upperBound - 1], multiplier: multiplier))
        if endpoint.pointee.count + batch.count > endpoint.pointee.capacity, !holders.contains(slot, at: last) {
            endpoint.pointee.forEachOldest(batch.count) { reads &+= holders.home(of: $0) }
        }
        unusedReads &+= reads
    }

    /// Makes a block the newest of an endpoint, whose capacity is not 0.
    ///
    /// The two steps of an addition that a full endpoint takes are inlined by demand: 5 % of the time.
    private mutating func use(_ key: BlockKey, _ slot: Int, _ endpoint: UnsafeMutablePointer<EndpointBlocks>) {
        let place = holders.place(of: key)
        let found = holders[place]
        if found.isSole(slot) {
            endpoint.pointee.touch(found.node)
            return
        }
        if !found.isEmpty, holders.contains(slot, in: found.plain) {
            endpoint.pointee.touch(endpoint.pointee.node(ofShared: key))
            return
        }
        let (node, dropped) = add(key, slot, endpoint)
        if found.isEmpty {
            holders.insert(sole: slot, node: node, key: key, at: place)
        } else {
            if found.isSole { endpoints[found.plain[0]].pointee.share(key, found.node) }
            endpoint.pointee.share(key, node)
            holders.insert(slot, at: place)
        }
        // Not before: the place of the new block moves when a block is taken out of the table.
        if let dropped { forget(dropped) }
    }

    /// Adds a block to those of an endpoint only; tells its node and the block that goes for it, if one has to.
    @inline(__always)
    private mutating func add(
        _ key: BlockKey,
        _ slot: Int,
        _ endpoint: UnsafeMutablePointer<EndpointBlocks>
    ) -> (node: UInt32, dropped: DroppedBlock?) {
        if endpoint.pointee.count >= endpoint.pointee.capacity {
            let (node, replaced) = endpoint.pointee.replaceOldest(with: key)
            return (node, DroppedBlock(slot: slot, key: replaced, node: node))
        }
        let dropped = heldBlocks >= maxBlocks ? takeOldest(slotToGiveUpBlock(for: slot)) : nil
        if endpoint.pointee.count == 0 { occupiedSlots += 1 }
        heldBlocks += 1
        return (endpoint.pointee.insert(key), dropped)
    }

    private mutating func evictOldest(_ slot: Int) {
        if let dropped = takeOldest(slot) { forget(dropped) }
    }

    /// Takes the oldest block from those of an endpoint only.
    private mutating func takeOldest(_ slot: Int) -> DroppedBlock? {
        guard let (node, key) = endpoints[slot].pointee.removeOldest() else { return nil }
        heldBlocks -= 1
        if endpoints[slot].pointee.count == 0 { occupiedSlots -= 1 }
        return DroppedBlock(slot: slot, key: key, node: node)
    }

    /// Takes a block that its endpoint's order has lost out of the tables too.
    @inline(__always)
    private mutating func forget(_ block: DroppedBlock) {
        let endpoint = endpoints[block.slot]
        if !holders.remove(block.slot, key: block.key) { endpoint.pointee.unshare(block.key, block.node) }
        evictions += 1
        if endpoint.pointee.isSparse {
            endpoint.pointee.compact { !holders.renumber(block.slot, node: $1, key: $0) }
        }
    }

    /// The endpoint whose oldest block goes when the index is full and `slot` needs room.
    ///
    /// The donor is looked for only when the one before is down to its share, so that the search over all slots is paid
    /// by many insertions.
    private mutating func slotToGiveUpBlock(for slot: Int) -> Int {
        let own = endpoints[slot].pointee.count
        if own * occupiedSlots >= maxBlocks, own > 0 { return slot }
        if endpoints[donor].pointee.count * occupiedSlots <= maxBlocks {
            donor = 0
            for other in 1..<endpoints.count where endpoints[other].pointee.count > endpoints[donor].pointee.count {
                donor = other
            }
        }
        return donor
    }
}

/// A block that an endpoint gave up, and the node where it lay.
private struct DroppedBlock {
    let slot: Int
    let key: BlockKey
    let node: UInt32
}
