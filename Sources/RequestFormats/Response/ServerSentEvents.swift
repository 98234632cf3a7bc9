/// Finds the data lines of an event stream (`text/event-stream` of the HTML standard) in chunks that may be split
/// anywhere.
///
/// It works by lines: each line with the field name `data` counts as one event, which is how every inference API uses
/// the format. Lines end with LF, CR or CRLF. A line that lies whole within a chunk is delivered from there without a
/// copy; only a data line that is split is held, and of a split line longer than ``heldBytesMax`` only the end is.
package struct ServerSentEvents: Sendable {
    /// The number of bytes at the end of a split line that are certain to be delivered; twice as many may be held.
    package static let heldBytesMax = 8 << 10

    /// The number of data lines so far, other than `[DONE]`. A split line counts when it has ended.
    package private(set) var count = 0
    /// Whether the line `[DONE]` has come, with which OpenAI-shaped streams end.
    package private(set) var isDone = false

    /// What is known of a line whose end has not come.
    private enum OpenLine {
        /// Nothing of the line has come.
        case none
        /// The line equals the field name so far: this many of its bytes.
        case fieldName(matched: Int)
        /// A data line; what follows the field name is held.
        case data
        /// Another field, or a comment.
        case other
    }

    private var openLine = OpenLine.none
    private var held = ByteTail(capacity: Self.heldBytesMax)

    /// Makes a scanner at the start of a stream.
    package init() {}

    /// Reads a chunk and calls `deliver` with the value of each data line that it ends, but not with `[DONE]`.
    package mutating func consume(_ chunk: RawSpan, _ deliver: (RawSpan) -> Void) {
        var start = 0
        while start < chunk.byteCount {
            guard let end = chunk.firstLineEnd(from: start) else {
                hold(chunk.extracting(start..<chunk.byteCount))
                return
            }
            let piece = chunk.extracting(start..<end)
            if case .none = openLine {
                if piece.matches(Self.fieldName, at: 0) { finish(piece, from: Self.fieldNameLength, deliver) }
            } else {
                hold(piece)
                endOpenLine(deliver)
            }
            start = end &+ 1
        }
    }

    /// Ends the stream: delivers a last data line that has no line end.
    package mutating func finish(_ deliver: (RawSpan) -> Void) {
        endOpenLine(deliver)
    }

    private static var fieldName: StaticString { "data:" }
    private static var fieldNameLength: Int { fieldName.utf8CodeUnitCount }

    /// Takes a part of a line that does not lie whole within a chunk.
    private mutating func hold(_ piece: RawSpan) {
        var offset = 0
        if case .none = openLine { openLine = .fieldName(matched: 0) }
        while case .fieldName(let matched) = openLine, offset < piece.byteCount {
            if piece.byte(at: offset) != Self.fieldName.utf8Start[matched] {
                openLine = .other
            } else {
                openLine = matched + 1 == Self.fieldNameLength ? .data : .fieldName(matched: matched + 1)
            }
            offset &+= 1
        }
        if case .data = openLine { held.append(piece.extracting(offset..<piece.byteCount)) }
    }

    private mutating func endOpenLine(_ deliver: (RawSpan) -> Void) {
        if case .data = openLine {
            // Taken out for the time of the call, so that the bytes can be read while `self` counts.
            var line = ByteTail(capacity: 0)
            swap(&line, &held)
            line.withBytes { finish($0, from: 0, deliver) }
            line.removeAll()
            swap(&line, &held)
        }
        openLine = .none
    }

    /// Counts and delivers the value of a data line: what follows its field name, less one space.
    private mutating func finish(_ line: RawSpan, from offset: Int, _ deliver: (RawSpan) -> Void) {
        let hasSpace = offset < line.byteCount && line.byte(at: offset) == UInt8(ascii: " ")
        let data = line.extracting(offset &+ (hasSpace ? 1 : 0)..<line.byteCount)
        if data.byteCount == 6, data.matches("[DONE]", at: 0) {
            isDone = true
        } else {
            count &+= 1
            deliver(data)
        }
    }
}
