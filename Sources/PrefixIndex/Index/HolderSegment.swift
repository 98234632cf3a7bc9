/// A block of a ``HolderSegment`` and who holds it.
struct HolderEntry: BitwiseCopyable {
    var key: UInt64
    /// Empty exactly in an empty cell.
    var holders: HolderSet

    /// What an empty cell holds.
    static let empty = HolderEntry(key: 0, holders: .none)
}

/// One part of a ``HolderTable``: an open-addressing table with linear probing.
struct HolderSegment: ~Copyable {
    private var cells = TableMemory(count: ProbeRing.minCells, repeating: HolderEntry.empty)
    private var ring = ProbeRing(cells: ProbeRing.minCells)
    private var count = 0

    /// The bytes of heap that are reserved.
    var bytesUsed: Int { cells.bytesUsed }

    /// The holders in a cell that ``cell(of:)`` told; set only where there are some, and to some.
    subscript(cell: Int) -> HolderSet {
        get { cells[cell].holders }
        set { cells[cell].holders = newValue }
    }

    /// Where the key lies if it is there, else the empty cell where it belongs.
    @inline(__always)
    func cell(of key: UInt64) -> Int {
        var cell = ring.home(of: key)
        while true {
            let entry = cells[cell]
            if entry.key == key || entry.holders.isEmpty { return cell }
            cell = ring.next(after: cell)
        }
    }

    /// What lies where the search for a key begins.
    func home(of key: UInt64) -> UInt64 { cells[ring.home(of: key)].key }

    /// Adds a key at the empty cell that ``cell(of:)`` told. Its holders are not nobody.
    mutating func insert(_ entry: HolderEntry, at cell: Int) {
        if count >= ring.maxKeys {
            resize(cells: ring.cells * 2)
            place(entry)
        } else {
            cells[cell] = entry
        }
        count += 1
    }

    /// Empties a cell and closes the gap, so that every probe still ends at the first empty cell.
    mutating func remove(at cell: Int) {
        var hole = cell
        var next = ring.next(after: hole)
        while true {
            let entry = cells[next]
            if entry.holders.isEmpty { break }
            // Written in any case, which is cheaper than a branch that nothing can predict.
            let moves = ring.canMove(from: next, to: hole, home: ring.home(of: entry.key))
            cells[moves ? hole : next] = entry
            hole = moves ? next : hole
            next = ring.next(after: next)
        }
        cells[hole] = .empty
        count -= 1
        if ring.isSparse(keys: count) { resize(cells: ring.cells / 2) }
    }

    private mutating func place(_ entry: HolderEntry) {
        var cell = ring.home(of: entry.key)
        while !cells[cell].holders.isEmpty { cell = ring.next(after: cell) }
        cells[cell] = entry
    }

    private mutating func resize(cells newCells: Int) {
        var old = TableMemory(count: newCells, repeating: HolderEntry.empty)
        swap(&old, &cells)
        ring = ProbeRing(cells: newCells)
        for cell in 0..<old.count where !old[cell].holders.isEmpty { place(old[cell]) }
    }
}
