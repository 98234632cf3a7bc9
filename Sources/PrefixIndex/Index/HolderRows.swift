/// The bit sets of those blocks that many endpoints hold: one bit per slot.
///
/// Rows lie in chunks of a fixed number, so that room for more never moves what is there; a freed row is used again.
struct HolderRows: Sendable {
    private static let rowsPerChunk = 1024
    private static let wordBits = 64

    private var chunks: [[UInt64]] = []
    /// The free rows, the last one is taken next.
    private var free: [Int] = []
    private var rowCount = 0

    /// The words of a row, enough for the highest slot that was ever seen.
    private(set) var wordsPerRow = 1

    /// The bytes of heap that are reserved.
    var bytesUsed: Int {
        let words = chunks.reduce(0) { $0 + $1.capacity }
        return words * MemoryLayout<UInt64>.stride + free.capacity * MemoryLayout<Int>.stride
            + chunks.capacity * MemoryLayout<[UInt64]>.stride
    }

    /// Makes rows wide enough for `slot`. The width doubles, so all rows are copied six times at most in an index's
    /// life.
    mutating func reserve(slot: Int) {
        guard slot >= wordsPerRow * Self.wordBits else { return }
        var newWords = wordsPerRow
        while slot >= newWords * Self.wordBits { newWords *= 2 }
        for chunk in chunks.indices {
            var wider = [UInt64](repeating: 0, count: Self.rowsPerChunk * newWords)
            for row in 0..<Self.rowsPerChunk {
                for word in 0..<wordsPerRow {
                    wider[row * newWords + word] = chunks[chunk][row * wordsPerRow + word]
                }
            }
            chunks[chunk] = wider
        }
        wordsPerRow = newWords
    }

    /// The number of an empty row.
    mutating func take() -> Int {
        if let row = free.popLast() { return row }
        if rowCount == chunks.count * Self.rowsPerChunk {
            chunks.append([UInt64](repeating: 0, count: Self.rowsPerChunk * wordsPerRow))
        }
        rowCount += 1
        return rowCount - 1
    }

    /// Empties a row and keeps it for later.
    mutating func giveBack(_ row: Int) {
        for word in 0..<wordsPerRow { chunks[chunk(row)][offset(row) + word] = 0 }
        free.append(row)
    }

    /// The slots 64 · `word` ..< 64 · (`word` + 1) of a row.
    func word(_ word: Int, row: Int) -> UInt64 {
        chunks[chunk(row)][offset(row) &+ word]
    }

    func contains(_ slot: Int, row: Int) -> Bool {
        guard slot < wordsPerRow * Self.wordBits else { return false }
        return word(slot / Self.wordBits, row: row) & Self.bit(slot) != 0
    }

    mutating func insert(_ slot: Int, row: Int) {
        chunks[chunk(row)][offset(row) + slot / Self.wordBits] |= Self.bit(slot)
    }

    mutating func remove(_ slot: Int, row: Int) {
        chunks[chunk(row)][offset(row) + slot / Self.wordBits] &= ~Self.bit(slot)
    }

    /// How many slots a row has.
    func count(row: Int) -> Int {
        (0..<wordsPerRow).reduce(0) { $0 + word($1, row: row).nonzeroBitCount }
    }

    /// Calls `body` with each slot of a row, in ascending order.
    func forEachSlot(row: Int, _ body: (Int) -> Void) {
        for index in 0..<wordsPerRow {
            var rest = word(index, row: row)
            while rest != 0 {
                body(index * Self.wordBits + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
    }

    private func chunk(_ row: Int) -> Int { row / Self.rowsPerChunk }

    private func offset(_ row: Int) -> Int { row % Self.rowsPerChunk * wordsPerRow }

    private static func bit(_ slot: Int) -> UInt64 { 1 << UInt64(slot % wordBits) }
}
