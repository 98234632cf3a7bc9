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
    /// - Parameters:
    ///   - isLast: whether the last of them ends the body and no trailers follow.
    ///   - metadata: metadata for what stands behind the filter, which goes with the last of them.
    func sendPieces(
        of body: ByteBuffer,
        _ direction: PieceHead.Direction,
        isLast: Bool,
        metadata: ProtobufStruct? = nil
    ) {
        var left = body
        repeat {
            guard let bytes = left.readSlice(length: min(left.readableBytes, pieceBytesMax)) else { return }
            let isEnd = left.readableBytes == 0
            let piece = StreamedPiece(byteCount: bytes.readableBytes, isEndOfStream: isLast && isEnd)
            if isEnd, let metadata {
                send(ProcessingResponse(piece, of: direction, dynamicMetadata: metadata), body: bytes)
            } else {
                let head = PieceHead(piece, of: direction)
                send(byteCount: head.byteCount, body: bytes) { head.write(to: &$0) }
            }
        } while left.readableBytes > 0
    }
}

extension ProcessingResponse {
    /// The answer to a body in full-duplex mode that is a piece of it with metadata.
    fileprivate init(_ piece: StreamedPiece, of direction: PieceHead.Direction, dynamicMetadata: ProtobufStruct) {
        let common = CommonResponse(body: .streamed(piece))
        let answer: Answer =
            switch direction {
            case .request: .requestBody(common)
            case .response: .responseBody(common)
            }
        self.init(answer, dynamicMetadata: dynamicMetadata)
    }
}
