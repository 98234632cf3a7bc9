/// Where a block lies or belongs in a ``HolderTable``; good until a block is added or taken out.
struct HolderPlace {
    fileprivate let segment: UnsafeMutablePointer<HolderSegment>
    fileprivate let cell: Int
}

/// From a block to the endpoints that hold it.
///
/// The table is cut into segments by the upper bits of the key. Each grows on its own, so no insertion ever waits for
/// the whole table to be copied: at four million blocks that would hold up every request for a tenth of a second, a
/// segment of them takes a fraction of a millisecond.
///
/// What an insertion calls for each block is inlined by demand: else the compiler copies the value to the stack for
/// every call, which took a tenth of the insertion.
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

    /// The endpoints that hold a block, as a plain set; ``HolderSet/none`` when nobody does.
    func holders(of key: BlockKey) -> HolderSet {
        self[place(of: key)].plain
    }

    /// Where a block lies if anybody holds it, else where it belongs.
    @inline(__always)
    func place(of key: BlockKey) -> HolderPlace {
        let segment = segment(of: key)
        return HolderPlace(segment: segment, cell: segment.pointee.cell(of: Self.rest(of: key)))
    }

    /// The endpoints that hold the block of a place; ``HolderSet/none`` when nobody does.
    subscript(place: HolderPlace) -> HolderSet {
        place.segment.pointee[place.cell]
    }

    /// Reads where the search for a block begins, and so brings it near; the value means nothing.
    func home(of key: BlockKey) -> UInt64 {
        segment(of: key).pointee.home(of: Self.rest(of: key))
    }

    /// One word of the bit set of a row.
    func word(_ word: Int, row: Int) -> UInt64 {
        rows.word(word, row: row)
    }

    /// Calls `body` with each slot of the bit set of a row, in ascending order.
    func forEachSlot(row: Int, _ body: (Int) -> Void) {
        rows.forEachSlot(row: row, body)
    }

    /// Whether `slot` is one of the holders, a plain set.
    @inline(__always)
    func contains(_ slot: Int, in holders: HolderSet) -> Bool {
        if let row = holders.row { return rows.contains(slot, row: row) }
        return holders.contains(slot)
    }

    /// Whether `slot` holds the block of a place.
    @inline(__always)
    func contains(_ slot: Int, at place: HolderPlace) -> Bool {
        contains(slot, in: self[place].plain)
    }

    /// Makes room for `slot` in bit sets; needed once before anything is inserted for it.
    mutating func reserve(slot: Int) {
        rows.reserve(slot: slot)
    }

    /// Notes that `slot` is the first to hold the block, which belongs at `place`, and where it does.
    @inline(__always)
    mutating func insert(sole slot: Int, node: UInt32, key: BlockKey, at place: HolderPlace) {
        let holders = HolderSet(sole: slot, node: node)
        place.segment.pointee.insert(HolderEntry(key: Self.rest(of: key), holders: holders), at: place.cell)
        count += 1
    }

    /// Notes that `slot`, which did not hold the block at `place`, does too. There is no sole holder any more.
    mutating func insert(_ slot: Int, at place: HolderPlace) {
        place.segment.pointee[place.cell] = adding(slot, to: self[place].plain)
    }

    /// Notes that `slot`, which held the block, does no longer; tells whether it was the sole holder.
    @inline(__always)
    mutating func remove(_ slot: Int, key: BlockKey) -> Bool {
        let place = place(of: key)
        let holders = self[place]
        assert(!holders.isSole || holders.isSole(slot), "slot \(slot) gives up a block that another one alone holds")
        let remaining = holders.isSole ? .none : removing(slot, from: holders)
        if remaining.isEmpty {
            place.segment.pointee.remove(at: place.cell)
            count -= 1
        } else {
            place.segment.pointee[place.cell] = remaining
        }
        return holders.isSole
    }

    /// Notes that the node of a block's holder has the number `node` now, if it is the sole one; tells whether it is.
    mutating func renumber(_ slot: Int, node: UInt32, key: BlockKey) -> Bool {
        let place = place(of: key)
        guard self[place].isSole else { return false }
        place.segment.pointee[place.cell] = HolderSet(sole: slot, node: node)
        return true
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
