import DataLayer
import ExtProcServer
import GatewayCore
import GatewayTesting
import NIOCore
import NIOPosix
import RequestControl
import Testing

/// The endpoint picker over ext_proc, with Envoy and the endpoints played by the test: what the picker says becomes of
/// a request and of a response is done to them.
struct ExtProcDoor: ClosingDoor {
    private let client: ExtProcClient
    private let gateway: GatewayFixture
    private let endpoints: [BehaviourEndpoint]
    private let received: ObservedState<[ReceivedRequest]>
    private let server: GRPCServer
    private let port: Int
    /// How many requests are under way.
    private let running = ObservedState(0)

    private init(
        client: ExtProcClient,
        gateway: GatewayFixture,
        endpoints: [BehaviourEndpoint],
        received: ObservedState<[ReceivedRequest]>,
        server: GRPCServer,
        port: Int
    ) {
        self.client = client
        self.gateway = gateway
        self.endpoints = endpoints
        self.received = received
        self.server = server
        self.port = port
    }

    /// Runs `body` with a picker in front of `gateway`.
    static func run(
        _ gateway: GatewayFixture,
        endpoints: [BehaviourEndpoint],
        received: ObservedState<[ReceivedRequest]>,
        _ body: (ExtProcDoor) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let service = ExternalProcessorService(controller: gateway.controller, routes: .standalone)
            let server = try await GRPCServer(group: group, configuration: .init(), services: [service])
            let listening = try await server.listen(host: "127.0.0.1", port: 0, tls: nil)
            let port = try #require(listening.address.port)
            let client = try await ExtProcClient.connect(port: port)
            try await body(
                ExtProcDoor(
                    client: client, gateway: gateway, endpoints: endpoints, received: received, server: server,
                    port: port))
            #expect(await server.drain(timeout: .seconds(10)))
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    func drain(timeout: Duration) async -> Bool { await server.drain(timeout: timeout) }

    var isOpen: Bool {
        get async {
            guard let another = try? await ExtProcClient.connect(port: port) else { return false }
            try? await another.close()
            return true
        }
    }

    func hangUp() async { try? await client.close() }

    func leave(_ request: BehaviourRequest, when isTime: @Sendable () async throws -> Void) async throws {
        let stream = try await begin(request)
        try await isTime()
        await finish(stream)
    }

    private func fields(_ request: BehaviourRequest) -> [(name: String, value: String)] {
        [
            (name: ":method", value: request.method), (name: ":path", value: request.target),
            (name: ":authority", value: request.authority), (name: ":scheme", value: "http"),
        ] + request.headers.map { (name: $0.name.lowercased(), value: $0.value) }
    }

    /// Shows the picker a whole request.
    private func begin(_ request: BehaviourRequest) async throws -> ExtProcStream {
        running.update { $0 += 1 }
        let stream = try await client.open()
        let body = Array(request.body.utf8)
        let head = EnvoyMessage.requestHeaders(fields(request), isLast: body.isEmpty)
        try await stream.send(head.modes(request: 4, response: 4))
        if !body.isEmpty {
            try await stream.send(.requestBody(Array(body[..<(body.count / 2)]), isLast: false))
            try await stream.send(.requestBody(Array(body[(body.count / 2)...]), isLast: true))
        }
        return stream
    }

    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse {
        let stream = try await begin(request)
        let answers = try await stream.replies(request.body.isEmpty ? 1 : 2)
        if let immediate = answers.first(where: { $0.kind == 7 }) {
            await finish(stream)
            return response(immediate, isHead: request.method == "HEAD")
        }
        let fields = fields(request)
        let headers = changed(fields.filter { $0.name.first != ":" }, by: answers[0])
        let sent = answers.dropFirst().reduce(into: [UInt8]()) { $0 += $1.body }
        let response = try await forward(request, headers: headers, body: sent, answers[0], stream)
        await finish(stream)
        return response
    }

    private func response(_ immediate: EnvoyReply, isHead: Bool = false, isWhole: Bool = true) -> BehaviourResponse {
        BehaviourResponse(
            status: immediate.status,
            headers: immediate.set.map { ($0.name.lowercased(), $0.value) },
            body: isHead ? "" : String(decoding: immediate.body, as: UTF8.self),
            isWhole: isWhole
        )
    }

    /// Ends the exchange as Envoy does, and waits until the picker has seen it, as far as that shows: no more leases
    /// are open than requests run.
    private func finish(_ stream: ExtProcStream) async {
        await stream.reset()
        running.update { $0 -= 1 }
        while gateway.openLeases > running.value { await Task.yield() }
    }

    /// Sends the request to the endpoint that the picker chose, and the response past the picker.
    private func forward(
        _ request: BehaviourRequest,
        headers: [(name: String, value: String)],
        body: [UInt8],
        _ answer: EnvoyReply,
        _ stream: ExtProcStream
    ) async throws -> BehaviourResponse {
        #expect(answer.kind == 1 && answer.clearsRouteCache)
        let destination = try #require(answer.value("x-gateway-destination-endpoint"))
        #expect(answer.destination == destination)
        // A sidecar at a host's primary port passes the request on to the rank that the header names.
        let rank = headers.first { $0.name == "x-data-parallel-host-port" }?.value
        let chosen = gateway.pools.lazy.flatMap(\.endpoints.current.endpoints).first {
            $0.address.authority == rank ?? destination
        }
        let name = try #require(chosen?.id.name)
        let endpoint = try #require(endpoints.first { $0.name == name })
        let position = received.value.count { $0.endpoint == name }
        received.update {
            $0.append(
                ReceivedRequest(
                    endpoint: name,
                    method: request.method,
                    target: request.target,
                    headers: headers,
                    body: String(decoding: body, as: UTF8.self)
                )
            )
        }
        switch endpoint.act(position) {
        case .answer(let status, let fields, let text): return try await relay(status, fields, text, stream)
        case .hold(let gate, let isStream): return try await hold(until: gate, isStream: isStream, stream)
        case .reset, .dieBehindHead, .dieInBody, .silence:
            return try await relay(503, [], "upstream connect error", stream)
        }
    }

    /// Plays an endpoint that answers when its gate is open, unless the picker ends the request before.
    private func hold(until gate: ScriptedGate, isStream: Bool, _ stream: ExtProcStream) async throws
        -> BehaviourResponse
    {
        let half = Array(EndpointAct.heldHalf.utf8)
        if isStream {
            try await stream.send(.responseHeaders([(name: ":status", value: "200")]))
            try await stream.send(.responseBody(half, isLast: false))
        }
        let (ends, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
        gate.whenOpen { continuation.yield(true) }
        let watch = Task {
            _ = try await stream.state.wait(for: "the end of a call", timeout: .seconds(60)) {
                $0.status != nil || $0.isClosed
            }
            continuation.yield(false)
        }
        var isOpen = false
        for await first in ends {
            isOpen = first
            break
        }
        if !isOpen {
            try await watch.value
            guard let immediate = stream.state.value.replies.last(where: { $0.kind == 7 }) else {
                return BehaviourResponse(status: 503, isWhole: false)
            }
            return response(immediate, isWhole: !isStream)
        }
        if !isStream { return try await relay(200, [], EndpointAct.heldHalf + EndpointAct.heldHalf, stream) }
        try await stream.send(.responseBody(half, isLast: true))
        _ = try await stream.state.wait(for: "the end of the body") { $0.replies.last?.isLast ?? false }
        return BehaviourResponse(status: 200, body: EndpointAct.heldHalf + EndpointAct.heldHalf)
    }

    private func relay(
        _ status: Int,
        _ fields: [(name: String, value: String)],
        _ text: String,
        _ stream: ExtProcStream
    ) async throws -> BehaviourResponse {
        let before = stream.state.value.messages.count
        try await stream.send(.responseHeaders([(name: ":status", value: String(status))] + fields))
        let bytes = Array(text.utf8)
        try await stream.send(.responseBody(Array(bytes[..<(bytes.count / 2)]), isLast: false))
        try await stream.send(.responseBody(Array(bytes[(bytes.count / 2)...]), isLast: true))
        let answers = try await stream.replies(before + 3)[before...]
        let head = try #require(answers.first)
        #expect(head.kind == 2 && head.value("x-went-into-resp-headers") == "true")
        let body = answers.dropFirst().reduce(into: [UInt8]()) { $0 += $1.body }
        #expect(answers.last?.isLast == true)
        return BehaviourResponse(
            status: status,
            headers: changed(fields, by: head),
            body: String(decoding: body, as: UTF8.self)
        )
    }

    private func changed(
        _ headers: [(name: String, value: String)],
        by reply: EnvoyReply
    ) -> [(name: String, value: String)] {
        var headers = headers
        for setting in reply.set {
            let name = setting.name.lowercased()
            if setting.action == 2 { headers.removeAll { $0.name == name } }
            headers.append((name, setting.value))
        }
        for name in reply.removed { headers.removeAll { $0.name == name.lowercased() } }
        return headers
    }
}
