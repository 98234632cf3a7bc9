import ExtProcProto
import NIOCore

/// The most bytes of a body in one message to the proxy. Envoy takes more; other proxies stop at 64 KiB, and the
/// reference pickers send this.
let pieceBytesMax = 62_000

extension GRPCStream {
    /// Sends an answer, with the bytes of its body.
    func send(_ response: ProcessingResponse, body: ByteBuffer? = nil) {
        let head = response.head()
        send(byteCount: head.byteCount, body: body) { head.write(to: &$0) }
    }

    /// Sends a body in as many messages as it needs; one, of no bytes, when it is empty.
    ///
    /// - Parameter isLast: whether the last of them ends the body and no trailers follow.
    func sendPieces(of body: ByteBuffer, _ direction: PieceHead.Direction, isLast: Bool) {
        var left = body
        repeat {
            guard let piece = left.readSlice(length: min(left.readableBytes, pieceBytesMax)) else { return }
            let head = PieceHead(
                StreamedPiece(byteCount: piece.readableBytes, isEndOfStream: isLast && left.readableBytes == 0),
                of: direction
            )
            send(byteCount: head.byteCount, body: piece) { head.write(to: &$0) }
        } while left.readableBytes > 0
    }
}
