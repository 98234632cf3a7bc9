import GatewayTesting
import NIOCore
import NIOPosix
import RequestControl
import ReverseProxy
import Testing

/// The reverse proxy on loopback; every request comes on a connection of its own.
struct ProxyDoor: ClosingDoor {
    private let port: Int
    private let server: ProxyServer

    /// Runs `body` with a proxy in front of `gateway`.
    static func run(_ gateway: GatewayFixture, _ body: (ProxyDoor) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let server = try await ProxyServer(
                group: group,
                controller: gateway.controller,
                configuration: ProxyConfiguration()
            )
            let listener = ProxyListener(host: "127.0.0.1", port: 0, routes: .standalone)
            let listening = try await server.listen(listener, tls: nil)
            try await body(ProxyDoor(port: #require(listening.address.port), server: server))
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
            guard let connection = try? await RawConnection.connect(port: port) else { return false }
            try? await connection.close()
            return true
        }
    }

    func hangUp() async {}

    func leave(_ request: BehaviourRequest, when isTime: @Sendable () async throws -> Void) async throws {
        let connection = try await RawConnection.connect(port: port)
        try await connection.send(text(request))
        try await isTime()
        try await connection.close()
    }

    private func text(_ request: BehaviourRequest) -> String {
        var text = "\(request.method) \(request.target) HTTP/1.1\r\nhost: \(request.authority)\r\n"
        for (name, value) in request.headers { text += "\(name): \(value)\r\n" }
        if !request.body.isEmpty { text += "content-length: \(request.body.utf8.count)\r\n" }
        return "\(text)\r\n\(request.body)"
    }

    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse {
        let connection = try await RawConnection.connect(port: port)
        let response = try await connection.exchange(text(request), isHead: request.method == "HEAD")
        try await connection.close()
        return BehaviourResponse(
            status: response.status,
            headers: response.fields,
            body: response.body,
            isWhole: response.isWhole
        )
    }
}
