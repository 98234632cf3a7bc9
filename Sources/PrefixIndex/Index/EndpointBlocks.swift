/// A block in the order of an endpoint's blocks.
struct BlockNode: BitwiseCopyable {
    var key: BlockKey
    var newer: UInt32
    var older: UInt32

    /// What node 0 and nodes that were never used hold.
    static let unused = BlockNode(key: BlockKey(bits: 0), newer: 0, older: 0)
}

/// The blocks that one endpoint is believed to hold, in the order of their last use.
///
/// A ring of nodes. The node of a block that this endpoint alone has held is told by the ``HolderTable``; for *shared*
/// blocks, which others have held too, there is a table from key to node. Nothing is allocated once both have grown to
/// the capacity that is really used.
struct EndpointBlocks: ~Copyable, Sendable {
    /// More blocks than node numbers can count are never asked for.
    static let maxCapacity = Int(Int32.max) / 2

    /// Node 0 belongs to no block, so that no cell with a node is 0.
    private static let nobody: UInt32 = 0
    /// Up to this many nodes are kept when most of them are free.
    private static let minNodesToGiveBack = 64
    private static let fewestNodes = 8
    private static let tagMask: UInt64 = 0xFFFF_FFFF_0000_0000

    private var nodes: TableMemory<BlockNode>
    /// The nodes below this number are in the ring or free.
    private var usedNodes = 1
    /// The newest block's node; its `newer` is the oldest one's, which closes the ring. Means nothing without blocks.
    private var newest = Self.nobody
    /// The first of the nodes without a block, linked by `older`; ``nobody`` when there is none.
    private var firstFree = Self.nobody
    /// The shared blocks. Each cell is 0 or the upper half of a key and the number of its node; most foreign keys are
    /// told apart without a look at the node.
    private var cells = TableMemory<UInt64>(count: ProbeRing.minCells, repeating: 0)
    private var ring = ProbeRing(cells: ProbeRing.minCells)
    private var sharedCount = 0

    /// How many blocks there are.
    private(set) var count = 0
    /// How many blocks there may be; who inserts sees to it.
    var capacity: Int

    init(capacity: Int) {
        self.init(capacity: capacity, nodes: Self.fewestNodes)
    }

    private init(capacity: Int, nodes count: Int) {
        self.capacity = capacity
        nodes = TableMemory(count: count, repeating: .unused)
    }

    /// The bytes of heap that are reserved.
    var bytesUsed: Int { nodes.bytesUsed + cells.bytesUsed }

    /// Whether three quarters of the nodes are free, and it pays to give them back.
    var isSparse: Bool { nodes.count > Self.minNodesToGiveBack && count < nodes.count / 4 }

    /// Makes the block of a node the newest one.
    mutating func touch(_ node: UInt32) {
        if node == newest { return }
        // The oldest one already lies where the newest one belongs.
        if node != nodes[newest].newer {
            unlink(node)
            linkBehindNewest(node)
        }
        newest = node
    }

    /// Adds a block that is not there yet as the newest one; tells its node.
    mutating func insert(_ key: BlockKey) -> UInt32 {
        let node = takeNode()
        nodes[node].key = key
        if count == 0 {
            nodes[node].newer = node
            nodes[node].older = node
        } else {
            linkBehindNewest(node)
        }
        newest = node
        count += 1
        return node
    }

    /// Adds a block that is not there yet as the newest one in place of the oldest, of which there is one; tells its
    /// node and the block that it replaces. A shared one stays in the table of shared blocks.
    mutating func replaceOldest(with key: BlockKey) -> (node: UInt32, replaced: BlockKey) {
        newest = nodes[newest].newer
        let replaced = nodes[newest].key
        nodes[newest].key = key
        return (newest, replaced)
    }

    /// Takes the block out that was not used for longest; `nil` when there is none. A shared one stays in the table of
    /// shared blocks.
    mutating func removeOldest() -> (node: UInt32, key: BlockKey)? {
        guard count > 0 else { return nil }
        let node = nodes[newest].newer
        unlink(node)
        nodes[node].older = firstFree
        firstFree = node
        count -= 1
        return (node, nodes[node].key)
    }

    /// Calls `body` with the oldest blocks, at most `limit`, from the oldest on.
    func forEachOldest(_ limit: Int, _ body: (BlockKey) -> Void) {
        var node = nodes[newest].newer
        for _ in 0..<min(limit, count) {
            let block = nodes[node]
            body(block.key)
            node = block.newer
        }
    }

