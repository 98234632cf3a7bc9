package import GatewayCore

/// What the end of a request says of the health of its endpoint.
package enum RequestVerdict: Hashable, Sendable {
    /// The endpoint did its work.
    case success
    /// The endpoint failed.
    case failure(EjectionReason)
    /// Nothing: the request ended for another reason.
    case neutral

    /// The verdict of `outcome`.
    package init(_ outcome: RequestOutcome) {
        switch outcome {
        case .completed: self = .success
        case .connectFailed: self = .failure(.connect)
        case .resetBeforeResponse, .resetMidResponse: self = .failure(.reset)
        case .gatewayError: self = .failure(.gatewayError)
        case .timedOut: self = .failure(.timeout)
        case .clientDisconnected, .staleConnection, .servedElsewhere, .drained, .evicted, .abandoned:
            self = .neutral
        }
    }
}
