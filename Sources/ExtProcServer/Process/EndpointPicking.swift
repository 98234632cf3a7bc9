import ExtProcProto
import GatewayCore
import RequestControl

/// Chooses an endpoint for the request and watches the response: the endpoint picker's part of an exchange.
struct EndpointPicking: ExchangeProcessor {
    private let controller: RequestController
    private let routes: RouteTableKey
    private let emitsEndpointScores: Bool
    /// The place in a trace of the proxy's own call.
    private let traceParent: String?
    private var exchange: RequestExchange?
    private var responseHeaders = HeaderMutation()
    private var hasResponseStarted = false

    init(
        controller: RequestController,
        routes: RouteTableKey,
        emitsEndpointScores: Bool,
        traceParent: String? = nil
    ) {
        self.controller = controller
        self.routes = routes
        self.emitsEndpointScores = emitsEndpointScores
        self.traceParent = traceParent
    }

    var limits: GatewayLimits { controller.configuration.limits }

    func now() -> MonotonicInstant { controller.now() }

    func reply(to rejection: Rejection, path: String) -> LocalReply {
        controller.reply(to: rejection, path: path)
    }

    mutating func decide(
        _ request: IncomingRequest,
        wakeUp: @escaping @Sendable (RequestExchange.Wake) -> Void
    ) -> ExchangeDecision {
        let exchange = RequestExchange(
            controller: controller, routes: routes, request: request, retrier: .proxy, proxyTraceParent: traceParent)
        self.exchange = exchange
        return decision(exchange.begin(wakeUp: wakeUp))
    }

    mutating func resume() -> ExchangeDecision {
        exchange.map { decision($0.resume()) } ?? .wait
    }

    mutating func evict() -> LocalReply? { exchange?.evict() }

    mutating func shutDown() -> LocalReply? { exchange?.shutDown() }

    private mutating func decision(_ step: NextStep) -> ExchangeDecision {
        switch step {
        case .wait:
            return .wait
        case .reply(let reply):
            exchange = nil
            return .reply(reply)
        case .send(let routing):
            responseHeaders = routing.responseHeaders
            let destination = routing.destinationList
            return .forward(
                ForwardedRequest(
                    headers: routing.headerChanges(destination: destination),
                    metadata: routing.metadata(destination: destination, emitsScores: emitsEndpointScores),
                    body: routing.body
                )
            )
        }
    }

    var looksAtResponseContent: Bool { exchange?.isModelRewritten ?? false }

    mutating func responseHead(_ head: ExchangeResponseHead) -> HeaderChanges {
        var changes = HeaderChanges(set: [HeaderSetting("x-went-into-resp-headers", "true")])
        guard let exchange else { return changes }
        if let served = head.served { exchange.served(by: served) }
        // What would be retried here is retried by the proxy.
        _ = exchange.responseHeadReceived(status: head.status, isEventStream: head.isEventStream)
        if let content = head.content {
            _ = exchange.restoreModel(contentType: content.type, contentEncoding: content.encoding)
        }
        begin(exchange)
        // The route has the last word.
        changes.apply(HeaderMutation(set: exchange.responseFields(served: head.served)))
        changes.apply(responseHeaders)
        return changes
    }

    mutating func responseBody(_ bytes: RawSpan) -> [UInt8]? {
        guard let exchange else { return nil }
        begin(exchange)
        return exchange.responseBodyReceived(bytes)
    }

    mutating func responseBodyEnded() -> ResponseBodyEnd {
        guard let exchange else { return ResponseBodyEnd() }
        return ResponseBodyEnd(
            heldBack: exchange.responseBodyEnded(),
            metadata: ProtobufStruct(exchange.usageReport())
        )
    }

    mutating func ended(_ end: ExchangeEnd) {
        let outcome: RequestOutcome =
            switch end {
            case .whole: .completed
            case .brokenOff: .clientDisconnected
            case .drained: .drained
            }
        exchange.take()?.finish(outcome)
    }

    private mutating func begin(_ exchange: RequestExchange) {
        guard !hasResponseStarted else { return }
        hasResponseStarted = true
        exchange.responseStarted()
    }
}
