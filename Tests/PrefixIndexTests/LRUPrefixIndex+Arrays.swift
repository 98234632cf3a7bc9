import PrefixIndex

extension LRUPrefixIndex {
    mutating func insert(_ prompt: [UInt64], slot: Int) {
        insert(prompt.span, slot: slot)
    }

    borrowing func matches(_ prompt: [UInt64], slots: Int) -> [Int32] {
        // What is not overwritten shows.
        var matches = [Int32](repeating: -1, count: slots)
        var span = matches.mutableSpan
        match(prompt.span, into: &span)
        return matches
    }
}
