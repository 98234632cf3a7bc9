import Testing

@testable import RequestFormats

/// The data lines of `text` when it comes in pieces that end at `cuts`.
private func dataLines(_ text: String, cuts: [Int] = [], finishing: Bool = true) -> (lines: [String], ServerSentEvents)
{
    let bytes = Array(text.utf8)
    var events = ServerSentEvents()
    var lines: [String] = []
    var start = 0
    for end in cuts + [bytes.count] {
        events.consume(bytes.span.bytes.extracting(start..<end)) { lines.append(string($0)) }
        start = end
    }
    if finishing { events.finish { lines.append(string($0)) } }
    return (lines, events)

    func string(_ span: RawSpan) -> String {
        span.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}

@Suite struct ServerSentEventsTests {
    private static let stream =
        "event: a\ndata: one\n\ndata:two\r\n\r\n: comment data: no\rdata:  three\r"
        + "id: 1\n\ndata\ndatax: no\ndata:\n\ndata: [DONE]\n\n"
    private static let expected = ["one", "two", " three", ""]

    @Test func `lines end with LF, CR or CRLF`() {
        let (lines, events) = dataLines(Self.stream)
        #expect(lines == Self.expected)
        #expect(events.count == 4)
        #expect(events.isDone)
    }

    @Test func `every way to cut a stream in three gives the same lines`() {
        let count = Self.stream.utf8.count
        for first in 0...count {
            for second in first...count {
                let (lines, events) = dataLines(Self.stream, cuts: [first, second])
                if lines != Self.expected || events.count != 4 || !events.isDone {
                    Issue.record("cut at \(first) and \(second): \(lines)")
                }
            }
        }
        #expect(dataLines(Self.stream, cuts: Array(1..<count)).lines == Self.expected)
    }

    @Test func `a last line without an end is delivered at the end`() {
        #expect(dataLines("data: x", finishing: false).lines.isEmpty)
        #expect(dataLines("data: x").lines == ["x"])
        #expect(dataLines("data").lines.isEmpty)
        #expect(dataLines("event: x").lines.isEmpty)
    }

    @Test func `a long line is whole within a chunk and keeps its end when it is split`() {
        let long = String(repeating: "x", count: 100_000) + "end"
        let text = "data: " + long + "\ndata: next\n"
        #expect(dataLines(text).lines == [long, "next"])
        let cuts = Array(stride(from: 3, to: 100_000, by: 1_460))
        let (lines, events) = dataLines(text, cuts: cuts)
        #expect(events.count == 2)
        #expect(lines.count == 2)
        #expect(lines.last == "next")
        let kept = lines[0].utf8.count
        #expect(kept >= ServerSentEvents.heldBytesMax && kept <= 2 * ServerSentEvents.heldBytesMax)
        #expect(long.hasSuffix(lines[0]))
    }

    @Test(arguments: [1, 7, 64, 100, 128, 129, 300])
    func `a tail holds at least its capacity and at most twice of it`(chunkSize: Int) {
        var tail = ByteTail(capacity: 64)
        var all: [UInt8] = []
        for round in 0..<50 {
            let chunk = (0..<chunkSize).map { UInt8(truncatingIfNeeded: round &* 31 &+ $0) }
            tail.append(chunk.span.bytes)
            all += chunk
            let held = tail.withBytes { span in span.withUnsafeBytes { Array($0) } }
            #expect(held.count >= min(all.count, 64) && held.count <= 128)
            #expect(all.suffix(held.count).elementsEqual(held))
            #expect(tail.wasCut == (held.count < all.count))
        }
    }
}
