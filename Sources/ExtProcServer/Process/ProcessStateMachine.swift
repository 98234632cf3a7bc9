import ExtProcProto

/// How bodies are sent.
enum ExchangeMode: Hashable, Sendable {
    /// Piece by piece, and answered when the request is whole.
    case fullDuplex
    /// Whole, in one message.
    case buffered
}

/// In which order a stream's messages may come, and what each of them asks for. A plain value without bytes.
///
/// Envoy's promises (envoy.service.ext_proc.v3): headers come before a body and a body before trailers, each at most
/// once except for pieces of a body; a part that the filter does not send may be missing; the response's parts come
/// behind the request's, but may come before these have ended, when the endpoint answers early or Envoy itself does.
struct ProcessStateMachine: Hashable, Sendable {
    /// A message, as far as the order is concerned.
    enum Message: Hashable, Sendable {
        case requestHeaders(isLast: Bool)
        case requestBody(isLast: Bool)
        case requestTrailers
        case responseHeaders(isLast: Bool)
        case responseBody(isLast: Bool)
        case responseTrailers
    }

    /// How the request's end is answered.
    enum Answer: Hashable, Sendable {
        /// The headers' answer alone.
        case headers
        /// The headers' answer, the body in pieces, and with trailers their answer.
        case headersAndPieces(withTrailers: Bool)
        /// The answer to a body that came in one message; a part of it when the proxy's buffer was too small.
        case body(isPart: Bool)
    }

    /// What to do with a message.
    enum Action: Hashable, Sendable {
        /// Nothing: it is only shown, or the exchange is over.
        case ignore
        /// Keep what it holds; the answer comes later.
        case keep
        /// Keep it, and answer that it changes nothing.
        case keepAndAcknowledge
        /// The request is whole: choose an endpoint and answer.
        case decide(Answer)
        /// Answer that it changes nothing.
        case acknowledge
        /// Send the response's headers on.
        case relayHeaders(isLast: Bool)
        /// Send a piece of the response's body on, as bytes.
        case relayPiece(isLast: Bool)
        /// Answer a piece of the response's body, which Envoy keeps unless the answer has another.
        case acknowledgeBody(isLast: Bool)
        /// Send the response's trailers on.
        case relayTrailers
        /// Refuse the request: no endpoint can be chosen.
        case refuse(Obstacle)
        /// End the stream: the message must not come here.
        case fail(String)
    }

    /// Why no endpoint can be chosen.
    enum Obstacle: Hashable, Sendable {
        /// The filter sends bodies as `STREAMED`: each piece must be answered before the next, so the choice would come
        /// too late.
        case streamedBody
        /// The filter sends bodies in a mode that is not known here.
        case unknownMode(Int32)
        /// The filter buffers bodies, and trailers came without one: an answer to trailers has no place for the choice.
        case trailersOnly
    }

    private enum RequestPhase: Hashable, Sendable { case start, headers, body, decided }
    private enum ResponsePhase: Hashable, Sendable { case start, headers, body, done }

    private var request = RequestPhase.start
    private var isRequestComplete = false
    private var response = ResponsePhase.start
    private var requestMode: BodySendMode
    private var responseMode: BodySendMode
    private var isObserving = false
    private var isOver = false

    /// A stream of which nothing has come. A proxy that does not tell its modes speaks as `mode` says.
    init(_ mode: ExchangeMode = .fullDuplex) {
        requestMode = mode == .buffered ? .buffered : .fullDuplexStreamed
        responseMode = requestMode
    }

    /// Whether the request's body is shown at all.
    var showsRequestBody: Bool { requestMode != .none }
    /// Whether the request's body comes in one message and its header keeps a length, which must be that of the body
    /// that is sent back. In all other modes the proxy announces none.
    var requestKeepsLength: Bool { requestMode == .buffered }
    /// The same for the response.
    var responseKeepsLength: Bool { responseMode == .buffered }
    /// Whether the response's body must be sent back.
    var relaysResponsePieces: Bool { responseMode == .fullDuplexStreamed }
    /// Whether no more than one message has a piece of the response's body.
    var showsResponseBodyOnce: Bool { responseMode == .buffered || responseMode == .bufferedPartial }
    /// Whether the response's body can be changed.
    var canChangeResponseBody: Bool {
        switch responseMode {
        case .streamed, .buffered, .bufferedPartial, .fullDuplexStreamed: true
        case .none, .grpc, .unknown: false
        }
    }
    /// Whether bytes can be added behind a body that trailers end: as a piece of its own, or in the answer to the body,
    /// which comes as one message. In `STREAMED` mode the last piece was answered before anybody knew that it is the
    /// last.
    var canAddBeforeTrailers: Bool { responseMode != .streamed }
    /// Whether the response's body is shown at all; without it, the end of the stream is the end of the exchange.
    var showsResponseBody: Bool { responseMode != .none }
    /// Whether the response is whole.
    var isResponseComplete: Bool { response == .done }

