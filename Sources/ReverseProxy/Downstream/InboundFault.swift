import GatewayCore
import NIOHTTP1

/// Requests that are refused for their form, before anyone looks at what they ask for.
enum InboundFault {
    /// The refusal of a head; `nil` when it is acceptable.
    ///
    /// - Parameter isStream: whether the head came in a stream of HTTP/2, whose decoder does not count fields.
    static func rejection(for head: HTTPRequestHead, limits: GatewayLimits, isStream: Bool) -> Rejection? {
        if !isStream, head.version != .http1_1, head.version != .http1_0 {
            return Rejection(.invalidRequest, "The request line says \(head.version), which is not the version spoken.")
        }
        if head.headers.count > limits.maxHeaderFields {
            return Rejection(.headersTooLarge, "The request has more than \(limits.maxHeaderFields) header fields.")
        }
        let hosts = head.headers["host"]
        if hosts.count > 1 || (hosts.isEmpty && head.version != .http1_0) {
            let what = hosts.isEmpty ? "no Host header" : "\(hosts.count) Host headers"
            return Rejection(.invalidRequest, "The request has \(what); exactly one is required.")
        }
        if head.headers.contains(name: "transfer-encoding") {
            if head.headers.contains(name: "content-length") {
                return Rejection(
                    .invalidRequest,
                    "The request has both Transfer-Encoding and Content-Length, which leaves its length open to doubt."
                )
            }
            if head.version == .http1_0 {
                return Rejection(.invalidRequest, "An HTTP/1.0 request must not have Transfer-Encoding.")
            }
        }
        if head.method == .CONNECT || head.method == .TRACE {
            return Rejection(.methodNotAllowed, "The method \(head.method.rawValue) is not supported.")
        }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > limits.maxBodyBytes {
            return bodyTooLarge(limit: limits.maxBodyBytes)
        }
        return nil
    }

    /// The refusal of a body over the limit.
    static func bodyTooLarge(limit: Int) -> Rejection {
        Rejection(.bodyTooLarge, "The request's body is larger than the limit of \(limit) bytes.")
    }

    /// The refusal that a decoder's error deserves; `nil` when there is nobody to tell.
    static func rejection(for error: any Error) -> Rejection? {
        guard let error = error as? HTTPParserError else { return nil }
        switch error {
        case .headerOverflow:
            return Rejection(.headersTooLarge, "The request's header section is over the limit.")
        case .invalidEOFState:
            return Rejection(.invalidRequest, "The request ended before it was whole.")
        case .closedConnection:
            return nil
        case .unexpectedContentLength:
            return Rejection(
                .invalidRequest,
                "The request has both Transfer-Encoding and Content-Length, or several Content-Length fields."
            )
        default:
            return Rejection(.invalidRequest, "The request is not valid HTTP/1.1: \(error).")
        }
    }
}
