/// From a block to the endpoints that hold it.
///
/// The table is cut into segments by the upper bits of the key. Each grows on its own, so no insertion ever waits for
/// the whole table to be copied: at four million blocks that would hold up every request for a tenth of a second, a
/// segment of them takes a fraction of a millisecond.
struct HolderTable: ~Copyable, Sendable {
    private static let segmentBits: UInt64 = 8

    private var segments = OwnedArray<HolderSegment>()
    private var rows = HolderRows()

    /// How many blocks have a holder.
    private(set) var count = 0

    init() {
        for _ in 0..<1 << Self.segmentBits { segments.append(HolderSegment()) }
    }

    /// The bytes of heap that are reserved.
    var bytesUsed: Int {
        (0..<segments.count).reduce(segments.bytesUsed + rows.bytesUsed) { $0 + segments[$1].pointee.bytesUsed }
    }

    /// The words of a bit set that has every slot up to the highest one seen.
    var wordsPerRow: Int { rows.wordsPerRow }

    /// The endpoints that hold a block; ``HolderSet/none`` when nobody does.
    func holders(of key: BlockKey) -> HolderSet {
        let segment = segment(of: key)
        // An empty cell has no holders either.
        return segment.pointee[segment.pointee.cell(of: Self.rest(of: key))].holders
    }

    /// Reads where the search for a block begins, and so brings it near; the value means nothing.
    func home(of key: BlockKey) -> UInt64 {
        segment(of: key).pointee.home(of: Self.rest(of: key))
    }

    /// One word of the bit set of a row.
    func word(_ word: Int, row: Int) -> UInt64 {
        rows.word(word, row: row)
    }

    /// Whether `slot` is one of the holders.
    func contains(_ slot: Int, in holders: HolderSet) -> Bool {
        if let row = holders.row { return rows.contains(slot, row: row) }
        return holders.contains(slot)
    }

    /// Makes room for `slot` in bit sets; needed once before anything is inserted for it.
    mutating func reserve(slot: Int) {
        rows.reserve(slot: slot)
    }

    /// Notes that `slot`, which did not hold the block, does.
    mutating func insert(_ slot: Int, key: BlockKey) {
        let segment = segment(of: key)
        let rest = Self.rest(of: key)
        let cell = segment.pointee.cell(of: rest)
        let holders = segment.pointee[cell].holders
        if holders.isEmpty {
            segment.pointee.insert(at: cell, HolderEntry(key: rest, holders: HolderSet(slot: slot)))
            count += 1
        } else {
            segment.pointee.update(cell, HolderEntry(key: rest, holders: adding(slot, to: holders)))
        }
    }

    /// Notes that `slot`, which held the block, does no longer.
    mutating func remove(_ slot: Int, key: BlockKey) {
        let segment = segment(of: key)
        let rest = Self.rest(of: key)
        let cell = segment.pointee.cell(of: rest)
        let holders = segment.pointee[cell].holders
        if holders.isEmpty { return }
        let remaining = removing(slot, from: holders)
        if remaining.isEmpty {
            segment.pointee.remove(at: cell)
            count -= 1
        } else {
            segment.pointee.update(cell, HolderEntry(key: rest, holders: remaining))
        }
    }

    private mutating func adding(_ slot: Int, to holders: HolderSet) -> HolderSet {
        if let row = holders.row {
            rows.insert(slot, row: row)
            return holders
        }
        if holders.inlineCount < HolderSet.maxInline {
            var more = holders
            more.append(slot)
            return more
        }
        let row = rows.take()
        for position in 0..<holders.inlineCount { rows.insert(holders[position], row: row) }
        rows.insert(slot, row: row)
        return HolderSet(row: row)
    }

    private mutating func removing(_ slot: Int, from holders: HolderSet) -> HolderSet {
        guard let row = holders.row else {
            var fewer = holders
            fewer.remove(slot)
            return fewer
        }
        rows.remove(slot, row: row)
        guard rows.count(row: row) < HolderSet.minRow else { return holders }
        var few = HolderSet.none
        rows.forEachSlot(row: row) { few.append($0) }
        rows.giveBack(row)
        return few
    }

    private func segment(of key: BlockKey) -> UnsafeMutablePointer<HolderSegment> {
        segments[Int(truncatingIfNeeded: key.bits &>> (64 - Self.segmentBits))]
    }

    /// The key without the bits that chose the segment, which tell its keys apart no longer.
    private static func rest(of key: BlockKey) -> UInt64 {
        key.bits << segmentBits
    }
}
