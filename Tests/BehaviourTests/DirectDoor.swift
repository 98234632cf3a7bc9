import GatewayCore
import GatewayTesting
import RequestControl
import Testing

/// Plays edge and endpoints in memory: what a transport would do, without one.
struct DirectDoor: FrontDoor {
    let gateway: GatewayFixture
    let endpoints: [BehaviourEndpoint]
    let received: ObservedState<[ReceivedRequest]>

    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse {
        let exchange = exchange(request)
        let (events, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingOldest(8))
        var step = exchange.begin { continuation.yield(.wake($0)) }
        while true {
            switch step {
            case .wait:
                for await event in events where event == .wake(.resume) { break }
                step = exchange.resume()
            case .reply(let reply):
                return response(reply, isHead: request.method == "HEAD")
            case .send(let routing):
                if case .hold(let gate, let isStream) = act(routing) {
                    note(request, at: routing.endpoint.id.name, routing)
                    gate.whenOpen { continuation.yield(.gateOpened) }
                    return await hold(exchange, isStream: isStream, events)
                }
                switch attempt(exchange, request, routing) {
                case .ended(let response): return response
                case .next(let next): step = next
                }
            }
        }
    }

    func leave(_ request: BehaviourRequest, when isTime: @Sendable () async throws -> Void) async throws {
        let exchange = exchange(request)
        guard case .wait = exchange.begin() else {
            Issue.record("the request does not wait")
            return
        }
        try await isTime()
        exchange.finish(.clientDisconnected)
    }

    private func exchange(_ request: BehaviourRequest) -> RequestExchange {
        let incoming = IncomingRequest.sample(
            request.method,
            request.target,
            authority: request.authority,
            headers: [("host", request.authority)] + request.headers.map { ($0.name, $0.value) },
            body: request.body
        )
        return RequestExchange(controller: gateway.controller, routes: .standalone, request: incoming)
    }

    /// What the edge hears of while a request waits or runs.
    private enum Event: Hashable, Sendable {
        case wake(RequestExchange.Wake)
        case gateOpened
    }

    /// What the endpoint of `routing` does with its next request; `nil` when nobody listens.
    private func act(_ routing: RoutingReply) -> EndpointAct? {
        let name = routing.endpoint.id.name
        guard let endpoint = endpoints.first(where: { $0.name == name }), endpoint.isListening else { return nil }
        return endpoint.act(received.value.count { $0.endpoint == name })
    }

    /// Plays an endpoint that answers when its gate is open.
    private func hold(
        _ exchange: RequestExchange,
        isStream: Bool,
        _ events: AsyncStream<Event>
    ) async -> BehaviourResponse {
        let half = Array(EndpointAct.heldHalf.utf8)
        if isStream {
            _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
            exchange.responseStarted()
            exchange.responseBodyReceived(half.span.bytes)
        }
        for await event in events {
            switch event {
            case .wake(.resume): break
            case .wake(.evict):
                guard let reply = exchange.evict() else { break }
                if !isStream { return response(reply, isHead: false) }
                return BehaviourResponse(status: 200, body: EndpointAct.heldHalf, isWhole: false)
            case .gateOpened:
                if !isStream {
                    _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
                    _ = relay(EndpointAct.heldHalf, exchange)
                }
                exchange.responseBodyReceived(half.span.bytes)
                exchange.finish(.completed)
                return BehaviourResponse(status: 200, body: EndpointAct.heldHalf + EndpointAct.heldHalf)
            }
        }
        preconditionFailure("a stream of events does not end")
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
        guard let act = act(routing) else {
            return .next(exchange.attemptFailed(.connect("connection refused")))
        }
        note(request, at: name, routing)
        switch act {
        case .reset:
            return .next(exchange.attemptFailed(.reset(onReusedConnection: false)))
        case .silence, .hold:
            return .next(exchange.attemptFailed(.timeout))
        case .dieBehindHead:
            if let step = exchange.responseHeadReceived(status: 200, isEventStream: false) { return .next(step) }
            return .next(exchange.attemptFailed(.reset(onReusedConnection: false)))
        case .dieInBody:
            if let step = exchange.responseHeadReceived(status: 200, isEventStream: false) { return .next(step) }
            _ = relay("half", exchange)
            exchange.finish(.resetMidResponse)
            return .ended(BehaviourResponse(status: 200, headers: [], body: "half", isWhole: false))
        case .answer(let status, let headers, let body):
            if let step = exchange.responseHeadReceived(status: status, isEventStream: false) { return .next(step) }
            let fields = exchange.responseFields(served: routing.destination.authority)
            func value(_ name: String) -> String { headers.first { $0.name == name }?.value ?? "" }
            if exchange.isModelRewritten {
                let (type, encoding) = (value("content-type"), value("content-encoding"))
                _ = exchange.restoreModel(contentType: type, contentEncoding: encoding)
            }
            let relayed = relay(body, exchange)
            exchange.finish(.completed)
            let mutated = apply([HeaderMutation(set: fields), routing.responseHeaders], to: headers)
            return .ended(BehaviourResponse(status: status, headers: mutated, body: relayed))
        }
    }

    /// Sends a body through the gateway in two pieces; returns what the client gets.
    private func relay(_ body: String, _ exchange: RequestExchange) -> String {
        exchange.responseStarted()
        let bytes = Array(body.utf8)
        var relayed: [UInt8] = []
        for piece in [bytes.prefix(bytes.count / 2), bytes.suffix(from: bytes.count / 2)].map(Array.init) {
            relayed += exchange.responseBodyReceived(piece.span.bytes) ?? piece
        }
        return String(decoding: relayed + exchange.responseBodyEnded(), as: UTF8.self)
    }

    private func note(_ request: BehaviourRequest, at name: String, _ routing: RoutingReply) {
        let headers = request.headers.map { (name: $0.name.lowercased(), value: $0.value) }
        let noted = ReceivedRequest(
            endpoint: name,
            method: request.method,
            target: request.target,
            headers: apply(routing.requestHeaders, to: headers),
            body: changed(request.body, by: routing.body)
        )
        received.update { $0.append(noted) }
    }

    private func changed(_ body: String, by replacement: BodyReplacement?) -> String {
        guard let replacement else { return body }
        var bytes = Array(body.utf8)
        bytes.replaceSubrange(replacement.range, with: replacement.bytes)
        return String(decoding: bytes, as: UTF8.self)
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
