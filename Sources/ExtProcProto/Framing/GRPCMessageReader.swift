/// Why bytes are not gRPC's length-prefixed messages. The stream cannot be read any further.
package enum GRPCFramingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The flag in front of a message is neither 0 nor 1.
    case invalidFlag(UInt8)
    /// A message is announced with more bytes than the limit. Nothing of it has been taken. gRPC answers
    /// RESOURCE_EXHAUSTED.
    case messageTooLong(length: Int, limit: Int)
    /// The stream ended within a message.
    case truncated

    /// One sentence.
    package var description: String {
        switch self {
        case .invalidFlag(let flag): "a gRPC message begins with the flag \(flag), which is neither 0 nor 1"
        case .messageTooLong(let length, let limit):
            "a gRPC message of \(length) bytes is longer than the limit of \(limit)"
        case .truncated: "the stream ends within a gRPC message"
        }
    }
}

/// A part of a message within a chunk of a stream.
package struct GRPCMessagePart: Hashable, Sendable {
    /// Where the part stands in the chunk. Empty only when the message is.
    package let range: Range<Int>
    /// The length of the whole message in bytes.
    package let messageLength: Int
    /// Whether the message is compressed. Its bytes must be passed by all the same.
    package let isCompressed: Bool
    /// Whether it is the message's first part.
    package let isFirst: Bool
    /// Whether it is the message's last part.
    package let isLast: Bool
}

/// Finds gRPC's messages in a stream of bytes that arrives in chunks of any length.
///
/// A message is led by a flag, 1 when it is compressed, and its length in 4 bytes, the highest first. The reader keeps
/// no bytes of messages: it says where the parts of a message stand. So a message within one chunk, part first and last
/// at once, is read where it is; of any other the first part tells how much room to make, and each byte is copied there
/// once. No input traps. After an error the reader must not be used further.
package struct GRPCMessageReader: Sendable {
    /// The longest message that is taken when nothing else is said, 4 MiB, as in other gRPC servers. Envoy sends 1 MiB
    /// of a body, and a little around it.
    package static let standardLimit = 4 * 1024 * 1024

    private enum State {
        /// Bytes of a prefix are there: `length` has the last four of them so far.
        case prefix(count: Int, flag: UInt8, length: UInt32)
        case message(left: Int, length: Int, isCompressed: Bool)
    }

    private var state = State.prefix(count: 0, flag: 0, length: 0)
    private let limit: Int

    /// Makes a reader at the start of a stream.
    /// - Parameter limit: the longest message in bytes, without its prefix; negative numbers are taken as 0.
    package init(limit: Int = standardLimit) {
        self.limit = max(limit, 0)
    }

    /// Whether the stream may end here: nothing of a message has begun.
    package var isBetweenMessages: Bool {
        if case .prefix(count: 0, _, _) = state { true } else { false }
    }

    /// The next part of a message in `chunk`; `nil` when the chunk is used up.
    /// - Parameters:
    ///   - chunk: the stream's next bytes.
    ///   - offset: where to go on in the chunk; 0 for a new one. Moved behind what was read.
    package mutating func next(
        in chunk: RawSpan,
        from offset: inout Int
    ) throws(GRPCFramingError) -> GRPCMessagePart? {
        if case .prefix(var count, var flag, var length) = state {
            while count < GRPCPrefix.byteCount, 0..<chunk.byteCount ~= offset {
                let byte = chunk.byte(at: offset)
                offset &+= 1
                if count == 0 { flag = byte } else { length = length &<< 8 | UInt32(byte) }
                count &+= 1
            }
            guard flag <= 1 else { throw .invalidFlag(flag) }
            guard count == GRPCPrefix.byteCount else {
                state = .prefix(count: count, flag: flag, length: length)
                return nil
            }
            guard UInt64(length) <= UInt64(limit) else { throw .messageTooLong(length: Int(length), limit: limit) }
            state = .message(left: Int(length), length: Int(length), isCompressed: flag == 1)
        }
        return part(of: chunk, from: &offset)
    }

    /// Tells that the stream has ended.
    package func finish() throws(GRPCFramingError) {
        guard isBetweenMessages else { throw .truncated }
    }

    private mutating func part(of chunk: RawSpan, from offset: inout Int) -> GRPCMessagePart? {
        guard case .message(let left, let length, let isCompressed) = state else { return nil }
        let count = min(left, max(chunk.byteCount &- offset, 0))
        let isLast = count == left
        // An empty part is only worth telling when there is nothing more to come.
        if count == 0, !isLast { return nil }
        if isLast {
            state = .prefix(count: 0, flag: 0, length: 0)
        } else {
            state = .message(left: left &- count, length: length, isCompressed: isCompressed)
        }
        let range = offset..<offset &+ count
        offset &+= count
        return GRPCMessagePart(
            range: range,
            messageLength: length,
            isCompressed: isCompressed,
            isFirst: left == length,
            isLast: isLast
        )
    }
}

/// What stands in front of each gRPC message.
package enum GRPCPrefix {
    /// Its length in bytes.
    package static let byteCount = 5

    /// Appends the prefix of an uncompressed message of `length` bytes, 0 to 4,294,967,295; any other length is a
    /// programming error and stops the process.
    package static func append(length: Int, to output: inout OutputRawSpan) {
        let length = UInt32(length)
        output.append(0)
        for shift: UInt32 in [24, 16, 8, 0] {
            output.append(UInt8(truncatingIfNeeded: length &>> shift))
        }
    }
}