    /// Takes all blocks out and gives the memory back.
    mutating func removeAll() {
        self = EndpointBlocks(capacity: capacity)
    }

    /// Copies the blocks into memory of the right size, in the same order. Calls `body` with each and its new node's
    /// number; it tells whether the block is shared.
    mutating func compact(_ body: (BlockKey, UInt32) -> Bool) {
        var fresh = EndpointBlocks(capacity: capacity, nodes: count + 1)
        forEachOldest(count) { key in
            let node = fresh.insert(key)
            if body(key, node) { fresh.share(key, node) }
        }
        self = fresh
    }
}

// MARK: - The ring of nodes

extension EndpointBlocks {
    private mutating func takeNode() -> UInt32 {
        if firstFree != Self.nobody {
            let node = firstFree
            firstFree = nodes[node].older
            return node
        }
        if usedNodes == nodes.count {
            // Never more than the capacity can use: for most endpoints this saves half of the last doubling.
            let wanted = min(nodes.count * 2, max(capacity, count + 1) + 1)
            var old = TableMemory(count: wanted, repeating: BlockNode.unused)
            swap(&old, &nodes)
            for node in 0..<usedNodes { nodes[node] = old[node] }
        }
        usedNodes += 1
        return UInt32(usedNodes - 1)
    }

    private mutating func linkBehindNewest(_ node: UInt32) {
        let oldest = nodes[newest].newer
        nodes[node].newer = oldest
        nodes[node].older = newest
        nodes[newest].newer = node
        nodes[oldest].older = node
    }

    private mutating func unlink(_ node: UInt32) {
        let (newer, older) = (nodes[node].newer, nodes[node].older)
        nodes[newer].older = older
        nodes[older].newer = newer
    }
}

// MARK: - The table of shared blocks

extension EndpointBlocks {
    /// The node of a shared block. Inlined by demand, for the reason that ``HolderTable`` gives.
    @inline(__always)
    func node(ofShared key: BlockKey) -> UInt32 {
        let tag = Self.tag(of: key)
        var cell = ring.home(of: tag)
        while true {
            let value = cells[cell]
            precondition(value != 0, "a block that others hold too is not in its endpoint's table")
            if value & Self.tagMask == tag, nodes[Self.node(in: value)].key == key { return Self.node(in: value) }
            cell = ring.next(after: cell)
        }
    }

    /// Notes that the block of a node, which was not shared, is.
    mutating func share(_ key: BlockKey, _ node: UInt32) {
        if sharedCount >= ring.maxKeys { resize(cells: ring.cells * 2) }
        place(Self.cellValue(key, node))
        sharedCount += 1
    }

    /// Takes a shared block out of the table; its node may have been taken from it already.
    mutating func unshare(_ key: BlockKey, _ node: UInt32) {
        let wanted = Self.cellValue(key, node)
        var cell = ring.home(of: wanted)
        while cells[cell] != wanted {
            precondition(cells[cell] != 0, "a block that others hold too is not in its endpoint's table")
            cell = ring.next(after: cell)
        }
        empty(cell)
        sharedCount -= 1
        if ring.isSparse(keys: sharedCount) { resize(cells: ring.cells / 2) }
    }

    private static func cellValue(_ key: BlockKey, _ node: UInt32) -> UInt64 { tag(of: key) | UInt64(node) }

    private static func tag(of key: BlockKey) -> UInt64 { key.bits & tagMask }

    private static func node(in cell: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: cell) }

    private mutating func place(_ value: UInt64) {
        var cell = ring.home(of: value)
        while cells[cell] != 0 { cell = ring.next(after: cell) }
        cells[cell] = value
    }

    /// Empties a cell and closes the gap, so that every probe still ends at the first empty cell.
    private mutating func empty(_ cell: Int) {
        var hole = cell
        var next = ring.next(after: hole)
        while true {
            let value = cells[next]
            if value == 0 { break }
            if ring.canMove(from: next, to: hole, home: ring.home(of: value)) {
                cells[hole] = value
                hole = next
            }
            next = ring.next(after: next)
        }
        cells[hole] = 0
    }

    private mutating func resize(cells newCells: Int) {
        var old = TableMemory<UInt64>(count: newCells, repeating: 0)
        swap(&old, &cells)
        ring = ProbeRing(cells: newCells)
        for cell in 0..<old.count where old[cell] != 0 { place(old[cell]) }
    }
}

extension TableMemory<BlockNode> {
    fileprivate subscript(_ node: UInt32) -> BlockNode {
        get { self[Int(node)] }
        set { self[Int(node)] = newValue }
    }
}
