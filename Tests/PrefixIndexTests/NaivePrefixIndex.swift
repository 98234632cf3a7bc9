/// What the index promises, written for obviousness: arrays and linear search.
struct NaivePrefixIndex {
    let maxBlocks: Int
    let defaultCapacity: Int
    private(set) var evictions: UInt64 = 0
    private var donor = 0
    /// By slot: the capacity and the blocks, oldest first.
    private var endpoints: [(capacity: Int, blocks: [UInt64])] = []

    init(maxBlocks: Int, defaultCapacity: Int) {
        self.maxBlocks = maxBlocks
        self.defaultCapacity = min(defaultCapacity, maxBlocks)
    }

    var heldBlocksBySlot: [Int] { endpoints.map(\.blocks.count) }
    var heldBlocks: Int { heldBlocksBySlot.reduce(0, +) }
    var blocks: Int { Set(endpoints.flatMap(\.blocks)).count }

    func match(_ hashes: [UInt64], slots: Int) -> [Int32] {
        (0..<slots).map { slot in
            guard slot < endpoints.count else { return 0 }
            return Int32(hashes.prefix { endpoints[slot].blocks.contains($0) }.count)
        }
    }

    mutating func insert(_ hashes: [UInt64], slot: Int) {
        reserve(slot)
        for hash in hashes.prefix(endpoints[slot].capacity).reversed() {
            if let index = endpoints[slot].blocks.firstIndex(of: hash) {
                endpoints[slot].blocks.remove(at: index)
            } else if endpoints[slot].blocks.count == endpoints[slot].capacity {
                evict(slot)
            } else if heldBlocks == maxBlocks {
                evict(giver(for: slot))
            }
            endpoints[slot].blocks.append(hash)
        }
    }

    mutating func setCapacity(_ capacity: Int, slot: Int) {
        reserve(slot)
        endpoints[slot].capacity = min(max(0, capacity), maxBlocks)
        while endpoints[slot].blocks.count > endpoints[slot].capacity { evict(slot) }
    }

    mutating func removeSlot(_ slot: Int) {
        if slot < endpoints.count { endpoints[slot].blocks = [] }
    }

    private mutating func reserve(_ slot: Int) {
        while endpoints.count <= slot { endpoints.append((defaultCapacity, [])) }
    }

    private mutating func evict(_ slot: Int) {
        endpoints[slot].blocks.removeFirst()
        evictions += 1
    }

    private mutating func giver(for slot: Int) -> Int {
        let counts = heldBlocksBySlot
        let share = Double(maxBlocks) / Double(counts.count { $0 > 0 })
        if counts[slot] > 0, Double(counts[slot]) >= share { return slot }
        if Double(counts[donor]) <= share {
            // The one with most; of several the first.
            donor = counts.indices.reduce(0) { counts[$1] > counts[$0] ? $1 : $0 }
        }
        return donor
    }
}
