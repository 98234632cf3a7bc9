import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

/// Says in words why a request failed before or during its response.
struct ConnectionProblem: Sendable {
    /// The server, and where that was configured.
    let server: String
    let connectLimit: Duration
    let headLimit: Duration
    let idleLimit: Duration

    /// What a caller is told.
    func error(_ cause: any Error) -> APIError {
        if let error = cause as? APIError { return error }
        return .unreachable("The API server \(server) \(words(cause)).")
    }

    private func words(_ cause: any Error) -> String {
        switch cause {
        case let silence as SilenceError:
            silence.isBeforeHead
                ? "did not answer within \(headLimit)" : "was silent for \(idleLimit) in the middle of an answer"
        case is CancellationError: "was not waited for: the request was cancelled"
        case let error as HTTPClientError: words(error)
        case let error as NIOConnectionError: "cannot be reached: \(words(error))"
        case let error as HostVerification.Failure: "is not believed: \(error.reason)"
        case let error as NIOSSLError: "is not believed, or does not believe this client: \(words(error))"
        case let error as BoringSSLError: "does not believe this client, or broke TLS: \(words(error))"
        case is NIOSSLExtraError: "is not believed: its certificate is not for the host of the URL (\(cause))"
        case let error as IOError: "cannot be reached: \(error)"
        case ChannelError.connectTimeout: "did not take a connection within \(connectLimit)"
        default: "cannot be reached: \(cause)"
        }
    }

    private func words(_ error: HTTPClientError) -> String {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout: "did not take a connection within \(connectLimit)"
        case .tlsHandshakeTimeout: "did not finish the TLS handshake within \(connectLimit)"
        case .socksHandshakeTimeout, .httpProxyHandshakeTimeout:
            "was not connected to by the proxy within \(connectLimit)"
        case .proxyAuthenticationRequired: "cannot be reached: the proxy wants to know who asks"
        case .invalidProxyResponse: "cannot be reached: the proxy did not connect to it"
        case .remoteConnectionClosed: "closed the connection before the end of its answer"
        case .cancelled: "was not waited for: the request was cancelled"
        case .alreadyShutdown: "is not asked any more: the client is shut down"
        // The description may hold a header field's value, which may be a secret.
        default: "was not asked: \(error.shortDescription)"
        }
    }

    private func words(_ error: NIOConnectionError) -> String {
        if let failure = error.connectionErrors.first { return "\(failure.error)" }
        return "the name '\(error.host)' has no address (\([error.dnsAError, error.dnsAAAAError].compactMap { $0 }))"
    }

    private func words(_ error: NIOSSLError) -> String {
        if case .handshakeFailed(let inner) = error { words(inner) } else { "\(error)" }
    }

    private func words(_ error: BoringSSLError) -> String {
        "\(error)"
    }
}
