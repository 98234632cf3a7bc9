import GatewayTesting
import NIOCore
import NIOPosix
import RequestControl
import ReverseProxy
import Testing

/// The reverse proxy on loopback; every request comes on a connection of its own.
struct ProxyDoor: FrontDoor {
    private let port: Int

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
            try await body(ProxyDoor(port: #require(listening.address.port)))
            #expect(await server.drain(timeout: .seconds(10)))
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    func send(_ request: BehaviourRequest) async throws -> BehaviourResponse {
        let connection = try await RawConnection.connect(port: port)
        var text = "\(request.method) \(request.target) HTTP/1.1\r\nhost: \(request.authority)\r\n"
        for (name, value) in request.headers { text += "\(name): \(value)\r\n" }
        if !request.body.isEmpty { text += "content-length: \(request.body.utf8.count)\r\n" }
        let response = try await connection.exchange("\(text)\r\n\(request.body)", isHead: request.method == "HEAD")
        try await connection.close()
        return BehaviourResponse(
            status: response.status,
            headers: response.fields,
            body: response.body,
            isWhole: response.isWhole
        )
    }
}
