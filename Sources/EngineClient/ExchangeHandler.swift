import GatewayCore
import HTTP1Messages
import NIOCore
import NIOSSL
import Transport

/// How a question ended on a connection.
enum ExchangeEnd {
    /// With a response, and whether the connection can carry another question.
    case answered(OutboundResponse, isReusable: Bool)
    /// Before the first byte of a response, on a connection that has carried a question before: the server may just
    /// have closed it for being idle.
    case stale
    /// Without a response.
    case failed(OutboundFailure)
}

/// Sends one question after the other on a connection and collects their responses. Lives on the connection's event
/// loop.
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Failure {
        /// The connection ended before the first byte of a response.
        case closedBeforeResponse(String)
        /// Final.
        case final(OutboundFailure)
    }

    private struct Collecting {
        let question: Question
        let connection: EngineConnection
        /// The response's status; `nil` while its head has not come.
        var status: Int?
        var keepsAlive = false
        /// What the head says of the body; 0 when it says nothing.
        var length = 0
        var body = ByteBuffer()
    }

    /// The most bytes of a response's head.
    private static let headBytesMax = 80 << 10

    private let buffers: BufferPool
    private var reader = ResponseReader(headBytesMax: ExchangeHandler.headBytesMax)
    private var collecting: Collecting?
    private var prepared: PreparedRequest?
    private var isUsed = false
    /// What ended the connection while there was no question, such as a certificate that is not trusted.
    private var failureBefore: Failure?
    private var context: ChannelHandlerContext?

    /// A handler that has sent nothing.
    ///
    /// - Parameter buffers: where what was read is given back to.
    init(buffers: BufferPool) {
        self.buffers = buffers
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Sends `question` on `connection`, which is this handler's. There is no other question on it.
    func start(_ question: Question, on connection: EngineConnection) {
        precondition(collecting == nil, "one question at a time")
        collecting = Collecting(question: question, connection: connection)
        guard let context, context.channel.isActive else {
            return fail(failureBefore ?? .closedBeforeResponse("the connection was closed before the request"))
        }
        if prepared?.fits(question.request) != true { prepared = PreparedRequest(question.request) }
        guard let bytes = prepared?.bytes else {
            return fail(.final(.connect("'\(question.request.path)' cannot be sent as the path of a request")))
        }
        reader.begin(isHead: false)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// Ends the question under way when its deadline has come.
    ///
    /// - Returns: the deadline of a question that goes on.
    func endIfLate(at now: NIODeadline) -> NIODeadline? {
        guard let deadline = collecting?.question.deadline else { return nil }
        if deadline > now { return deadline }
        fail(.final(.timedOut))
        return nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if collecting == nil {
            // Nobody asked for these bytes, or they are the rest of an abandoned response.
            context.close(promise: nil)
        } else {
            read(bytes)
        }
        // Whoever holds a part of it keeps the memory, and the next read gets another one.
        buffers.giveBack(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Nobody stands behind this handler: the event ends here.
    }

    func channelInactive(context: ChannelHandlerContext) {
        if reader.inputEnded() {
            finish()
        } else if collecting?.status == nil {
            fail(.closedBeforeResponse("the connection was closed before the response"))
        } else {
            fail(.final(.badResponse("the connection was closed in the middle of the response")))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let hasHead = collecting?.status != nil
        switch error {
        case NIOSSLError.uncleanShutdown where !hasHead:
            fail(.closedBeforeResponse("the connection was closed without a TLS goodbye"))
        case is NIOSSLError where !hasHead, is BoringSSLError where !hasHead, is NIOSSLExtraError where !hasHead:
            fail(.final(.connect("TLS failed: \(error)")))
        case let error as IOError where !hasHead:
            fail(.closedBeforeResponse("\(error)"))
        default:
            fail(.final(.badResponse("\(error)")))
        }
        context.close(promise: nil)
    }

    private func read(_ bytes: ByteBuffer) {
        reader.receive(bytes)
        do throws(MessageFault) {
            while collecting != nil, let event = try reader.next() {
                switch event {
                case .head(let head): take(head)
                case .body(let part): collect(part)
                case .end: return finish()
                }
            }
        } catch {
            fail(.final(.badResponse(error.text)))
        }
    }

    private func take(_ head: ResponseHead) {
        let length = head.contentLength ?? 0
        collecting?.status = head.status
        collecting?.keepsAlive = head.keepsAlive
        collecting?.length = length
        checkLength(length)
    }

    /// Adds a part of the body. A body of one part stays in the buffer it was read into.
    private func collect(_ part: ByteBuffer) {
        guard let present = collecting?.body.readableBytes, let length = collecting?.length else { return }
        let added = part.readableBytes
        checkLength(present + added)
        if present == 0 {
            collecting?.body = part
            return
        }
        // The second part makes room for all that follow. The announced length was held against the limit.
        if length > present + added { collecting?.body.reserveCapacity(minimumWritableBytes: length - present) }
        collecting?.body.writeImmutableBuffer(part)
    }

    private func checkLength(_ length: Int) {
        guard let limit = collecting?.question.request.maxResponseBytes, length > limit else { return }
        fail(.final(.overLimit("the body has \(length) bytes or more, over the limit of \(limit)")))
    }

    private func finish() {
        guard let collecting = collecting.take(), let status = collecting.status else { return }
        // Bytes behind the response would be taken for the answer to the next question.
        let isReusable = collecting.keepsAlive && !reader.hasInput
        isUsed = true
        if !isReusable { context?.close(promise: nil) }
        let response = OutboundResponse(status: status, body: BufferBody(collecting.body))
        end(collecting, .answered(response, isReusable: isReusable))
    }

    /// Ends the question without a response; its connection is of no more use.
    private func fail(_ failure: Failure) {
        guard let collecting = collecting.take() else {
            failureBefore = failureBefore ?? failure
            return
        }
        context?.close(promise: nil)
        switch failure {
        case .closedBeforeResponse where isUsed: end(collecting, .stale)
        case .closedBeforeResponse(let why): end(collecting, .failed(.badResponse(why)))
        case .final(let failure): end(collecting, .failed(failure))
        }
    }

    private func end(_ collecting: Collecting, _ end: ExchangeEnd) {
        collecting.question.client.ended(collecting.question, on: collecting.connection, end)
    }
}

extension MessageFault {
    /// The fault as a text for logs.
    fileprivate var text: String {
        switch self {
        case .headerTooLong(let limit): "the header has more than \(limit) bytes"
        case .tooManyFields(let limit): "the header has more than \(limit) fields"
        case .lengthInDoubt: "the length of the body is open to doubt"
        case .version(let version): "the version \(version) is not understood"
        case .malformed(let what): what
        }
    }
}
