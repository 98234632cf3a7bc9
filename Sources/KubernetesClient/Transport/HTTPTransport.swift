import AsyncHTTPClient
import FoundationEssentials
package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Carries requests to an API server over HTTP/1.1, with TLS if the server's URL says so.
///
/// Connections are kept for the next request; a response that lasts, such as a watch, has one for itself. Tokens and
/// certificates in files are read again when they change, plugins are run again before what they said expires, and
/// all of it at once when the server says 401: then the request is sent a second time, if there is something new to
/// show. Redirects are not followed. Safe from any thread; ``shutdown()`` must be called before it goes.
package final class HTTPTransport: APITransport {
    /// How long things may take.
    package struct Limits: Sendable {
        /// A connection, with the handshakes of TLS and a proxy. Default 10 s.
        package var connect = Duration.seconds(10)
        /// How long a connection without a request is kept. Default 60 s, which is less than API servers keep theirs.
        package var keep = Duration.seconds(60)
        /// The age at which what was read from a file is read again. Default 60 s.
        package var filesFreshFor = Duration.seconds(60)
        /// One run of a credential plugin. Default 60 s.
        package var plugin = Duration.seconds(60)
        /// The shortest time between two runs of a plugin that did not help. Default 10 s.
        package var pluginPause = Duration.seconds(10)

        /// The defaults.
        package init() {}
    }

    private let configuration: ClusterConfiguration
    private let client: HTTPClient
    /// Where all exchanges are, and so all connections: with both on two loops the client may learn that a body was
    /// sent only after its connection is gone, and takes that for an error of its own, which ends the process.
    private let eventLoop: any EventLoop
    private let credentials: CredentialSource
    private let limits: Limits
    /// The fields that every request has.
    private let fields: HTTPHeaders
    /// Scheme, host and port of requests, and what stands before their paths.
    private let base: String
    private let logger: Logger

    /// Makes a transport. Nothing is connected to, read or run before the first request.
    ///
    /// - Parameters:
    ///   - configuration: how the cluster is reached.
    ///   - group: one of whose threads does the work; it must outlive the transport.
    ///   - userAgent: what the `User-Agent` field says, such as `martlet/1.0`.
    ///   - logger: told of credentials that cannot be renewed and of requests that are sent twice.
    ///   - limits: how long things may take.
    package convenience init(
        configuration: ClusterConfiguration,
        group: any EventLoopGroup,
        userAgent: String,
        logger: Logger,
        limits: Limits = Limits()
    ) {
        self.init(
            configuration: configuration, group: group, userAgent: userAgent, logger: logger, limits: limits,
            now: { ContinuousClock.now })
    }

    /// As the other one, with another clock for the age of what was read.
    init(
        configuration: ClusterConfiguration,
        group: any EventLoopGroup,
        userAgent: String,
        logger: Logger,
        limits: Limits,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.configuration = configuration
        eventLoop = group.any()
        self.limits = limits
        self.logger = logger
        let host = HostIdentity(configuration)
        base = host.base
        var timing = CredentialSource.Timing()
        timing.filesFreshFor = limits.filesFreshFor
        timing.pluginLimit = limits.plugin
        timing.pluginPause = limits.pluginPause
        timing.now = now
        credentials = CredentialSource(
            configuration, verifiesHostItself: host.verifiedAddress != nil, timing: timing, logger: logger)
        fields = Self.fields(configuration, userAgent: userAgent)
        client = HTTPClient(
            eventLoopGroupProvider: .shared(group),
            configuration: Self.clientConfiguration(configuration, host: host, limits: limits)
        )
    }

    /// Ends running exchanges and closes all connections. Requests after it fail.
    package func shutdown() async {
        do { try await client.shutdown() } catch {
            logger.debug("the client of the API server was shut down before: \(error)")
        }
    }

    /// Sends `request` and returns when the head of the response has come, whatever its status is.
    package func send(_ request: APIRequest) async throws(APIError) -> APIResponse {
        let shown = try await credentials.current()
        // The first attempt and those that follow it have this time together.
        let deadline = ContinuousClock.now + request.timeout
        let response = try await exchange(request, shown, until: deadline)
        guard response.status == 401, let next = await credentials.replacement(for: shown) else { return response }
        logger.debug("the API server did not accept the credentials; the request is sent again with new ones")
        return try await exchange(request, next, until: deadline)
    }

    /// Sends `request`, a second time when it only reads and the connection was lost before an answer: the server
    /// may have closed one that was kept for too long while the request was on its way.
    private func exchange(
        _ request: APIRequest,
        _ shown: CredentialSource.Shown,
        until deadline: ContinuousClock.Instant
    ) async throws(APIError) -> APIResponse {
        let problem = ConnectionProblem(
            server: "\(configuration.server) (\(configuration.source))",
            host: configuration.trust.serverName ?? configuration.server.host, connectLimit: limits.connect,
            headLimit: request.timeout, idleLimit: request.idleTimeout)
        do {
            return try await attempt(request, shown, until: deadline, problem)
        } catch {
            if Self.isTLS(error) { credentials.tlsFailed(with: shown) }
            guard request.method == .get, Self.isLostConnection(error) else { throw problem.error(error) }
        }
        do { return try await attempt(request, shown, until: deadline, problem) } catch {
            throw problem.error(error)
        }
    }

    private func attempt(
        _ request: APIRequest,
        _ shown: CredentialSource.Shown,
        until deadline: ContinuousClock.Instant,
        _ problem: ConnectionProblem
    ) async throws -> APIResponse {
        var headers = fields
        if let authorization = shown.authorization { headers.add(name: "Authorization", value: authorization) }
        if let type = request.contentType { headers.add(name: "Content-Type", value: type) }
        let message = try HTTPClient.Request(
            url: base + request.path + Self.query(request.query),
            method: HTTPMethod(rawValue: request.method.rawValue),
            headers: headers,
            body: request.body.isEmpty ? nil : .byteBuffer(ByteBuffer(bytes: request.body)),
            tlsConfiguration: shown.tls
        )
        let exchange = Exchange(
            eventLoop: eventLoop,
            headLimit: TimeAmount(deadline - .now),
            idleLimit: TimeAmount(request.idleTimeout),
            describe: { problem.error($0) }
        )
        let (head, body) = try await exchange.run(message, on: client)
        let now = head.headers.first(name: "Date").flatMap(RetryAfter.date) ?? Date()
        return APIResponse(
            status: Int(head.status.code),
            retryAfter: head.headers.first(name: "Retry-After").flatMap { RetryAfter.delay($0, now: now) },
            body: body
        )
    }

    private static func isLostConnection(_ error: any Error) -> Bool {
        switch error {
        case let error as HTTPClientError: error == .remoteConnectionClosed
        case let error as ChannelError: error == .ioOnClosedChannel || error == .inputClosed
        case let error as NIOSSLError: error == .uncleanShutdown
        case let error as IOError: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
        default: false
        }
    }

    private static func isTLS(_ error: any Error) -> Bool {
        error is NIOSSLError || error is BoringSSLError || error is NIOSSLExtraError
    }

    // MARK: - Making

    private static func clientConfiguration(
        _ configuration: ClusterConfiguration,
        host: HostIdentity,
        limits: Limits
    ) -> HTTPClient.Configuration {
        var client = HTTPClient.Configuration()
        client.redirectConfiguration = .disallow
        client.timeout.connect = TimeAmount(limits.connect)
        client.connectionPool.idleTimeout = TimeAmount(limits.keep)
        // Each watch has a connection for its whole life; ordinary requests must never wait for one.
        client.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1000
        // The caller decides when to try again.
        client.connectionPool.retryConnectionEstablishment = false
        // Each watch stands alone: none waits for the flow control of another, or falls with it.
        client.httpVersion = .http1Only
        if let override = host.override { client.dnsOverride = [override.name: override.host] }
        if let proxy = configuration.proxy {
            switch proxy.kind {
            case .http:
                client.proxy = .server(
                    host: proxy.host, port: proxy.port,
                    authorization: proxy.user.map { .basic(username: $0, password: proxy.password ?? "") })
            case .socks5: client.proxy = .socksServer(host: proxy.host, port: proxy.port)
            }
        }
        let address = host.verifiedAddress
        client.http1_1ConnectionDebugInitializer = { channel in
            KeepAlive.enable(on: channel).flatMap {
                guard let address else { return channel.eventLoop.makeSucceededVoidFuture() }
                return HostVerification.verify(address, on: channel)
            }
        }
        return client
    }

    private static func fields(_ configuration: ClusterConfiguration, userAgent: String) -> HTTPHeaders {
        var fields: HTTPHeaders = [
            "Host": configuration.server.authority, "User-Agent": userAgent, "Accept": "application/json",
        ]
        if let whom = configuration.credentials.impersonation {
            fields.add(name: "Impersonate-User", value: whom.user)
            if !whom.uid.isEmpty { fields.add(name: "Impersonate-Uid", value: whom.uid) }
            for group in whom.groups { fields.add(name: "Impersonate-Group", value: group) }
            for (key, values) in whom.extra.sorted(by: { $0.key < $1.key }) {
                for value in values { fields.add(name: "Impersonate-Extra-\(escape(key))", value: value) }
            }
        }
        return fields
    }

    private static func query(_ parameters: [(name: String, value: String)]) -> String {
        guard !parameters.isEmpty else { return "" }
        return "?" + parameters.map { "\(escape($0.name))=\(escape($0.value))" }.joined(separator: "&")
    }

    /// Percent-encodes all but what never needs it (RFC 3986 §2.3).
    private static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                escaped += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return escaped
    }
}

