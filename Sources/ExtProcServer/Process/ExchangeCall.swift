import ExtProcProto
import GatewayCore
import NIOCore
import RequestControl
import Transport

/// What may be woken while nothing happens on its stream. Called on the event loop of its connection.
protocol ExchangeSleeper: AnyObject {
    /// Does what the processor asked for.
    func wakeUp(_ wake: RequestExchange.Wake)
}

/// One HTTP exchange as Envoy shows it: keeps the protocol's order, gathers the request, asks its processor, and sends
/// back what the mode of the bodies demands. Confined to the event loop of its connection.
final class ExchangeCall<Processor: ExchangeProcessor>: GRPCCall, ExchangeSleeper {
    private let stream: GRPCStream
    private let ignoresSubsetHints: Bool
    private var processor: Processor
    private var order: ProcessStateMachine
    private var isFirstMessage = true
    private var hasEnded = false
    private var hasBodyEnded = false
    private var start: RequestStart?
    private var subset: EndpointSubset?
    private var body: ByteBuffer?
    /// How the request is answered that waits for its turn.
    private var waiting: (answer: ProcessStateMachine.Answer, shown: ReleasableBody)?

    /// Starts an exchange on `stream`; `mode` is how a proxy speaks that does not tell.
    init(
        stream: GRPCStream,
        processor: Processor,
        mode: ExchangeMode = .fullDuplex,
        ignoresSubsetHints: Bool = false
    ) {
        order = ProcessStateMachine(mode)
        self.stream = stream
        self.processor = processor
        self.ignoresSubsetHints = ignoresSubsetHints
    }

    // MARK: GRPCCall

    func received(_ message: ByteBuffer) {
        do throws(WireError) {
            try message.withUnsafeReadableBytes { (view) throws(WireError) in
                let bytes = RawSpan(_unsafeBytes: view)
                take(try ProcessingRequest(reading: bytes), bytes, message)
            }
        } catch {
            stream.end(GRPCStatus(.invalidArgument, "\(error)"))
        }
    }

    func receivedEnd() {
        stream.end(.ok)
    }

    func closed() {
        // Without the response's body, nothing tells when the exchange is over but the end of the stream.
        end(order.isResponseComplete || !order.showsResponseBody ? .whole : .brokenOff)
    }

    func abort() {
        if let reply = processor.shutDown() { immediate(reply) }
        end(.drained)
    }

    private func end(_ end: ExchangeEnd) {
        guard !hasEnded else { return }
        hasEnded = true
        waiting?.shown.release()
        waiting = nil
        body = nil
        processor.ended(end)
    }

    // MARK: Messages

    private func take(_ request: ProcessingRequest, _ bytes: RawSpan, _ message: ByteBuffer) {
        if isFirstMessage {
            isFirstMessage = false
            order.configure(request.protocolConfiguration, isObserving: request.isObservationOnly)
        }
        // A part that this version does not know was not asked for by the filter's settings.
        guard let part = request.part else { return }
        switch part {
        case .requestHeaders(let headers):
            perform(order.receive(.requestHeaders(isLast: headers.isEndOfStream))) {
                noteSubset(request, bytes)
                start = RequestStart(headers, in: bytes, receivedAt: processor.now())
                checkHeaders(headers, bytes)
            }
        case .requestBody(let piece):
            perform(order.receive(.requestBody(isLast: piece.isEndOfStream))) {
                noteSubset(request, bytes)
                append(slice(piece.body, of: message), isLast: piece.isEndOfStream)
            }
        case .requestTrailers:
            perform(order.receive(.requestTrailers)) { noteSubset(request, bytes) }
        case .responseHeaders(let headers):
            // The proxy answered by itself: its turn is of no use to the request any more.
            waiting.take()?.shown.release()
            perform(order.receive(.responseHeaders(isLast: headers.isEndOfStream))) {
                let readsContent = processor.looksAtResponseContent && canChangeResponseBody(headers, bytes)
                let head = ExchangeResponseHead(headers, request, readsContent: readsContent, in: bytes)
                let changes = processor.responseHead(head)
                stream.send(ProcessingResponse(.responseHeaders(CommonResponse(headers: changes))))
                if headers.isEndOfStream { end(.whole) }
            }
        case .responseBody(let piece):
            perform(order.receive(.responseBody(isLast: piece.isEndOfStream))) {
                relayBody(slice(piece.body, of: message), isLast: piece.isEndOfStream)
            }
        case .responseTrailers:
            perform(order.receive(.responseTrailers)) { relayTrailers() }
        }
    }

