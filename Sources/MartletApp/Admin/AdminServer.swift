import GatewayCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Synchronization

/// An answer of the admin server.
struct AdminResponse: Sendable {
    var status: HTTPResponseStatus = .ok
    var contentType: String
    var body: [UInt8]
    /// Further header fields.
    var headers: [(name: String, value: String)] = []
    /// Who may keep the answer, and for how long.
    var cacheControl = "no-store"
    /// Answers bit by bit, in place of all of the above; called on the connection's event loop.
    var stream: (@Sendable (AdminStream) -> Void)?

    /// The header fields of the answer.
    var fields: HTTPHeaders {
        var fields = HTTPHeaders(headers)
        fields.add(name: "content-type", value: contentType)
        fields.add(name: "content-length", value: String(body.count))
        fields.add(name: "cache-control", value: cacheControl)
        if status == .unauthorized { fields.add(name: "www-authenticate", value: "Bearer") }
        return fields
    }

    /// An answer that comes bit by bit.
    static func stream(_ stream: @escaping @Sendable (AdminStream) -> Void) -> AdminResponse {
        AdminResponse(contentType: "", body: [], stream: stream)
    }

    /// A short text.
    static func text(_ text: String, status: HTTPResponseStatus = .ok) -> AdminResponse {
        AdminResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array("\(text)\n".utf8))
    }

    /// A JSON document.
    static func json(_ bytes: [UInt8]) -> AdminResponse {
        AdminResponse(contentType: "application/json", body: bytes)
    }
}

/// A request to the admin server.
struct AdminRequest: Sendable {
    var method: HTTPMethod
    /// The path without query.
    var path: String
    /// What stands behind the `?`; empty when there is none.
    var query: Substring = ""
    /// The header fields.
    var headers = HeaderMap()
    /// The body; empty when there is none.
    var body: [UInt8] = []

    /// Whether it changes nothing.
    var isRead: Bool { method == .GET || method == .HEAD }

    /// The `accept` header; empty when absent.
    var accept: String { headers.first("accept") ?? "" }
}

/// Serves metrics, health and state on an address of its own, so that watching the gateway never waits behind its
/// traffic. It starts first and stops last.
struct AdminServer: Service {
    /// Where it listens.
    let address: SocketAddress
    private let channel: any Channel
    private let isSecure: Bool

    /// The most connections at once; those beyond are closed as they come. Anybody may ask, on one loop that
    /// also answers probes: a few questions from a few places are enough.
    static let maxConnections = 256

    /// Where it can be asked.
    var url: String { "\(isSecure ? "https" : "http")://\(BindAddress(address))" }

    /// Binds `address`.
    ///
    /// - Throws: ``CommandError`` with `flag`, which said the address, when it cannot be bound.
    init(
        at address: BindAddress,
        flag: String,
        group: MultiThreadedEventLoopGroup,
        routes: AdminRoutes
    ) async throws {
        do {
            try await self.init(host: address.host, port: address.port, group: group, routes: routes)
        } catch let error as IOError {
            throw CommandError("Cannot listen on \(flag) \(address): \(error).")
        }
    }

    /// Binds `host` and `port`. Answers are made on the connection's event loop, but for those that take a body.
    ///
    /// - Parameter tls: asked for each new connection; `nil` for plain text.
    init(
        host: String,
        port: Int,
        group: MultiThreadedEventLoopGroup,
        tls: (@Sendable () -> NIOSSLContext)? = nil,
        routes: AdminRoutes
    ) async throws {
        let seats = AdminSeats()
        channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard seats.connections.take() else {
                    return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
                }
                channel.closeFuture.whenComplete { _ in seats.connections.giveBack() }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls())) }
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                    try pipeline.addHandler(IdleStateHandler(readTimeout: .seconds(120)))
                    try pipeline.addHandler(AdminHandler(routes: routes, bodies: seats.bodies))
                }
            }
            .bind(host: host, port: port)
            .get()
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        self.address = address
        isSecure = tls != nil
    }

    func run() async throws {
        try await gracefulShutdown()
        try await channel.close()
    }
}

/// What connections of an admin server share.
private final class AdminSeats: Sendable {
    let connections = Seats(AdminServer.maxConnections)
    /// Of the requests whose body is gathered: a body may be as long as that of the longest request.
    let bodies = Seats(4)
}

/// A number of places that can be taken. Safe from any thread.
final class Seats: Sendable {
    private let free: Atomic<Int>

    /// Makes so many places.
    init(_ count: Int) {
        free = Atomic(count)
    }

    /// Takes a place; `false` when there is none.
    func take() -> Bool {
        if free.wrappingSubtract(1, ordering: .relaxed).newValue >= 0 { return true }
        giveBack()
        return false
    }

    /// Gives a place back that was taken.
    func giveBack() {
        free.wrappingAdd(1, ordering: .relaxed)
    }
}