/// What a server's certificate must be for, and how the client below is told so.
struct HostIdentity {
    /// Scheme, host and port of requests, and what stands before their paths.
    let base: String
    /// The name in requests' URLs and the host that is connected to instead; `nil` when they are the same.
    let override: (name: String, host: String)?
    /// The address that ``HostVerification`` looks for; `nil` when TLS itself checks what must be checked.
    let verifiedAddress: SocketAddress?

    init(_ configuration: ClusterConfiguration) {
        let server = configuration.server
        let name = configuration.trust.serverName?.lowercased() ?? server.host
        let address = try? SocketAddress(ipAddress: name, port: server.port)
        if let address {
            // TLS checks an address against the other end of the connection.
            let isOtherEnd = configuration.proxy == nil && name == server.host
            let isChecked = server.isSecure && !configuration.trust.skipsVerification
            verifiedAddress = isOtherEnd || !isChecked ? nil : address
            override = nil
            base = "\(server)"
        } else {
            verifiedAddress = nil
            // The client takes the name of TLS from the URL, and connects to what it is told to connect to instead.
            override = name == server.host ? nil : (name, server.host)
            base = "\(ServerURL(isSecure: server.isSecure, host: name, port: server.port, path: server.path))"
        }
    }
}

extension TimeAmount {
    /// As long as `duration`, at most a year.
    init(_ duration: Duration) {
        let seconds = min(duration, .seconds(31_536_000)).components
        self = .nanoseconds(seconds.seconds * 1_000_000_000 + seconds.attoseconds / 1_000_000_000)
    }
}
