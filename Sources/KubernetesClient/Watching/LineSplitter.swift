import FoundationEssentials
import NIOCore

/// Cuts bytes that come in pieces of any size into lines.
///
/// At most one line is kept, and of that at most so many bytes; the rest of a longer line is passed over.
struct LineSplitter {
    private let maximumLineBytes: Int
    /// The beginning of the line that has not ended.
    private var line = JSONMemberScanner.Value()
    /// What has come and is not cut yet.
    private var rest = ByteBuffer()

    init(maximumLineBytes: Int) {
        self.maximumLineBytes = maximumLineBytes
    }

    /// Whether a line has begun and not ended.
    var isInLine: Bool { !line.bytes.isEmpty || line.isTruncated || rest.readableBytes > 0 }

    /// Takes the next piece. All lines of the one before must have been taken out.
    mutating func append(_ piece: ByteBuffer) {
        rest = piece
    }

    /// The next line that has ended, without its line feed; `nil` when more must come.
    mutating func next() -> JSONMemberScanner.Value? {
        guard let length = rest.readableBytesView.firstIndex(of: 0x0A).map({ $0 - rest.readerIndex }) else {
            keep(rest.readableBytes)
            return nil
        }
        keep(length)
        rest.moveReaderIndex(forwardBy: 1)
        defer { line = JSONMemberScanner.Value() }
        return line
    }

    private mutating func keep(_ count: Int) {
        let kept = min(count, maximumLineBytes - line.bytes.count)
        if kept < count { line.isTruncated = true }
        let piece = rest.readableBytesView.prefix(kept)
        line.bytes.append(contentsOf: piece)
        rest.moveReaderIndex(forwardBy: count)
    }
}