    /// Takes the settings of the filter, which come with the first message, if the proxy is not too old to send them.
    mutating func configure(_ configuration: ProtocolConfiguration?, isObserving: Bool) {
        if let configuration {
            requestMode = configuration.requestBodyMode
            responseMode = configuration.responseBodyMode
        }
        if isObserving { self.isObserving = true }
    }

    /// The exchange was answered by ``ImmediateResponse``; what comes now was on its way before Envoy knew.
    mutating func answered() {
        isOver = true
    }

    /// What to do with a message.
    mutating func receive(_ message: Message) -> Action {
        if isObserving || isOver { return .ignore }
        return switch message {
        case .requestHeaders(let isLast): requestHeaders(isLast)
        case .requestBody(let isLast): requestBody(isLast)
        case .requestTrailers: requestTrailers()
        case .responseHeaders(let isLast): responseHeaders(isLast)
        case .responseBody(let isLast): responseBody(isLast)
        case .responseTrailers: responseTrailers()
        }
    }

    /// Whether the client got a response before the request was whole: the proxy's own, for no endpoint was chosen.
    private var isAnswered: Bool { request != .decided && response != .start }

    private mutating func requestHeaders(_ isLast: Bool) -> Action {
        guard request == .start, response == .start else { return .fail("request_headers came twice or too late") }
        isRequestComplete = isLast
        if isLast || requestMode == .none {
            request = .decided
            return .decide(.headers)
        }
        request = .headers
        switch requestMode {
        case .fullDuplexStreamed: return .keep
        case .buffered, .bufferedPartial: return .keepAndAcknowledge
        case .streamed: return .refuse(.streamedBody)
        case .none, .grpc, .unknown: return .refuse(.unknownMode(requestMode.number))
        }
    }

    private mutating func requestBody(_ isLast: Bool) -> Action {
        guard request == .headers || request == .body else {
            return .fail(
                request == .start ? "request_body came before request_headers" : "request_body came behind its end")
        }
        isRequestComplete = isLast
        if isAnswered { return .ignore }
        switch requestMode {
        case .buffered, .bufferedPartial:
            request = .decided
            return .decide(.body(isPart: requestMode == .bufferedPartial && !isLast))
        default:
            request = isLast ? .decided : .body
            return isLast ? .decide(.headersAndPieces(withTrailers: false)) : .keep
        }
    }

    private mutating func requestTrailers() -> Action {
        guard !isRequestComplete else { return .fail("request_trailers came behind the request's end") }
        isRequestComplete = request != .start
        if request != .start, isAnswered { return .ignore }
        switch request {
        case .start: return .fail("request_trailers came before request_headers")
        case .headers, .body:
            request = .decided
            guard requestMode == .fullDuplexStreamed else { return .refuse(.trailersOnly) }
            return .decide(.headersAndPieces(withTrailers: true))
        case .decided: return .acknowledge
        }
    }

    private mutating func responseHeaders(_ isLast: Bool) -> Action {
        guard response == .start else { return .fail("response_headers came twice or too late") }
        response = isLast ? .done : .headers
        return .relayHeaders(isLast: isLast)
    }

    private mutating func responseBody(_ isLast: Bool) -> Action {
        // Without its headers: the filter may be set to skip these.
        guard response != .done else { return .fail("response_body came behind its end") }
        response = isLast ? .done : .body
        switch responseMode {
        case .fullDuplexStreamed: return .relayPiece(isLast: isLast)
        default: return .acknowledgeBody(isLast: isLast)
        }
    }

    private mutating func responseTrailers() -> Action {
        guard response != .done else { return .fail("response_trailers came behind the response's end") }
        response = .done
        return .relayTrailers
    }
}
