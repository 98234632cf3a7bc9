import DataLayer
import FlowControl
import GatewayCore
import GatewayTesting
import NIOCore
import NIOPosix
import RequestControl
import ReverseProxy
import Scheduling
import Testing

/// Pools of endpoints behind a front door.
struct World: Sendable {
    let gateway: GatewayFixture
    let door: any FrontDoor
    /// What the endpoints received, in order.
    let received: ObservedState<[ReceivedRequest]>

    /// Sends one request.
    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse {
        try await door.send(request)
    }

    /// The flow control of the first pool.
    var flowControl: FlowController {
        get throws { try #require(gateway.pools[0].flowControl) }
    }

    /// Waits until `count` requests wait for their turn in the first pool, and flow control is done with them: a clock
    /// that moves from then on wakes them.
    func awaitWaiting(_ count: Int) async throws {
        let flowControl = try flowControl
        while flowControl.statistics().requests != count { await Task.yield() }
    }

    /// Waits until the endpoints have received `count` requests in all.
    func awaitReceived(_ count: Int) async throws {
        try await received.wait(for: "\(count) requests") { $0.count >= count }
    }
}

/// Runs `body` with the gateway behind `door`, and checks that nothing of any request is left.
///
/// - Parameters:
///   - pools: each pool's name and endpoints.
///   - routes: the routes; `nil` sends everything to the first pool.
///   - rewrites: the rewrite rules by pool.
///   - detector: says how full each pool is; `nil` for pools that are never full.
///   - flowControl: how requests wait for every pool; `nil` when none waits.
///   - objectives: the priorities of every pool's objectives, by name.
///   - scheduler: makes the scheduler of every pool from the port that the last endpoint listens at; `nil` for one that
///     takes the first candidate.
///   - filters: filters of every pool's only profile.
func withWorld(
    _ door: Door,
    pools: [(name: String, endpoints: [BehaviourEndpoint])],
    routes: [Route]? = nil,
    rewrites: [String: [ModelRewriteRule]] = [:],
    detector: (any SaturationDetector)? = nil,
    flowControl: FlowControlSettings? = nil,
    objectives: [String: Int] = [:],
    scheduler: ((_ port: Int) throws -> Scheduler)? = nil,
    filters: [any Filter] = [],
    _ body: (World) async throws -> Void
) async throws {
    let received = ObservedState<[ReceivedRequest]>([])
    var servers: [ScriptedServer] = []
    var port = 0
    var described: [(name: String, endpoints: [EndpointDescription])] = []
    for (name, endpoints) in pools {
        var descriptions: [EndpointDescription] = []
        for endpoint in endpoints {
            switch door {
            case .direct, .extProc: port = 8000 + described.count * 100 + descriptions.count
            case .reverseProxy where endpoint.isListening:
                let server = try await ScriptedServer.start(playing: endpoint, received: received)
                servers.append(server)
                port = server.port
            case .reverseProxy: port = try await ScriptedServer.refusedPort()
            }
            descriptions.append(.local(endpoint.name, port: endpoint.listedPort ?? port, labels: endpoint.labels))
        }
        described.append((name, descriptions))
    }
    let tables = routes.map { [RouteTableKey.standalone: RouteTable(listeners: [(host: nil, routes: $0)])] }
    let gateway = try GatewayFixture(
        pools: described,
        tables: tables,
        rewrites: rewrites,
        filters: filters,
        detector: detector,
        flowControl: flowControl,
        objectives: objectives,
        scheduler: scheduler?(port)
    )
    for (index, pool) in pools.enumerated() {
        for endpoint in pool.endpoints {
            guard let models = endpoint.models else { continue }
            gateway.tell(models: models, names: [endpoint.name], pool: index)
        }
    }
    switch door {
    case .direct:
        let direct = DirectDoor(gateway: gateway, endpoints: pools.flatMap(\.endpoints), received: received)
        try await body(World(gateway: gateway, door: direct, received: received))
    case .extProc:
        let all = pools.flatMap(\.endpoints)
        try await ExtProcDoor.run(gateway, endpoints: all, received: received) { picker in
            try await body(World(gateway: gateway, door: picker, received: received))
        }
    case .reverseProxy:
        try await ProxyDoor.run(gateway) { proxy in
            try await body(World(gateway: gateway, door: proxy, received: received))
        }
    }
    for server in servers { try await server.stop() }
    #expect(gateway.openLeases == 0)
    #expect(gateway.metric("request_running") == 0)
    #expect(gateway.metric("lease_leaks_total") == 0)
    #expect(gateway.attempts.sent.count == gateway.attempts.ended.count)
}

extension ScriptedServer {
    /// A server that plays `endpoint`.
    static func start(
        playing endpoint: BehaviourEndpoint,
        received: ObservedState<[ReceivedRequest]>
    ) async throws -> ScriptedServer {
        let name = endpoint.name
        return try await start { request in
            let parts = request.line.split(separator: " ")
            var position = 0
            received.update { all in
                position = all.count { $0.endpoint == name }
                all.append(
                    ReceivedRequest(
                        endpoint: name,
                        method: String(parts[0]),
                        target: String(parts[1]),
                        headers: request.fields,
                        body: request.body
                    )
                )
            }
            return endpoint.act(position).steps
        }
    }
}

extension EndpointAct {
    /// The act on a socket.
    var steps: [ScriptedStep] {
        switch self {
        case .answer(let status, let headers, let body):
            let fields = headers.map { "\($0.name): \($0.value)\r\n" }.joined()
            return [.send("HTTP/1.1 \(status) X\r\ncontent-length: \(body.utf8.count)\r\n\(fields)\r\n\(body)")]
        case .reset: return [.reset]
        case .dieBehindHead: return [.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"), .close]
        case .dieInBody: return [.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), .close]
        case .silence: return []
        case .hold(let gate, let isStream):
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"
            let half = EndpointAct.heldHalf
            return isStream
                ? [.send(head + half), .wait(gate), .send(half)] : [.wait(gate), .send(head + half + half)]
        }
    }
}
