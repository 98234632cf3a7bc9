import NIOCore
import NIOHTTP1
import Workload

/// Answers one connection of the benchmark backend.
///
/// A POST gets the canned completion, or the canned stream if it carries `x-bench-reply: sse`; either reply names the
/// count and the digest of the request's bytes, so that the load generator can tell whether they came whole.
final class BackendHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let replies: CannedReplies
    private let metrics: ByteBuffer
    private let chunkGap: TimeAmount
    private var head: HTTPRequestHead?
    private var digest = BodyDigest()

    init(replies: CannedReplies, metrics: ByteBuffer, chunkGap: TimeAmount) {
        self.replies = replies
        self.metrics = metrics
        self.chunkGap = chunkGap
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            digest = BodyDigest()
        case .body(let buffer):
            digest.update(buffer.readableBytesSpan)
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context: context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ request: HTTPRequestHead, context: ChannelHandlerContext) {
        switch (request.method, request.uri) {
        case (.POST, _):
            var headers: HTTPHeaders = [
                "x-body-bytes": String(digest.byteCount),
                "x-body-digest": String(digest.value, radix: 16),
            ]
            if request.headers.first(name: "x-bench-reply") == "sse" {
                headers.add(name: "content-type", value: "text/event-stream; charset=utf-8")
                headers.add(name: "transfer-encoding", value: "chunked")
                let responseHead = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
                context.write(wrapOutboundOut(.head(responseHead)), promise: nil)
                sendEvent(0, context: context)
            } else {
                send(replies.completion, type: "application/json", headers: headers, context: context)
            }
        case (.GET, "/metrics"):
            send(metrics, type: "text/plain; version=0.0.4; charset=utf-8", context: context)
        case (.GET, "/v1/models"):
            send(replies.models, type: "application/json", context: context)
        case (.GET, "/health"):
            send(ByteBuffer(), type: "text/plain", context: context)
        default:
            send(ByteBuffer(), status: .notFound, type: "text/plain", context: context)
        }
    }

    private func send(
        _ body: ByteBuffer,
        status: HTTPResponseStatus = .ok,
        type: String,
        headers: HTTPHeaders = [:],
        context: ChannelHandlerContext
    ) {
        var headers = headers
        headers.add(name: "content-type", value: type)
        headers.add(name: "content-length", value: String(body.readableBytes))
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Sends event `index` and, a gap later, the next: each leaves in a write of its own, as tokens do.
    private func sendEvent(_ index: Int, context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(replies.events[index]))), promise: nil)
        guard index + 1 < replies.events.count else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            return
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: chunkGap) {
            self.sendEvent(index + 1, context: context)
        }
    }
}
