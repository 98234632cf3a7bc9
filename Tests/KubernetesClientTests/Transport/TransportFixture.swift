import GatewayTesting
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import KubernetesClient

/// Runs `body` with a transport, which is shut down after it.
func withTransport<Result>(
    _ configuration: ClusterConfiguration,
    limits: HTTPTransport.Limits = HTTPTransport.Limits(),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now },
    _ body: (HTTPTransport) async throws -> Result
) async throws -> Result {
    let transport = HTTPTransport(
        configuration: configuration,
        group: MultiThreadedEventLoopGroup.singleton,
        userAgent: "martlet/test",
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        limits: limits,
        now: now
    )
    do {
        let result = try await body(transport)
        await transport.shutdown()
        return result
    } catch {
        await transport.shutdown()
        throw error
    }
}

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    private let instant = Mutex(ContinuousClock.now)

    var now: @Sendable () -> ContinuousClock.Instant { { self.instant.withLock { $0 } } }

    func advance(by duration: Duration) {
        instant.withLock { $0 += duration }
    }
}

extension ClusterConfiguration {
    /// A server on loopback without TLS.
    static func plain(
        port: Int,
        path: String = "",
        credentials: ClientCredentials = ClientCredentials()
    ) -> ClusterConfiguration {
        ClusterConfiguration(
            server: ServerURL(isSecure: false, host: "127.0.0.1", port: port, path: path),
            credentials: credentials, source: "test")
    }

    /// A server on loopback with TLS.
    static func secure(
        port: Int,
        host: String = "127.0.0.1",
        trust: ServerTrust = ServerTrust(authorities: .data(Array(TestCertificate.authority.utf8))),
        credentials: ClientCredentials = ClientCredentials(),
        proxy: ProxyURL? = nil
    ) -> ClusterConfiguration {
        ClusterConfiguration(
            server: ServerURL(isSecure: true, host: host, port: port), trust: trust, credentials: credentials,
            proxy: proxy, source: "test")
    }
}

extension APIResponse {
    /// The whole body.
    func text() async throws -> String {
        var text = ByteBuffer()
        for try await piece in body { text.writeImmutableBuffer(piece) }
        return String(buffer: text)
    }
}

extension HTTPTransport {
    /// Checks the status and the body of what is at `path`.
    func expect(
        _ expected: String,
        at path: String = "/",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let received = try await text(path)
        #expect(received == expected, sourceLocation: sourceLocation)
    }

    /// The body of what is at `path`.
    func text(_ path: String = "/") async throws -> String {
        let response = try await send(APIRequest(.get, path))
        return "\(response.status) \(try await response.text())"
    }
}

/// A whole answer.
func answer(_ status: String = "200 OK", _ body: String = "", fields: String = "") -> String {
    "HTTP/1.1 \(status)\r\ncontent-length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}

/// The sentence of an error that is ``APIError/unreachable(_:)``, or a note of what it is instead.
func unreachable(_ error: any Error) -> String {
    guard case .unreachable(let text) = error as? APIError else { return "not unreachable: \(error)" }
    return text
}
