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
/// A ring of nodes, and a table from key to node. Nothing is allocated once both have grown to the capacity that is
/// really used.
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
    /// Each cell is 0 or the upper half of a key and the number of its node; most foreign keys are told apart without a
    /// look at the node.
    private var cells = TableMemory<UInt64>(count: ProbeRing.minCells, repeating: 0)
    private var ring = ProbeRing(cells: ProbeRing.minCells)

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

    /// Where the block lies in the table if it is there, else the empty cell where it belongs; good until a block is
    /// added or taken out.
    func cell(of key: BlockKey) -> Int {
        let tag = Self.tag(of: key)
        var cell = ring.home(of: tag)
        while true {
            let value = cells[cell]
            if value == 0 { return cell }
            if value & Self.tagMask == tag, nodes[Self.node(in: value)].key == key { return cell }
            cell = ring.next(after: cell)
        }
    }

    /// Whether a cell that ``cell(of:)`` told has the block.
    func holdsBlock(_ cell: Int) -> Bool { cells[cell] != 0 }

    /// Makes the block of a cell the newest one.
    mutating func touch(_ cell: Int) {
        let node = Self.node(in: cells[cell])
        if node == newest { return }
        // The oldest one already lies where the newest one belongs.
        if node != nodes[newest].newer {
            unlink(node)
            linkBehindNewest(node)
        }
        newest = node
    }

    /// Adds a block that is not there yet as the newest one.
    mutating func insert(_ key: BlockKey) {
        if count >= ring.maxKeys { resize(cells: ring.cells * 2) }
        let node = takeNode()
        nodes[node].key = key
        if count == 0 {
            nodes[node].newer = node
            nodes[node].older = node
        } else {
            linkBehindNewest(node)
        }
        newest = node
        place(Self.tag(of: key) | UInt64(node))
        count += 1
    }

    /// Adds a block that is not there yet as the newest one in place of the oldest, of which there is one.
    ///
    /// - Parameter cell: where ``cell(of:)`` told that it belongs.
    mutating func replaceOldest(with key: BlockKey, at cell: Int) -> BlockKey {
        let node = nodes[newest].newer
        let oldest = nodes[node].key
        // First the new one: closing the gap of the other may move it. There is an empty cell more than is needed.
        cells[cell] = Self.tag(of: key) | UInt64(node)
        empty(self.cell(of: oldest, node))
        nodes[node].key = key
        newest = node
        return oldest
    }

    /// Takes the block out that was not used for longest; `nil` when there is none. Gives memory back when three
    /// quarters of the nodes are free.
    mutating func removeOldest() -> BlockKey? {
        guard count > 0 else { return nil }
        let node = nodes[newest].newer
        let key = nodes[node].key
        empty(cell(of: key, node))
        unlink(node)
        nodes[node].older = firstFree
        firstFree = node
        count -= 1
        if nodes.count > Self.minNodesToGiveBack, count < nodes.count / 4 { compact() }
        return key
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

    /// Takes all blocks out, oldest first, and gives the memory back.
    mutating func removeAll(_ body: (BlockKey) -> Void) {
        forEachOldest(count, body)
        self = EndpointBlocks(capacity: capacity)
    }

    /// Reads where the search for a block begins, and so brings it near; the value means nothing.
    func home(of key: BlockKey) -> UInt64 { cells[ring.home(of: key.bits)] }

    /// Copies the blocks into memory of the right size, in the same order.
    private mutating func compact() {
        var fresh = EndpointBlocks(capacity: capacity, nodes: count + 1)
        forEachOldest(count) { fresh.insert($0) }
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

// MARK: - The table

extension EndpointBlocks {
    private static func tag(of key: BlockKey) -> UInt64 { key.bits & tagMask }

    private static func node(in cell: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: cell) }

    /// The cell of a block whose node is known.
    private func cell(of key: BlockKey, _ node: UInt32) -> Int {
        let wanted = Self.tag(of: key) | UInt64(node)
        var cell = ring.home(of: wanted)
        while true {
            let value = cells[cell]
            if value == wanted { return cell }
            precondition(value != 0, "a block with a node is not in its endpoint's table")
            cell = ring.next(after: cell)
        }
    }

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
