import GatewayCore
import HTTP1Messages

/// Requests that are refused for their form, before anyone looks at what they ask for.
enum InboundFault {
    /// The refusal of a head; `nil` when it is acceptable.
    static func rejection(for head: RequestHead, limits: GatewayLimits) -> Rejection? {
        if head.headers.count > limits.maxHeaderFields {
            return rejection(for: .tooManyFields(limit: limits.maxHeaderFields))
        }
        if head.method == "CONNECT" || head.method == "TRACE" {
            return Rejection(.methodNotAllowed, "The method \(head.method) is not supported.")
        }
        if let length = head.contentLength, length > limits.maxBodyBytes {
            return bodyTooLarge(limit: limits.maxBodyBytes)
        }
        return nil
    }

    /// The refusal of a body over the limit.
    static func bodyTooLarge(limit: Int) -> Rejection {
        Rejection(.bodyTooLarge, "The request's body is larger than the limit of \(limit) bytes.")
    }

    /// The refusal of a request that breaks off.
    static let truncated = Rejection(.invalidRequest, "The request ended before it was whole.")

    /// The refusal of bytes that are no request.
    static func rejection(for fault: MessageFault) -> Rejection {
        switch fault {
        case .headerTooLong(let limit):
            Rejection(.headersTooLarge, "The request's header section is over the limit of \(limit) bytes.")
        case .tooManyFields(let limit):
            Rejection(.headersTooLarge, "The request has more than \(limit) header fields.")
        case .lengthInDoubt:
            Rejection(
                .invalidRequest,
                "The request has both Transfer-Encoding and Content-Length, or several Content-Length fields, which "
                    + "leaves its length open to doubt."
            )
        case .version(let version):
            Rejection(.invalidRequest, "The request line says \(version), which is not the version spoken.")
        case .malformed(let what):
            Rejection(.invalidRequest, "The request is not valid HTTP: \(what).")
        }
    }
}
