import GatewayCore
import HTTP1Messages
import NIOCore
import NIOSSL
import RequestFormats

/// How a request ended on its connection.
enum ConnectionEnd {
    /// With a whole answer, and whether the connection can carry another request.
    case answered(isReusable: Bool)
    /// Before the first byte of an answer and right behind the sending, on a connection that has carried a request
    /// before: the server may just have closed it for being idle.
    case stale
    /// Without a whole answer.
    case failed(String)
}

/// Sends one request after the other on a connection and times their answers. Lives on the connection's event loop.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How soon behind the sending a connection ends that was closed for being idle, in nanoseconds: a round trip. What
    /// ends later had the server's attention, so that its end is the server's failure.
    private static let staleTime: Int64 = 100_000_000

    private let worker: LoadWorker
    private var reader = ResponseReader()
    private var attempt: Attempt?
    private var answer: AnswerReader?
    private var keepsAlive = false
    private var isUsed = false
    private var timeout: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(worker: LoadWorker) {
        self.worker = worker
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Sends `attempt`. There is no other one on the connection.
    func start(_ attempt: Attempt) {
        precondition(self.attempt == nil, "one request at a time")
        self.attempt = attempt
        guard let context, context.channel.isActive else { return end(isUsed ? .stale : .failed("connection closed")) }
        attempt.record.sent = LoadWorker.now
        reader.begin(isHead: false)
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: worker.timeout) {
            self.end(.failed("timed out"))
        }
        context.writeAndFlush(wrapOutboundOut(attempt.bytes), promise: nil)
    }

    /// Gives up the request under way and closes the connection.
    func abandon() {
        attempt = nil
        timeout?.cancel()
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The time of the bytes is that of their read: what follows is the generator's own.
        let now = LoadWorker.now
        guard attempt != nil else { return context.close(promise: nil) }
        reader.receive(unwrapInboundIn(data))
        do throws(MessageFault) {
            while attempt != nil, let event = try reader.next() {
                switch event {
                case .head(let head): take(head)
                case .body(let piece): take(piece, at: now)
                case .end: finish(at: now)
                }
            }
        } catch {
            end(.failed("no HTTP answer: \(error)"))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Nobody stands behind this handler: the event ends here.
    }

    func channelInactive(context: ChannelHandlerContext) {
        if attempt != nil {
            if reader.inputEnded() {
                finish(at: LoadWorker.now)
            } else if mayBeStale {
                end(.stale)
            } else {
                end(.failed(attempt?.record.status == nil ? "connection closed" : "answer cut off"))
            }
        }
        worker.closed(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isReset: Bool
        switch error {
        case is IOError, NIOSSLError.uncleanShutdown: isReset = true
        default: isReset = false
        }
        if isReset, mayBeStale {
            end(.stale)
        } else if attempt != nil {
            end(.failed(isReset ? "connection reset" : "connection broken: \(error)"))
        }
        context.close(promise: nil)
    }

    /// Whether the server may have closed the connection before it saw the request.
    private var mayBeStale: Bool {
        guard let record = attempt?.record, isUsed, record.status == nil else { return false }
        return LoadWorker.now - record.sent < Self.staleTime
    }

    private func take(_ head: ResponseHead) {
        guard let attempt else { return }
        attempt.record.status = head.status
        keepsAlive = head.keepsAlive
        let server = head.value(of: "x-gateway-destination-endpoint-served")
        if !server.isEmpty { attempt.record.server = server }
        if head.status != 200 {
            let reason = head.value(of: "x-llm-d-request-dropped-reason")
            attempt.record.failure = reason.isEmpty ? "status \(head.status)" : "status \(head.status), \(reason)"
        }
        answer = AnswerReader(
            api: worker.api, isEventStream: head.isEventStream, keepsContent: worker.keepsContent)
    }

    private func take(_ piece: ByteBuffer, at now: Int64) {
        guard let attempt, attempt.record.failure == nil else { return }
        answer?.consume(piece, at: now, into: &attempt.record)
        if answer?.hasError == true { attempt.record.failure = "error in the stream" }
    }

    private func finish(at now: Int64) {
        guard let attempt else { return }
        attempt.record.ended = now
        answer?.finish(into: &attempt.record)
        if let content = answer?.content, worker.keepsContent { worker.heard(content, attempt) }
        // Bytes behind the answer would be taken for the next one.
        end(.answered(isReusable: keepsAlive && !reader.hasInput))
    }

    private func end(_ end: ConnectionEnd) {
        guard let attempt = attempt.take() else { return }
        timeout?.cancel()
        timeout = nil
        answer = nil
        isUsed = true
        if case .answered(isReusable: true) = end {} else { context?.close(promise: nil) }
        worker.ended(attempt, on: self, end)
    }
}
