/// From a block to the endpoints that hold it.
///
/// The table is cut into segments by the upper bits of the key. Each grows on its own, so no insertion ever waits for
/// the whole table to be copied: at four million blocks that would hold up every request for a tenth of a second, a
/// segment of them takes a fraction of a millisecond.
struct HolderTable: Sendable {
    private static let segmentBits: UInt64 = 8

    private var segments = [HolderSegment](repeating: HolderSegment(), count: 1 << segmentBits)
    private var rows = HolderRows()

    /// How many blocks have a holder.
    private(set) var count = 0

    /// The bytes of heap that are reserved.
    var bytesUsed: Int {
        segments.reduce(segments.capacity * MemoryLayout<HolderSegment>.stride) { $0 + $1.bytesUsed } + rows.bytesUsed
    }

    /// The words of a bit set that has every slot up to the highest one seen.
    var wordsPerRow: Int { rows.wordsPerRow }

    /// The endpoints that hold a block; ``HolderSet/none`` when nobody does.
    func holders(of key: BlockKey) -> HolderSet {
        let segment = Self.segment(of: key)
        guard let cell = segments[segment].cell(of: Self.rest(of: key)) else { return .none }
        return segments[segment][cell]
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

    /// Notes that `slot`, which did not hold the block, does.
    mutating func insert(_ slot: Int, key: BlockKey) {
        rows.reserve(slot: slot)
        let segment = Self.segment(of: key)
        let rest = Self.rest(of: key)
        if let cell = segments[segment].cell(of: rest) {
            segments[segment][cell] = adding(slot, to: segments[segment][cell])
        } else {
            segments[segment].insert(rest, adding(slot, to: .none))
            count += 1
        }
    }

    /// Notes that `slot`, which held the block, does no longer.
    mutating func remove(_ slot: Int, key: BlockKey) {
        let segment = Self.segment(of: key)
        guard let cell = segments[segment].cell(of: Self.rest(of: key)) else { return }
        let remaining = removing(slot, from: segments[segment][cell])
        if remaining.isEmpty {
            segments[segment].remove(at: cell)
            count -= 1
        } else {
            segments[segment][cell] = remaining
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

    private static func segment(of key: BlockKey) -> Int {
        Int(truncatingIfNeeded: key.bits &>> (64 - segmentBits))
    }

    /// The key without the bits that chose the segment, which tell its keys apart no longer.
    private static func rest(of key: BlockKey) -> UInt64 {
        key.bits << segmentBits
    }
}
