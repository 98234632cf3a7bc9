import GatewayCore
package import NIOCore

/// Takes the body of an HTTP/1.1 message apart (RFC 9112, 6 and 7): pieces without their framing, then the end.
///
/// A plain value. The pieces are slices of the bytes that came in; nothing is copied and nothing is kept.
package struct MessageBodyReader {
    /// Where a body ends.
    package enum Length: Hashable {
        /// There is none.
        case none
        /// So many bytes.
        case bytes(Int)
        /// With the last chunk.
        case chunked
        /// With the connection.
        case untilClose
    }

    /// What came of the bytes.
    package enum Piece {
        /// Bytes of the body; at least one.
        case bytes(ByteBuffer)
        /// The body is whole.
        case end
    }

    private enum State {
        /// Whole.
        case ended
        /// So many bytes are missing.
        case bytes(Int)
        /// Everything that comes belongs to it.
        case untilClose
        /// Before or in the line of a chunk's size.
        case chunkSize
        /// So many bytes of the chunk are missing.
        case chunk(Int)
        /// Behind a chunk's bytes.
        case chunkEnd
        /// In the trailer section, which is read and dropped (RFC 9110, 6.5.1 leaves that to intermediaries).
        case trailers(length: Int)
    }

    /// The most bytes of a chunk's size line: room for extensions, which nobody uses.
    static let chunkLineBytesMax = 1 << 10
    /// The most bytes of a trailer section.
    package static let trailerBytesMax = 16 << 10

    private var state: State

    /// A body of which nothing has come.
    package init(_ length: Length) {
        state =
            switch length {
            case .none, .bytes(0): .ended
            case .bytes(let count): .bytes(count)
            case .chunked: .chunkSize
            case .untilClose: .untilClose
            }
    }

    /// Whether the end of the connection is the end of the body.
    package var endsWithConnection: Bool { if case .untilClose = state { true } else { false } }

    /// The bytes that are missing of a body whose length is known; `nil` for any other.
    package var knownLength: Int? { if case .bytes(let count) = state { count } else { nil } }

    /// The next piece; `nil` when more bytes are needed.
    package mutating func next(_ input: inout ByteBuffer) throws(MessageFault) -> Piece? {
        while true {
            switch state {
            case .ended:
                return .end
            case .bytes(let missing):
                guard let piece = Self.take(missing, from: &input) else { return nil }
                let left = missing - piece.readableBytes
                state = left == 0 ? .ended : .bytes(left)
                return .bytes(piece)
            case .untilClose:
                return Self.take(.max, from: &input).map { .bytes($0) }
            case .chunk(let missing):
                guard let piece = Self.take(missing, from: &input) else { return nil }
                let left = missing - piece.readableBytes
                state = left == 0 ? .chunkEnd : .chunk(left)
                return .bytes(piece)
            case .chunkSize, .chunkEnd, .trailers:
                guard try takeLine(&input) else { return nil }
            }
        }
    }

    private static func take(_ limit: Int, from input: inout ByteBuffer) -> ByteBuffer? {
        let count = min(limit, input.readableBytes)
        return count == 0 ? nil : input.readSlice(length: count)
    }

    /// Takes a line of the chunked coding; `false` when it has not come whole.
    private mutating func takeLine(_ input: inout ByteBuffer) throws(MessageFault) -> Bool {
        let state = state
        let line = try input.withUnsafeReadableBytes { (bytes) throws(MessageFault) -> (State, Int)? in
            try Self.readLine(bytes, state)
        }
        guard let (next, length) = line else { return false }
        input.moveReaderIndex(forwardBy: length)
        self.state = next
        return true
    }

    /// Reads a line of the chunked coding (RFC 9112, 7.1).
    ///
    /// - Returns: the state behind it, and its length; `nil` when it has not come whole.
    private static func readLine(
        _ bytes: UnsafeRawBufferPointer,
        _ state: State
    ) throws(MessageFault) -> (State, Int)? {
        guard let end = bytes.lineFeed(from: 0) else {
            if case .trailers(let before) = state {
                if before + bytes.count > trailerBytesMax { throw .headerTooLong(limit: trailerBytesMax) }
            } else if bytes.count > chunkLineBytesMax {
                throw .malformed("a line of the chunked coding is longer than \(chunkLineBytesMax) bytes")
            }
            return nil
        }
        guard end > 0, bytes[end - 1] == ASCII.carriageReturn else {
            throw .malformed("a line of the chunked coding ends with a line feed alone")
        }
        let line = 0..<end - 1
        switch state {
        case .chunkSize:
            let size = try chunkSize(bytes, line)
            return (size > 0 ? .chunk(size) : .trailers(length: 0), end + 1)
        case .chunkEnd:
            guard line.isEmpty else { throw .malformed("a chunk is longer than its size") }
            return (.chunkSize, end + 1)
        case .trailers(let before):
            let length = before + end + 1
            guard length <= trailerBytesMax else { throw .headerTooLong(limit: trailerBytesMax) }
            if !line.isEmpty { try checkTrailer(bytes, line) }
            return (line.isEmpty ? .ended : .trailers(length: length), end + 1)
        case .ended, .bytes, .untilClose, .chunk:
            preconditionFailure("no line of the chunked coding is awaited")
        }
    }

    /// A trailer is a field like any other, and never one that says where the message ends (RFC 9110, 6.5.1).
    private static func checkTrailer(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(MessageFault) {
        let place = try HeaderSection.field(line, bytes)
        switch FieldKind(bytes.slice(place.name)) {
        case .contentLength, .transferEncoding, .host:
            throw .malformed("the trailer section has the field \(bytes.text(place.name))")
        default: break
        }
    }

    /// The size at the start of a chunk's line; its extensions are passed over.
    private static func chunkSize(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(MessageFault) -> Int {
        guard line.count <= chunkLineBytesMax else {
            throw .malformed("a line of the chunked coding is longer than \(chunkLineBytesMax) bytes")
        }
        var size = 0
        var position = line.lowerBound
        while position < line.upperBound, let digit = bytes[position].hexadecimalValue {
            // Fifteen digits: a size of up to 2^60 bytes cannot overflow, and nobody has a chunk of that size.
            guard position < 15 else { throw .malformed("the size of a chunk is too large") }
            size = size << 4 | digit
            position += 1
        }
        guard position > 0 else { throw .malformed("the size of a chunk is not a hexadecimal number") }
        guard isExtensions(bytes, position..<line.upperBound) else {
            throw .malformed("the size of a chunk is not a hexadecimal number")
        }
        return size
    }

    /// Whether the bytes are chunk extensions: each a semicolon, a name, and perhaps a value, which may be quoted.
    private static func isExtensions(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        var position = range.lowerBound
        func passToken() -> Bool {
            let start = position
            while position < range.upperBound, bytes[position].isTokenByte { position += 1 }
            return position > start
        }
        while position < range.upperBound {
            guard bytes[position] == ASCII.semicolon else { return false }
            position += 1
            guard passToken() else { return false }
            guard position < range.upperBound, bytes[position] == UInt8(ascii: "=") else { continue }
            position += 1
            if position < range.upperBound, bytes[position] == UInt8(ascii: "\"") {
                guard let end = bytes[position + 1..<range.upperBound].firstIndex(of: UInt8(ascii: "\"")) else {
                    return false
                }
                position = end + 1
            } else if !passToken() {
                return false
            }
        }
        return true
    }
}
