/// The byte ranges of a body that form its prompt, in the order in which a chat template lays them out, so that
/// requests with a common beginning of the prompt have a common beginning of these bytes. Stored inline: no API has
/// more than three.
package struct PromptRanges: RandomAccessCollection, Hashable, Sendable {
    private var first = 0..<0
    private var second = 0..<0
    private var third = 0..<0
    /// The number of ranges.
    package private(set) var count = 0

    /// Takes the ranges that are there and not empty, in order.
    package init(_ first: Range<Int>? = nil, _ second: Range<Int>? = nil, _ third: Range<Int>? = nil) {
        append(first)
        append(second)
        append(third)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package subscript(position: Int) -> Range<Int> {
        precondition(position >= 0 && position < count, "prompt range \(position) of \(count)")
        return position == 0 ? first : position == 1 ? second : third
    }

    /// The number of bytes in all ranges together.
    package var byteCount: Int { first.count + second.count + third.count }

    /// The same ranges in bytes of which `offset` more stand in front.
    func moved(by offset: Int) -> PromptRanges {
        var moved = PromptRanges()
        for range in self { moved.append(range.lowerBound + offset..<range.upperBound + offset) }
        return moved
    }

    private mutating func append(_ range: Range<Int>?) {
        guard let range, !range.isEmpty else { return }
        switch count {
        case 0: first = range
        case 1: second = range
        default: third = range
        }
        count += 1
    }
}
