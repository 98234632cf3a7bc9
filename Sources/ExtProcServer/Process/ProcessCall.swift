import ExtProcProto
import GatewayCore
import NIOCore
import RequestControl
import Transport

/// One HTTP exchange as Envoy shows it: chooses an endpoint for the request, and watches the response. Confined to the
/// event loop of its connection.
final class ProcessCall: GRPCCall {
    private let stream: GRPCStream
    private let controller: RequestController
    private let routes: RouteTableKey
    private let configuration: ExternalProcessorConfiguration
    private var order = ProcessStateMachine()
    private var isFirstMessage = true
    private var start: RequestStart?
    private var subset: EndpointSubset?
    private var body: ByteBuffer?
    private var exchange: RequestExchange?
    private var routing: RoutingReply?
    private var hasResponseStarted = false

    init(
        stream: GRPCStream,
        controller: RequestController,
        routes: RouteTableKey,
        configuration: ExternalProcessorConfiguration
    ) {
        self.stream = stream
        self.controller = controller
        self.routes = routes
        self.configuration = configuration
    }

    // MARK: GRPCCall

    func received(_ message: ByteBuffer) {
        do throws(WireError) {
            try message.withUnsafeReadableBytes { (view) throws(WireError) in
                let bytes = RawSpan(_unsafeBytes: view)
                let request = try ProcessingRequest(reading: bytes)
                take(request, bytes, message)
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
        let isWhole = order.isResponseComplete || !order.showsResponseBody
        exchange.take()?.finish(isWhole ? .completed : .clientDisconnected)
    }

    func abort() {
        exchange.take()?.finish(.drained)
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
            perform(order.receive(.requestHeaders(isLast: headers.isEndOfStream)), .request) {
                noteSubset(request, bytes)
                start = RequestStart(headers, in: bytes, receivedAt: controller.now())
                checkHeaders(headers, bytes)
            }
        case .requestBody(let piece):
            perform(order.receive(.requestBody(isLast: piece.isEndOfStream)), .request) {
                noteSubset(request, bytes)
                append(slice(piece.body, of: message))
            }
        case .requestTrailers:
            perform(order.receive(.requestTrailers), .request) { noteSubset(request, bytes) }
        case .responseHeaders(let headers):
            perform(order.receive(.responseHeaders(isLast: headers.isEndOfStream)), .response) {
                relayHeaders(headers, request, bytes)
            }
        case .responseBody(let piece):
            perform(order.receive(.responseBody(isLast: piece.isEndOfStream)), .response) {
                relayBody(slice(piece.body, of: message), isLast: piece.isEndOfStream)
            }
        case .responseTrailers:
            perform(order.receive(.responseTrailers), .response) { finish() }
        }
    }

    /// Does what the order asks for; `note` takes what the message holds, before it is answered.
    private func perform(_ action: ProcessStateMachine.Action, _ direction: PieceHead.Direction, _ note: () -> Void) {
        switch action {
        case .ignore:
            break
        case .fail(let why):
            stream.end(GRPCStatus(.failedPrecondition, why))
        case .refuse(let obstacle):
            note()
            refuse(obstacle)
        case .keep, .relayHeaders, .relayPiece:
            note()
        case .keepAndAcknowledge:
            note()
            if !stream.hasEnded { stream.send(ProcessingResponse(.requestHeaders(CommonResponse()))) }
        case .decide(let answer):
            note()
            if !stream.hasEnded { decide(answer) }
        case .acknowledge:
            stream.send(ProcessingResponse(.requestTrailers(.none)))
        case .acknowledgeBody:
            note()
            stream.send(ProcessingResponse(.responseBody(CommonResponse())))
        case .relayTrailers:
            stream.send(ProcessingResponse(.responseTrailers(.none)))
            note()
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
        guard !configuration.ignoresSubsetHints, let hint = request.endpointSubset(in: bytes) else { return }
        subset = hint
    }

    private func checkHeaders(_ headers: HeadersPart, _ bytes: RawSpan) {
        let limits = controller.configuration.limits
        if headers.fields.count > limits.maxHeaderFields {
            let count = headers.fields.count
            refuse(.headersTooLarge, "The request has \(count) header fields; the limit is \(limits.maxHeaderFields).")
        } else if bytes.byteCount > limits.maxHeaderBytes {
            refuse(.headersTooLarge, "The request's header is longer than the limit of \(limits.maxHeaderBytes) bytes.")
        }
    }

    /// Keeps a piece of the request's body. The first one is kept as it is; a body of several is gathered into one
    /// buffer, because parsing and hashing want it in one piece.
    private func append(_ piece: ByteBuffer) {
        let length = (body?.readableBytes ?? 0) + piece.readableBytes
        let limit = controller.configuration.limits.maxBodyBytes
        if length > limit {
            return refuse(.bodyTooLarge, "The request's body is longer than the limit of \(limit) bytes.")
        }
        guard var gathered = body.take() else {
            body = piece
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
        let request = start.request(body: body, hasUnseenBody: hasUnseenBody, subset: subset)
        let exchange = RequestExchange(controller: controller, routes: routes, request: request, retrier: .proxy)
        switch exchange.begin() {
        case .reply(let reply):
            self.body = nil
            immediate(reply)
        case .send(let routing):
            self.exchange = exchange
            self.routing = routing
            send(routing, answer)
            self.body = nil
        }
    }

    private func send(_ routing: RoutingReply, _ answer: ProcessStateMachine.Answer) {
        let destination = routing.destination
        var common = CommonResponse(headers: routing.headerChanges(destination: destination), clearsRouteCache: true)
        let metadata = routing.metadata(destination: destination, emitsScores: configuration.emitsEndpointScores)
        let changed = routing.body.map { (body ?? ByteBuffer()).replacing($0.range, with: $0.bytes) }
        switch answer {
        case .headers:
            stream.send(ProcessingResponse(.requestHeaders(common), dynamicMetadata: metadata))
        case .body:
            common.body = changed.map { .replaced(byteCount: $0.readableBytes) }
            stream.send(ProcessingResponse(.requestBody(common), dynamicMetadata: metadata), body: changed)
        case .headersAndPieces(let withTrailers):
            stream.send(ProcessingResponse(.requestHeaders(common), dynamicMetadata: metadata))
            stream.sendPieces(of: changed ?? body ?? ByteBuffer(), .request, isLast: !withTrailers)
            if withTrailers { stream.send(ProcessingResponse(.requestTrailers(.none))) }
        }
    }

    // MARK: Refusals

    private func refuse(_ reason: Rejection.Reason, _ message: String) {
        body = nil
        immediate(controller.reply(to: Rejection(reason, message), path: start?.target ?? ""))
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
            "The proxy's ext_proc filter is set so that no endpoint can be chosen: its request_body_mode \(why). Set "
                + "FULL_DUPLEX_STREAMED."
        )
    }

    private func immediate(_ reply: LocalReply) {
        guard !stream.hasEnded else { return }
        order.answered()
        stream.send(ProcessingResponse(.immediate(ImmediateResponse(reply))), body: ByteBuffer(bytes: reply.body))
        stream.end(.ok)
    }

    // MARK: The response

    private func relayHeaders(_ headers: HeadersPart, _ request: ProcessingRequest, _ bytes: RawSpan) {
        var changes = HeaderChanges(set: [HeaderSetting("x-went-into-resp-headers", "true")])
        if let exchange {
            let served = request.servedEndpoint(in: bytes)
            if let served { exchange.served(by: served) }
            let status = headers.fields.first(":status", in: bytes).flatMap { Int(bytes.text($0.value)) } ?? 0
            let isEventStream = headers.fields.first("content-type", in: bytes).map {
                bytes.text($0.value).lowercased().hasPrefix("text/event-stream")
            }
            _ = exchange.responseHeadReceived(status: status, isEventStream: isEventStream ?? false)
            beginResponse(exchange)
            if let routing { changes.apply(routing.responseHeaders) }
            changes.apply(HeaderMutation(set: exchange.responseFields(served: served)))
        }
        stream.send(ProcessingResponse(.responseHeaders(CommonResponse(headers: changes))))
        if headers.isEndOfStream { finish() }
    }

    private func relayBody(_ piece: ByteBuffer, isLast: Bool) {
        if let exchange {
            beginResponse(exchange)
            piece.withUnsafeReadableBytes { exchange.responseBodyReceived(RawSpan(_unsafeBytes: $0)) }
        }
        if order.relaysResponsePieces { stream.sendPieces(of: piece, .response, isLast: isLast) }
        if isLast { finish() }
    }

    private func beginResponse(_ exchange: RequestExchange) {
        guard !hasResponseStarted else { return }
        hasResponseStarted = true
        exchange.responseStarted()
    }

    /// The response is whole.
    private func finish() {
        exchange.take()?.finish(.completed)
    }
}
