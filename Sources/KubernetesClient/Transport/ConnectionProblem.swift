import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Says in words why a request failed before or during its response.
struct ConnectionProblem: Sendable {
    /// The server, and where that was configured.
    let server: String
    /// What its certificate must be for.
    let host: String
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
        case let error as NIOSSLError: words(error)
        case let error as BoringSSLError: words(error)
        case is NIOSSLExtraError: "is not believed: its certificate is not for \(host)"
        case let error as IOError: "cannot be reached: \(words(error))"
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
        guard let failure = error.connectionErrors.first else {
            let causes = [error.dnsAError, error.dnsAAAAError].compactMap { $0.map { "\($0)" } }
            return "there is no address for '\(error.host)' (\(causes.joined(separator: ", ")))"
        }
        return (failure.error as? IOError).map(words) ?? "\(failure.error)"
    }

    private func words(_ error: IOError) -> String {
        switch error.errnoCode {
        case ECONNREFUSED: "nobody listens there (connection refused)"
        case ECONNRESET, EPIPE: "the connection was reset"
        case ETIMEDOUT: "the other side fell silent (connection timed out)"
        case EHOSTUNREACH, ENETUNREACH: "there is no route to it"
        default: "\(error)"
        }
    }

    private func words(_ error: NIOSSLError) -> String {
        switch error {
        case .handshakeFailed(let cause): words(cause)
        case .uncleanShutdown: "closed the connection before the end of its answer"
        case .unableToValidateCertificate, .noCertificateToValidate: "is not believed: \(error)"
        default: "broke TLS: \(error)"
        }
    }

    private func words(_ error: BoringSSLError) -> String {
        let text = "\(error)"
        // The names of errors stand behind this in the texts of the library below.
        guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return "broke TLS: \(text)" }
        let name = text[start...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        return switch name {
        case "CERTIFICATE_VERIFY_FAILED":
            "is not believed: no authority that is trusted signed its certificate, or that is out of date"
        case "TLSV1_ALERT_CERTIFICATE_REQUIRED": "wants a client certificate, and there is none to show"
        default: "broke TLS, or does not believe this client: \(name)"
        }
    }
}
