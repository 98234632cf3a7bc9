import DataLayer
import GatewayCore
import GatewayTesting
import NIOCore
import NIOPosix
import RequestControl
import Testing

@testable import ReverseProxy

/// A proxy on loopback in front of a ``GatewayFixture``.
struct ProxyFixture {
    let gateway: GatewayFixture
    let server: ProxyServer
    let port: Int

    /// A client's connection.
    func connect(isReading: Bool = true, receiveBuffer: Int? = nil) async throws -> RawConnection {
        try await RawConnection.connect(port: port, isReading: isReading, receiveBuffer: receiveBuffer)
    }

    /// A request on a connection of its own that closes behind it.
    func once(_ request: String, isHead: Bool = false) async throws -> RawResponse {
        let connection = try await connect()
        let response = try await connection.exchange(request, isHead: isHead)
        try await connection.close()
        return response
    }
}

/// Runs `body` with a proxy to the endpoints at `ports`, drains it, and checks that nothing of any request is left.
///
/// The proxy has one event loop, so that what one request leaves the next one finds.
func withProxy(
    to ports: [Int],
    rule: (inout RouteRule) -> Void = { _ in },
    rewrites: [ModelRewriteRule] = [],
    limits: GatewayLimits = GatewayLimits(),
    configure: (inout ProxyConfiguration) -> Void = { _ in },
    _ body: (ProxyFixture) async throws -> Void
) async throws {
    let gateway = try GatewayFixture(
        ports: ports,
        rule: rule,
        rewrites: rewrites,
        configuration: RequestControlConfiguration(limits: limits, seed: 1)
    )
    var configuration = ProxyConfiguration(limits: limits)
    configure(&configuration)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
        let server = try await ProxyServer(group: group, controller: gateway.controller, configuration: configuration)
        let listening = try await server.listen(
            ProxyListener(host: "127.0.0.1", port: 0, routes: .standalone), tls: nil)
        let port = try #require(listening.address.port)
        try await body(ProxyFixture(gateway: gateway, server: server, port: port))
        _ = await server.drain(timeout: .milliseconds(200))
        #expect(gateway.openLeases == 0)
        #expect(gateway.metric("request_running") == 0)
        #expect(gateway.metric("lease_leaks_total") == 0)
        #expect(gateway.metric("proxy_connections_open", ["side": "downstream"]) == 0)
    } catch {
        try await group.shutdownGracefully()
        throw error
    }
    try await group.shutdownGracefully()
}

extension ScriptedServer {
    /// A server that answers every request with its path as the body.
    static func echo() async throws -> ScriptedServer {
        try await start { request in
            [.send(response(body: String(request.line.split(separator: " ")[1])))]
        }
    }

    /// A whole response.
    static func response(
        status: String = "200 OK",
        headers: String = "",
        body: String
    ) -> String {
        "HTTP/1.1 \(status)\r\ncontent-length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
    }

    /// Waits for the `count`th request and returns it.
    func request(_ count: Int = 1) async throws -> ScriptedRequest {
        try await log.wait(for: "\(count) requests") { $0.requests.count >= count }.requests[count - 1]
    }
}

/// A request without body.
func get(_ path: String, headers: String = "", version: String = "1.1") -> String {
    "GET \(path) HTTP/\(version)\r\nhost: localhost\r\n\(headers)\r\n"
}

/// A request with a body of known length.
func post(_ path: String, headers: String = "", body: String) -> String {
    "POST \(path) HTTP/1.1\r\nhost: localhost\r\ncontent-length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}
