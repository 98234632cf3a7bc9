extension LRUPrefixIndex {
    private static let wordBits = 64

    /// For each slot of `matches`, counts the blocks that the endpoint holds without a gap from the first one of
    /// `hashes` on. Ends at the first block that no wanted endpoint can go on with; does not count as a use of the
    /// blocks.
    ///
    /// - Parameters:
    ///   - hashes: the prompt's block hashes, from the first block on.
    ///   - matches: by slot, overwritten; slots behind its end are not wanted.
    package borrowing func match(_ hashes: Span<UInt64>, into matches: inout MutableSpan<Int32>) {
        for slot in matches.indices { matches[slot] = 0 }
        let words = min((matches.count + Self.wordBits - 1) / Self.wordBits, holders.wordsPerRow)
        // The endpoints that hold every block so far. As long as many endpoints share each block, a step is an AND.
        var survivors = InlineArray<64, UInt64>(repeating: 0)
        for word in 0..<words {
            let slots = matches.count - word * Self.wordBits
            survivors[word] = slots >= Self.wordBits ? .max : (1 << UInt64(slots)) - 1
        }
        var index = 0
        while index < hashes.count {
            let found = holders.holders(of: BlockKey(hashes[index], multiplier: multiplier))
            guard let row = found.row else {
                var few = HolderSet.none
                for position in 0..<found.inlineCount {
                    let slot = found[position]
                    if survivors[slot / Self.wordBits] & Self.bit(slot) != 0 { few.append(slot) }
                }
                Self.record(index, survivors, words, &matches)
                matchFew(few, of: found, hashes, at: index, &matches)
                return
            }
            var anyone: UInt64 = 0
            for word in 0..<words {
                let before = survivors[word]
                let after = before & holders.word(word, row: row)
                if after != before { Self.record(index, before & ~after, word, &matches) }
                survivors[word] = after
                anyone |= after
            }
            guard anyone != 0 else { return }
            index += 1
        }
        Self.record(index, survivors, words, &matches)
    }

    /// Calls `body` with the slot of each endpoint that holds the block of `hash`; does not count as a use of it.
    package borrowing func forEachHolder(of hash: UInt64, _ body: (_ slot: Int) -> Void) {
        let found = holders.holders(of: BlockKey(hash, multiplier: multiplier))
        if let row = found.row { return holders.forEachSlot(row: row, body) }
        for position in 0..<found.inlineCount { body(found[position]) }
    }

    /// Goes on behind the first block that few endpoints hold: from there on the survivors are a handful.
    ///
    /// - Parameters:
    ///   - few: the endpoints that hold all blocks up to and with the one at `first`.
    ///   - holdersOfFirst: all endpoints that hold that one.
    private borrowing func matchFew(
        _ few: HolderSet,
        of holdersOfFirst: HolderSet,
        _ hashes: Span<UInt64>,
        at first: Int,
        _ matches: inout MutableSpan<Int32>
    ) {
        var few = few
        var previous = holdersOfFirst
        var index = first + 1
        while index < hashes.count, !few.isEmpty {
            let found = holders.holders(of: BlockKey(hashes[index], multiplier: multiplier))
            // Within one conversation the holders are mostly the same from block to block.
            if found != previous {
                if found.isEmpty { break }
                for position in (0..<few.inlineCount).reversed() {
                    let slot = few[position]
                    if holders.contains(slot, in: found) { continue }
                    matches[slot] = Int32(clamping: index)
                    few.remove(slot)
                }
                previous = found
            }
            index += 1
        }
        for position in 0..<few.inlineCount { matches[few[position]] = Int32(clamping: index) }
    }

    /// Sets the match of all slots of a bit set.
    private static func record(
        _ length: Int,
        _ slots: InlineArray<64, UInt64>,
        _ words: Int,
        _ matches: inout MutableSpan<Int32>
    ) {
        for word in 0..<words { record(length, slots[word], word, &matches) }
    }

    /// Sets the match of the slots of one word of a bit set.
    private static func record(_ length: Int, _ bits: UInt64, _ word: Int, _ matches: inout MutableSpan<Int32>) {
        var rest = bits
        while rest != 0 {
            matches[word * wordBits + rest.trailingZeroBitCount] = Int32(clamping: length)
            rest &= rest - 1
        }
    }

    private static func bit(_ slot: Int) -> UInt64 { 1 << UInt64(slot % wordBits) }
}
