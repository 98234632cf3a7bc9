/// One part of a ``HolderTable``: an open-addressing table with linear probing.
struct HolderSegment: Sendable {
    struct Entry {
        var key: UInt64
        /// Empty exactly in an empty cell.
        var holders: HolderSet
    }

    private var cells: [Entry] = []
    private var ring = ProbeRing(cells: ProbeRing.minCells)
    private var count = 0

    /// The bytes of heap that are reserved.
    var bytesUsed: Int { cells.capacity * MemoryLayout<Entry>.stride }

    /// The holders in a cell that ``cell(of:)`` found; never set to the empty set.
    subscript(cell: Int) -> HolderSet {
        get { cells[cell].holders }
        set { cells[cell].holders = newValue }
    }

    /// Where the key lies, if it is there.
    func cell(of key: UInt64) -> Int? {
        guard !cells.isEmpty else { return nil }
        var cell = ring.home(of: key)
        while !cells[cell].holders.isEmpty {
            if cells[cell].key == key { return cell }
            cell = ring.next(after: cell)
        }
        return nil
    }

    /// Adds a key that is not there yet. `holders` is not empty.
    mutating func insert(_ key: UInt64, _ holders: HolderSet) {
        if cells.isEmpty {
            resize(cells: ProbeRing.minCells)
        } else if count >= ring.maxKeys {
            resize(cells: ring.cells * 2)
        }
        place(Entry(key: key, holders: holders))
        count += 1
    }

    /// Empties a cell and closes the gap, so that every probe still ends at the first empty cell.
    mutating func remove(at cell: Int) {
        var hole = cell
        var next = ring.next(after: hole)
        while !cells[next].holders.isEmpty {
            if ring.canMove(from: next, to: hole, home: ring.home(of: cells[next].key)) {
                cells[hole] = cells[next]
                hole = next
            }
            next = ring.next(after: next)
        }
        cells[hole].holders = .none
        count -= 1
        if ring.isSparse(keys: count) { resize(cells: ring.cells / 2) }
    }

    private mutating func place(_ entry: Entry) {
        var cell = ring.home(of: entry.key)
        while !cells[cell].holders.isEmpty { cell = ring.next(after: cell) }
        cells[cell] = entry
    }

    private mutating func resize(cells newCells: Int) {
        let old = cells
        cells = [Entry](repeating: Entry(key: 0, holders: .none), count: newCells)
        ring = ProbeRing(cells: newCells)
        for entry in old where !entry.holders.isEmpty { place(entry) }
    }
}
