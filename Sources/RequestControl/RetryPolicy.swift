import GatewayCore

/// When a request that failed before its first response byte is sent to the next-best endpoint.
///
/// Inference requests have no side effects on a model server, so sending one again is safe as long as the client has
/// seen nothing of the first answer.
package struct RetryPolicy: Hashable, Sendable {
    /// What an attempt can fail with.
    package enum Condition: Hashable, Sendable {
        /// No connection could be made.
        case connectFailure
        /// A kept-alive connection broke before the response's first byte: most often the server had just closed it.
        case resetOnReusedConnection
        /// Any connection broke before the response's first byte.
        case reset
        /// The endpoint answered with this status.
        case status(Int)
    }

    /// The most retries of one request; 0 turns retrying off.
    package var maxRetries: Int
    /// What is retried.
    package var conditions: Set<Condition>

    /// Two retries, on every condition that is known before a byte was sent.
    package init(
        maxRetries: Int = 2,
        conditions: Set<Condition> = [
            .connectFailure, .resetOnReusedConnection, .reset, .status(502), .status(503), .status(504),
        ]
    ) {
        self.maxRetries = maxRetries
        self.conditions = conditions
    }

    func allows(_ failure: AttemptFailure) -> Bool {
        switch failure {
        case .connect: conditions.contains(.connectFailure)
        case .reset(let reused):
            conditions.contains(.reset) || (reused && conditions.contains(.resetOnReusedConnection))
        case .status(let status): conditions.contains(.status(status))
        case .timeout: false
        }
    }
}

/// How one attempt failed before anything of it was relayed.
package enum AttemptFailure: Hashable, Sendable {
    /// No connection: the reason as text.
    case connect(String)
    /// The connection broke; `onReusedConnection` when it had served a request before.
    case reset(onReusedConnection: Bool)
    /// The endpoint answered with a status that the policy may retry.
    case status(Int)
    /// No answer in the route's backend timeout.
    case timeout

    var outcome: RequestOutcome {
        switch self {
        case .connect: .connectFailed
        case .reset: .resetBeforeResponse
        case .status(let status): (502...504).contains(status) ? .gatewayError : .completed
        case .timeout: .timedOut
        }
    }

    /// What to show people of an endpoint that is ejected for such failures.
    var detail: String {
        switch self {
        case .connect(let why): why
        case .reset: "closed the connection without an answer"
        case .status(let status): "answered \(status)"
        case .timeout: "did not answer in time"
        }
    }

    /// The value of the metric label `reason`.
    package var label: String {
        switch self {
        case .connect: "connect-failure"
        case .reset: "reset"
        case .status(let status): String(status)
        case .timeout: "timeout"
        }
    }
}

/// A text that is no list of retry conditions.
package struct RetryConditionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence with the word at fault.
    package let description: String
}

extension RetryPolicy {
    /// Reads a list such as `connect-failure,reset,502`; an empty list retries nothing.
    ///
    /// - Throws: ``RetryConditionError`` for a word that is no condition.
    package init(maxRetries: Int, conditions text: String) throws(RetryConditionError) {
        var conditions: Set<Condition> = []
        for word in text.split(separator: ",") {
            switch word {
            case "connect-failure": conditions.insert(.connectFailure)
            case "reset": conditions.formUnion([.reset, .resetOnReusedConnection])
            case "reset-reused": conditions.insert(.resetOnReusedConnection)
            default:
                guard let status = Int(word), (500...599).contains(status) else {
                    throw RetryConditionError(
                        description:
                            "'\(word)' is not connect-failure, reset, reset-reused or a status from 500 to 599."
                    )
                }
                conditions.insert(.status(status))
            }
        }
        self.init(maxRetries: maxRetries, conditions: conditions)
    }
}