    /// Does what the order asks for; `note` takes what the message holds, before it is answered.
    private func perform(_ action: ProcessStateMachine.Action, _ note: () -> Void) {
        switch action {
        case .ignore:
            break
        case .fail(let why):
            stream.end(GRPCStatus(.failedPrecondition, why))
        case .refuse(let obstacle):
            note()
            refuse(obstacle)
        case .keep, .relayHeaders, .relayPiece, .acknowledgeBody, .relayTrailers:
            note()
        case .keepAndAcknowledge:
            note()
            if !stream.hasEnded { stream.send(ProcessingResponse(.requestHeaders(CommonResponse()))) }
        case .decide(let answer):
            note()
            if !stream.hasEnded { decide(answer) }
        case .acknowledge:
            stream.send(ProcessingResponse(.requestTrailers(.none)))
        }
    }

    private func slice(_ range: Range<Int>, of message: ByteBuffer) -> ByteBuffer {
        guard let slice = message.getSlice(at: message.readerIndex + range.lowerBound, length: range.count) else {
            preconditionFailure("a part of a message lies within it")
        }
        return slice
    }

    // MARK: The request

    /// The list of allowed endpoints comes with any message of the request; the last one holds.
    private func noteSubset(_ request: ProcessingRequest, _ bytes: RawSpan) {
        guard !ignoresSubsetHints, let hint = request.endpointSubset(in: bytes) else { return }
        subset = hint
    }

    private func checkHeaders(_ headers: HeadersPart, _ bytes: RawSpan) {
        let limits = processor.limits
        if headers.fields.count > limits.maxHeaderFields {
            let count = headers.fields.count
            refuse(.headersTooLarge, "The request has \(count) header fields; the limit is \(limits.maxHeaderFields).")
        } else if bytes.byteCount > limits.maxHeaderBytes, headers.fields.byteCount(in: bytes) > limits.maxHeaderBytes {
            refuse(.headersTooLarge, "The request's header is longer than the limit of \(limits.maxHeaderBytes) bytes.")
        }
    }

    /// Keeps a piece of the request's body. The first one is kept as it is, unless it is a small part of what was read
    /// with it; a body of several is gathered into one buffer, because parsing and hashing want it in one piece.
    private func append(_ piece: ByteBuffer, isLast: Bool) {
        let length = (body?.readableBytes ?? 0) + piece.readableBytes
        let limit = processor.limits.maxBodyBytes
        if length > limit {
            return refuse(.bodyTooLarge, "The request's body is longer than the limit of \(limit) bytes.")
        }
        guard var gathered = body.take() else {
            body = isLast || piece.readableBytes >= 16 << 10 ? piece : ByteBuffer(bytes: piece.readableBytesView)
            return
        }
        if gathered.writableBytes < piece.readableBytes {
            var larger = ByteBufferAllocator().buffer(capacity: max(length, 2 * gathered.readableBytes))
            larger.writeBuffer(&gathered)
            gathered = larger
        }
        gathered.writeImmutableBuffer(piece)
        body = gathered
    }

    private func decide(_ answer: ProcessStateMachine.Answer) {
        guard let start else { return }
        let hasUnseenBody =
            switch answer {
            case .headers: !order.showsRequestBody
            case .body(let isPart): isPart
            case .headersAndPieces: false
            }
        let shown = ReleasableBody(body)
        let eventLoop = stream.eventLoop
        let call = NIOLoopBound<any ExchangeSleeper>(self, eventLoop: eventLoop)
        let request = start.request(body: shown, hasUnseenBody: hasUnseenBody, subset: subset)
        let decision = processor.decide(request) { wake in
            eventLoop.execute { call.value.wakeUp(wake) }
        }
        carryOut(decision, answer, shown)
    }

    private func carryOut(
        _ decision: ExchangeDecision,
        _ answer: ProcessStateMachine.Answer,
        _ shown: ReleasableBody
    ) {
        switch decision {
        case .wait:
            waiting = (answer, shown)
            return
        case .reply(let reply): immediate(reply)
        case .forward(let forwarded): send(forwarded, answer)
        }
        // Whatever happens next, the proxy has the body: nobody here sends it again.
        shown.release()
        body = nil
    }

    // MARK: ExchangeSleeper

    func wakeUp(_ wake: RequestExchange.Wake) {
        switch wake {
        case .resume: resume()
        case .evict: evict()
        }
    }

    /// The request's turn has come.
    private func resume() {
        guard !hasEnded, let (answer, shown) = waiting.take() else { return }
        carryOut(processor.resume(), answer, shown)
        stream.flush()
    }

    /// Another request needs this one's place.
    private func evict() {
        guard !hasEnded, let reply = processor.evict() else { return }
        waiting = nil
        immediate(reply)
        stream.flush()
    }

