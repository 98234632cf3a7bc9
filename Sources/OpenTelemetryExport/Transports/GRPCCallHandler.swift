import FoundationEssentials
import NIOCore
import NIOHPACK
import NIOHTTP2

/// The client's side of one unary call: sends the message and makes the answer an outcome.
final class GRPCCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// The most bytes of an answer that are read.
    private static let answerBytesMax = 1 << 20
    /// The bytes in front of a message: whether it is compressed, and its length.
    private static let prefixBytes = 5

    private let headers: HPACKHeaders
    private let message: ByteBuffer
    private let outcome: EventLoopPromise<ExportOutcome>
    private var answer = ByteBuffer()
    private var httpStatus = 0

    /// Makes the handler of a call that has not begun.
    init(headers: HPACKHeaders, message: ByteBuffer, outcome: EventLoopPromise<ExportOutcome>) {
        self.headers = headers
        self.message = message
        self.outcome = outcome
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
    }

    private func begin(_ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        var framed = context.channel.allocator.buffer(capacity: message.readableBytes + Self.prefixBytes)
        framed.writeInteger(UInt8(0))
        framed.writeInteger(UInt32(truncatingIfNeeded: message.readableBytes))
        framed.writeImmutableBuffer(message)
        let data = HTTP2Frame.FramePayload.Data(data: .byteBuffer(framed), endStream: true)
        context.writeAndFlush(wrapOutboundOut(.data(data)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers):
            if let status = headers.headers.first(name: ":status").flatMap({ Int($0) }) { httpStatus = status }
            if headers.endStream { outcome.succeed(end(headers.headers)) }
        case .data(let data):
            guard case .byteBuffer(var bytes) = data.data else { return }
            if answer.readableBytes + bytes.readableBytes > Self.answerBytesMax {
                outcome.succeed(.refused("the collector's answer has more than \(Self.answerBytesMax) bytes"))
            } else {
                answer.writeBuffer(&bytes)
            }
            if data.endStream { outcome.succeed(end([:])) }
        default:
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        outcome.succeed(.retryable("the connection to the collector broke off", after: nil))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        outcome.succeed(.retryable("\(error)", after: nil))
        context.close(promise: nil)
    }

    /// What the trailers, or a head that has them in it, say.
    private func end(_ trailers: HPACKHeaders) -> ExportOutcome {
        guard let status = trailers.first(name: "grpc-status").flatMap({ Int($0) }) else {
            let why = "the collector answered by HTTP \(httpStatus) without a gRPC status"
            return [429, 502, 503, 504].contains(httpStatus) ? .retryable(why, after: nil) : .refused(why)
        }
        if status == 0 { return accepted() }
        let message = trailers.first(name: "grpc-message") ?? ""
        let why = "the collector answered with the gRPC status \(status)" + (message.isEmpty ? "" : ": \(message)")
        let delay = trailers.first(name: "grpc-status-details-bin").flatMap(Self.base64)
            .flatMap { RetryInfo.delay(inStatus: $0) }
        switch status {
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        case 1, 4, 10, 11, 14, 15: return .retryable(why, after: delay)
        // RESOURCE_EXHAUSTED passes only if the collector says when.
        case 8: return delay.map { .retryable(why, after: $0) } ?? .refused(why)
        default: return .refused(why)
        }
    }

    private func accepted() -> ExportOutcome {
        guard let flag = answer.readInteger(as: UInt8.self), flag == 0,
            let length = answer.readInteger(as: UInt32.self), let bytes = answer.readSlice(length: Int(length))
        else { return .accepted }
        let partial = PartialSuccess(protobuf: bytes.readableBytesView)
        return .accepted(rejectedSpans: partial.rejectedSpans, message: partial.message)
    }

    /// The bytes of a binary header field, which may come with or without padding.
    private static func base64(_ text: String) -> [UInt8]? {
        let padded = text.hasSuffix("=") ? text : text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: padded).map(Array.init)
    }
}
