package import BodyBasedRouting
import ExtProcProto
package import GatewayCore
import RequestControl

/// The body-based router as Envoy calls it: the same method as the endpoint picker's, with another answer.
package struct BodyRoutingService: GRPCService {
    private let router: BodyRouter
    private let limits: GatewayLimits
    private let clock: any MonotonicClock
    private let mode: ExchangeMode

    /// Makes a service.
    ///
    /// - Parameters:
    ///   - router: reads the bodies.
    ///   - isStreaming: how a proxy speaks that does not tell its body modes: in full duplex, or with whole bodies.
    ///   - limits: the bounds on what clients send.
    ///   - clock: the clock of the process.
    package init(router: BodyRouter, isStreaming: Bool, limits: GatewayLimits, clock: any MonotonicClock) {
        self.router = router
        self.limits = limits
        self.clock = clock
        mode = isStreaming ? .fullDuplex : .buffered
    }

    /// Takes one exchange.
    package func makeCall(path: String, stream: GRPCStream) -> (any GRPCCall)? {
        guard path == ExternalProcessorService.path else { return nil }
        return ExchangeCall(
            stream: stream,
            processor: BodyRouting(router: router, limits: limits, clock: clock),
            mode: mode
        )
    }
}

/// Tells the fields by which a request finds its route. The response passes at once, piece by piece.
private struct BodyRouting: ExchangeProcessor {
    let router: BodyRouter
    let limits: GatewayLimits
    let clock: any MonotonicClock

    func now() -> MonotonicInstant { clock.now }

    func reply(to rejection: Rejection, path: String) -> LocalReply {
        LocalReply(rejection, path: path)
    }

    mutating func decide(
        _ request: IncomingRequest,
        wakeUp: @escaping @Sendable (RequestExchange.Wake) -> Void
    ) -> ExchangeDecision {
        router.noteArrival(with: request.headers)
        let contentType = request.headers.first("content-type")
        // Of a body that was not shown, or only in part, nothing is read.
        let body: any BodyBytes = request.hasUnseenBody ? ArrayBody([]) : request.body
        let result = body.withBytes { router.route(contentType: contentType, body: $0) }
        switch result {
        case .success(let changes):
            return .forward(ForwardedRequest(headers: HeaderChanges([changes]), metadata: nil, body: nil))
        case .failure(let rejection):
            return .reply(LocalReply(rejection, path: request.target))
        }
    }

    var looksAtResponseContent: Bool { false }

    mutating func responseHead(_ head: ExchangeResponseHead) -> HeaderChanges { .none }

    mutating func responseBody(_ bytes: RawSpan) -> [UInt8]? { nil }

    mutating func responseBodyEnded() -> ResponseBodyEnd { ResponseBodyEnd() }

    mutating func ended(_ end: ExchangeEnd) {}
}