    private func send(_ forwarded: ForwardedRequest, _ answer: ProcessStateMachine.Answer) {
        var common = CommonResponse(headers: forwarded.headers, clearsRouteCache: true)
        let changed = forwarded.body.map { (body ?? ByteBuffer()).replacing($0.range, with: $0.bytes) }
        switch answer {
        case .headers:
            stream.send(ProcessingResponse(.requestHeaders(common), dynamicMetadata: forwarded.metadata))
        case .body:
            common.body = changed.map { .replaced(byteCount: $0.readableBytes) }
            if let changed, order.requestKeepsLength { common.headers.setLength(changed.readableBytes) }
            stream.send(ProcessingResponse(.requestBody(common), dynamicMetadata: forwarded.metadata), body: changed)
        case .headersAndPieces(let withTrailers):
            stream.send(ProcessingResponse(.requestHeaders(common), dynamicMetadata: forwarded.metadata))
            stream.sendPieces(of: changed ?? body ?? ByteBuffer(), .request, isLast: !withTrailers)
            if withTrailers { stream.send(ProcessingResponse(.requestTrailers(.none))) }
        }
    }

    // MARK: Refusals

    private func refuse(_ reason: Rejection.Reason, _ message: String) {
        body = nil
        immediate(processor.reply(to: Rejection(reason, message), path: start?.target ?? ""))
    }

    private func refuse(_ obstacle: ProcessStateMachine.Obstacle) {
        let why =
            switch obstacle {
            case .streamedBody: "is STREAMED, in which the choice would come behind the body"
            case .unknownMode(let number): "has the number \(number), which is not known here"
            case .trailersOnly: "buffers bodies, and the request has trailers and no body"
            }
        refuse(
            .internalError,
            "The proxy's ext_proc filter is set so that nothing can be decided by the request's body: its "
                + "request_body_mode \(why). Set FULL_DUPLEX_STREAMED."
        )
    }

    private func immediate(_ reply: LocalReply) {
        guard !stream.hasEnded else { return }
        order.answered()
        stream.send(ProcessingResponse(.immediate(ImmediateResponse(reply))), body: ByteBuffer(bytes: reply.body))
        stream.end(.ok)
    }

    // MARK: The response

    /// Whether the body of a response can be changed without losing any of it. A change may hold bytes back until more
    /// has come, and they need a place when nothing more does.
    private func canChangeResponseBody(_ headers: HeadersPart, _ bytes: RawSpan) -> Bool {
        guard order.canChangeResponseBody else { return false }
        return order.canAddBeforeTrailers || headers.fields.first("trailer", in: bytes) == nil
    }

    private func relayBody(_ piece: ByteBuffer, isLast: Bool) {
        var changed = piece.withUnsafeReadableBytes { processor.responseBody(RawSpan(_unsafeBytes: $0)) }
            .map { ByteBuffer(bytes: $0) }
        let ending = isLast || order.showsResponseBodyOnce ? endBody() : ResponseBodyEnd()
        if !ending.heldBack.isEmpty {
            var whole = changed ?? piece
            whole.writeBytes(ending.heldBack)
            changed = whole
        }
        if order.relaysResponsePieces {
            stream.sendPieces(of: changed ?? piece, .response, isLast: isLast, metadata: ending.metadata)
        } else {
            var common = CommonResponse()
            common.body = changed.map { $0.readableBytes > 0 ? .replaced(byteCount: $0.readableBytes) : .cleared }
            if let changed, order.responseKeepsLength { common.headers.setLength(changed.readableBytes) }
            let response = ProcessingResponse(.responseBody(common), dynamicMetadata: ending.metadata)
            stream.send(response, body: changed)
        }
        if isLast { end(.whole) }
    }

    /// What comes with the end of the body, once.
    private func endBody() -> ResponseBodyEnd {
        guard !hasBodyEnded else { return ResponseBodyEnd() }
        hasBodyEnded = true
        return processor.responseBodyEnded()
    }

    /// Trailers end a body whose last piece did not say so: what is left of it goes in front of them, and the answer to
    /// them is the last place for metadata. In `STREAMED` mode there is no place for what is left, and it is lost:
    /// that takes trailers that the response did not announce, behind a body that breaks off within the model's name.
    private func relayTrailers() {
        let ending = endBody()
        if !ending.heldBack.isEmpty, order.relaysResponsePieces {
            stream.sendPieces(of: ByteBuffer(bytes: ending.heldBack), .response, isLast: false)
        }
        stream.send(ProcessingResponse(.responseTrailers(.none), dynamicMetadata: ending.metadata))
        end(.whole)
    }
}

extension HeaderChanges {
    /// Announces the length of a body that another one took the place of.
    fileprivate mutating func setLength(_ byteCount: Int) {
        settings.append(HeaderSetting("content-length", String(byteCount)))
    }
}
