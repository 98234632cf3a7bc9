/// The encoded answer to a body in full-duplex mode that is nothing but a piece of it: gRPC's prefix, and the
/// message up to and with the piece's length. The piece's bytes follow, as with ``ResponseHead``.
///
/// It has the bytes that ``ProcessingResponse/head()`` gives for the same answer, and is made from numbers only: a
/// streamed response has an answer for each event of the stream, and counting references would cost more than all else.
package struct PieceHead: Sendable {
    /// Whose body it is.
    package enum Direction: UInt8, Hashable, Sendable {
        /// The request's: field 3 of ProcessingResponse.
        case request = 3
        /// The response's: field 4.
        case response = 4
    }

    /// What ``write(to:)`` appends, in bytes: gRPC's prefix and the message without the piece. At most 41.
    package let byteCount: Int
    /// The number of the piece's bytes, which must follow.
    package var bodyByteCount: Int { piece.byteCount }

    private let piece: StreamedPiece
    private let direction: Direction
    /// StreamedBodyResponse, BodyMutation, CommonResponse, BodyResponse.
    private let pieceSize, mutationSize, commonSize, replySize: Int

    /// Measures an answer. A piece of a negative number of bytes, or of more than 2³¹ − 1 with the message around it,
    /// is a programming error and stops the process.
    package init(_ piece: StreamedPiece, of direction: Direction) {
        precondition(
            0...Int(Int32.max) ~= piece.byteCount,
            "a body of \(piece.byteCount) bytes does not fit a message"
        )
        self.piece = piece
        self.direction = direction
        pieceSize = piece.size
        mutationSize = WireSize.bytes(pieceSize)
        commonSize = WireSize.bytes(mutationSize)
        replySize = WireSize.bytes(commonSize)
        let messageSize = WireSize.bytes(replySize)
        precondition(messageSize <= Int(Int32.max), "a protobuf message of \(messageSize) bytes is too large")
        byteCount = GRPCPrefix.byteCount &+ messageSize &- piece.byteCount
    }

    /// Appends the head, ``byteCount`` bytes. Less room is a programming error and stops the process.
    package func write(to output: inout OutputRawSpan) {
        GRPCPrefix.append(length: byteCount &- GRPCPrefix.byteCount &+ piece.byteCount, to: &output)
        output.append(.bytes(direction.rawValue), length: replySize)
        output.append(.bytes(1), length: commonSize)
        output.append(.bytes(3), length: mutationSize)
        output.append(.bytes(3), length: pieceSize)
        piece.append(to: &output)
    }
}
