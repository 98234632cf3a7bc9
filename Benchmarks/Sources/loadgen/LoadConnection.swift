import NIOCore
import NIOHTTP1
import Workload

/// One keep-alive connection: sends a request at a time and checks its reply to the last byte.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private struct Exchange {
        let due: NIODeadline
        let sent: BodyDigest
        var head: HTTPResponseHead?
        var firstByte: NIODeadline?
        var received = BodyDigest()
        var reads = 0
    }

    private unowned let run: LoadRun
    private var exchange: Exchange?
    private var context: ChannelHandlerContext?

    init(run: LoadRun) {
        self.run = run
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        run.becameIdle(self)
    }

    /// Sends `body`; the connection must be idle. `due` is when its latency starts to count.
    func send(_ head: HTTPRequestHead, _ body: RequestBody, due: NIODeadline) {
        guard let context else { return }
        exchange = Exchange(due: due, sent: body.digest)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        for part in body.parts {
            context.write(wrapOutboundOut(.body(.byteBuffer(part))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            exchange?.head = head
        case .body(let buffer):
            if exchange?.firstByte == nil {
                exchange?.firstByte = .now()
            }
            exchange?.received.update(buffer.readableBytesSpan)
            exchange?.reads += 1
        case .end:
            guard let finished = exchange, let head = finished.head else { return }
            exchange = nil
            record(finished, head)
            if head.isKeepAlive {
                run.becameIdle(self)
            } else {
                context.close(promise: nil)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if exchange != nil {
            exchange = nil
            run.failed("closed", "the connection was closed before the reply was complete")
        }
        run.closed(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if exchange != nil {
            exchange = nil
            run.failed("connection", "the connection failed: \(error)")
        }
        context.close(promise: nil)
    }

    private func record(_ exchange: Exchange, _ head: HTTPResponseHead) {
        let expected = run.expectedReply
        let seen = exchange.received
        if head.status != .ok {
            run.failed("status", "status \(head.status.code) instead of 200")
        } else if seen.byteCount != expected.byteCount {
            run.failed("length", "a reply of \(seen.byteCount) bytes instead of \(expected.byteCount)")
        } else if seen.value != expected.value {
            run.failed("digest", "a reply of the right length with other bytes")
        } else if head.headers.first(name: "x-body-digest") != String(exchange.sent.value, radix: 16) {
            let count = head.headers.first(name: "x-body-bytes") ?? "no count of"
            run.failed("request", "the backend saw \(count) bytes of \(exchange.sent.byteCount), or other ones")
        } else {
            run.succeeded(due: exchange.due, firstByte: exchange.firstByte, reads: exchange.reads)
        }
    }
}
