/// The blocks that one endpoint is believed to hold, in the order of their last use.
///
/// A list through an array of nodes, and a table from key to node. Nothing is allocated once both have grown to the
/// capacity that is really used.
struct EndpointBlocks: Sendable {
    fileprivate struct Node {
        var key: BlockKey
        var newer: UInt32
        var older: UInt32
    }

    /// Node 0 belongs to no block: it closes the ring, so that its `older` is the newest node and its `newer` the
    /// oldest.
    private static let ends: UInt32 = 0
    /// More blocks than node numbers can count are never asked for.
    static let maxCapacity = Int(Int32.max) / 2

    /// Arrays up to this size are kept when most of their nodes are free.
    private static let minNodesToGiveBack = 64

    private var nodes: [Node] = []
    /// Each cell is 0 or the upper half of a key and the number of its node; most foreign keys are told apart without a
    /// look at the node.
    private var cells: [UInt64] = []
    private var ring = ProbeRing(cells: ProbeRing.minCells)
    /// The first of the nodes without a block, linked by `older`; ``ends`` when there is none.
    private var firstFree = Self.ends

    /// How many blocks there are.
    private(set) var count = 0
    /// How many blocks there may be; who inserts sees to it.
    var capacity: Int

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// The bytes of heap that the arrays have reserved.
    var bytesUsed: Int {
        nodes.capacity * MemoryLayout<Node>.stride + cells.capacity * MemoryLayout<UInt64>.stride
    }

    /// Makes the block the newest one, if it is there; tells whether it is.
    mutating func touch(_ key: BlockKey) -> Bool {
        guard let cell = cell(of: key) else { return false }
        let node = Self.node(in: cells[cell])
        guard nodes[Self.ends].older != node else { return true }
        unlink(node)
        linkAsNewest(node)
        return true
    }

    /// Adds a block that is not there yet as the newest one.
    mutating func insert(_ key: BlockKey) {
        if cells.isEmpty || count >= ring.maxKeys { resize(cells: cells.isEmpty ? ProbeRing.minCells : ring.cells * 2) }
        let node = takeNode(for: key)
        linkAsNewest(node)
        place(Self.cellValue(key, node))
        count += 1
    }

    /// Takes the block out that was not used for longest; `nil` when there is none. Gives memory back when three
    /// quarters of the nodes are free.
    mutating func removeOldest() -> BlockKey? {
        guard count > 0 else { return nil }
        let node = nodes[Self.ends].newer
        let key = nodes[node].key
        guard let cell = cell(of: key) else { preconditionFailure("an endpoint's block has a node and no cell") }
        empty(cell)
        unlink(node)
        nodes[node].older = firstFree
        firstFree = node
        count -= 1
        if nodes.capacity > Self.minNodesToGiveBack, count < nodes.capacity / 4 { compact() }
        return key
    }

    /// Takes all blocks out, oldest first, and gives the memory back.
    mutating func removeAll(_ body: (BlockKey) -> Void) {
        if count > 0 {
            var node = nodes[Self.ends].newer
            while node != Self.ends {
                body(nodes[node].key)
                node = nodes[node].newer
            }
        }
        self = EndpointBlocks(capacity: capacity)
    }

    /// Copies the blocks into arrays of the right size, in the same order.
    private mutating func compact() {
        var fresh = EndpointBlocks(capacity: capacity)
        fresh.nodes.reserveCapacity(count + 1)
        if count > 0 {
            var node = nodes[Self.ends].newer
            while node != Self.ends {
                fresh.insert(nodes[node].key)
                node = nodes[node].newer
            }
        }
        self = fresh
    }
}

// MARK: - The list

extension EndpointBlocks {
    private mutating func takeNode(for key: BlockKey) -> UInt32 {
        if firstFree != Self.ends {
            let node = firstFree
            firstFree = nodes[node].older
            nodes[node].key = key
            return node
        }
        if nodes.isEmpty { nodes.append(Node(key: BlockKey(bits: 0), newer: Self.ends, older: Self.ends)) }
        if nodes.count == nodes.capacity {
            // Never more than the capacity can use: for most endpoints this saves half of the last doubling.
            nodes.reserveCapacity(min(nodes.count * 2, max(capacity, count + 1) + 1))
        }
        nodes.append(Node(key: key, newer: Self.ends, older: Self.ends))
        return UInt32(nodes.count - 1)
    }

    private mutating func linkAsNewest(_ node: UInt32) {
        let second = nodes[Self.ends].older
        nodes[node].newer = Self.ends
        nodes[node].older = second
        nodes[second].newer = node
        nodes[Self.ends].older = node
    }

    private mutating func unlink(_ node: UInt32) {
        let (newer, older) = (nodes[node].newer, nodes[node].older)
        nodes[newer].older = older
        nodes[older].newer = newer
    }
}

// MARK: - The table

extension EndpointBlocks {
    private static func cellValue(_ key: BlockKey, _ node: UInt32) -> UInt64 {
        tag(of: key) | UInt64(node)
    }

    private static func tag(of key: BlockKey) -> UInt64 { key.bits & 0xFFFF_FFFF_0000_0000 }

    private static func node(in cell: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: cell) }

    private func cell(of key: BlockKey) -> Int? {
        guard !cells.isEmpty else { return nil }
        let tag = Self.tag(of: key)
        var cell = ring.home(of: tag)
        while cells[cell] != 0 {
            let value = cells[cell]
            if value & 0xFFFF_FFFF_0000_0000 == tag, nodes[Self.node(in: value)].key == key { return cell }
            cell = ring.next(after: cell)
        }
        return nil
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
        while cells[next] != 0 {
            if ring.canMove(from: next, to: hole, home: ring.home(of: cells[next])) {
                cells[hole] = cells[next]
                hole = next
            }
            next = ring.next(after: next)
        }
        cells[hole] = 0
    }

    private mutating func resize(cells newCells: Int) {
        let old = cells
        cells = [UInt64](repeating: 0, count: newCells)
        ring = ProbeRing(cells: newCells)
        for value in old where value != 0 { place(value) }
    }
}

extension [EndpointBlocks.Node] {
    fileprivate subscript(_ node: UInt32) -> EndpointBlocks.Node {
        get { self[Int(node)] }
        set { self[Int(node)] = newValue }
    }
}
