import GatewayCore
import GatewayTesting
import RequestControl

/// Plays edge and endpoints in memory: what a transport would do, without one.
struct DirectDoor: FrontDoor {
    let gateway: GatewayFixture
    let endpoints: [BehaviourEndpoint]
    let received: ObservedState<[ReceivedRequest]>

    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse {
        let incoming = IncomingRequest.sample(
            request.method,
            request.target,
            authority: request.authority,
            headers: [("host", request.authority)] + request.headers.map { ($0.name, $0.value) },
            body: request.body
        )
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: incoming)
        var step = exchange.begin()
        while true {
            switch step {
            case .reply(let reply):
                return response(reply, isHead: request.method == "HEAD")
            case .send(let routing):
                switch attempt(exchange, request, routing) {
                case .ended(let response): return response
                case .next(let next): step = next
                }
            }
        }
    }

    private enum AttemptEnd {
        case ended(BehaviourResponse)
        case next(NextStep)
    }

    private func attempt(
        _ exchange: RequestExchange,
        _ request: BehaviourRequest,
        _ routing: RoutingReply
    ) -> AttemptEnd {
        let name = routing.endpoint.id.name
        guard let endpoint = endpoints.first(where: { $0.name == name }), endpoint.isListening else {
            return .next(exchange.attemptFailed(.connect("connection refused")))
        }
        let position = received.value.count { $0.endpoint == name }
        note(request, at: name, routing)
        switch endpoint.act(position) {
        case .reset:
            return .next(exchange.attemptFailed(.reset(onReusedConnection: false)))
        case .silence:
            return .next(exchange.attemptFailed(.timeout))
        case .dieBehindHead:
            if let step = exchange.responseHeadReceived(status: 200, isEventStream: false) { return .next(step) }
            return .next(exchange.attemptFailed(.reset(onReusedConnection: false)))
        case .dieInBody:
            if let step = exchange.responseHeadReceived(status: 200, isEventStream: false) { return .next(step) }
            relay("half", exchange)
            exchange.finish(.resetMidResponse)
            return .ended(BehaviourResponse(status: 200, headers: [], body: "half", isWhole: false))
        case .answer(let status, let headers, let body):
            if let step = exchange.responseHeadReceived(status: status, isEventStream: false) { return .next(step) }
            let fields = exchange.responseFields(served: routing.destination.authority)
            relay(body, exchange)
            exchange.finish(.completed)
            let mutated = apply([HeaderMutation(set: fields), routing.responseHeaders], to: headers)
            return .ended(BehaviourResponse(status: status, headers: mutated, body: body))
        }
    }

    private func relay(_ body: String, _ exchange: RequestExchange) {
        exchange.responseStarted()
        let bytes = Array(body.utf8)
        exchange.responseBodyReceived(bytes.span.bytes)
    }

    private func note(_ request: BehaviourRequest, at name: String, _ routing: RoutingReply) {
        let headers = request.headers.map { (name: $0.name.lowercased(), value: $0.value) }
        let noted = ReceivedRequest(
            endpoint: name,
            method: request.method,
            target: request.target,
            headers: apply(routing.requestHeaders, to: headers),
            body: request.body
        )
        received.update { $0.append(noted) }
    }

    private func apply(
        _ mutations: [HeaderMutation],
        to headers: [(name: String, value: String)]
    ) -> [(name: String, value: String)] {
        var headers = headers
        for mutation in mutations {
            for field in mutation.set {
                let name = field.name.lowercased()
                headers.removeAll { $0.name == name }
                headers.append((name, field.value))
            }
            for field in mutation.add { headers.append((field.name.lowercased(), field.value)) }
            for name in mutation.remove { headers.removeAll { $0.name == name.lowercased() } }
        }
        return headers
    }

    private func response(_ reply: LocalReply, isHead: Bool) -> BehaviourResponse {
        BehaviourResponse(
            status: reply.status,
            headers: reply.headers.map { (name: $0.name.lowercased(), value: $0.value) },
            body: isHead ? "" : String(decoding: reply.body, as: UTF8.self)
        )
    }
}
