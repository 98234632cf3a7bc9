import FlowControl
package import GatewayCore
package import Telemetry

/// What became of one request, told once, at its end: for access logs, traces, and whoever shows the last requests.
package struct RequestSummary: Sendable {
    /// The request's identifier; empty when it was refused before it had one.
    package let requestID: String
    /// The method in capitals; empty when the request was refused before it was read.
    package let method: String
    /// The request's place in a distributed trace: its own span; `nil` while no traces are made.
    package let trace: TraceContext?
    /// The path and query as the client sent them.
    package let target: String
    /// The pool; `nil` when no route was found.
    package let pool: PoolID?
    /// The model that the client asked for; empty when it named none.
    package let model: String
    /// The model that serves the request; empty when it was refused before that was known.
    package let targetModel: String
    /// The objective that the client named; empty for none.
    package let objective: String
    /// The request's priority.
    package let priority: Int
    /// The flow that fairness is kept for.
    package let fairnessID: String
    /// The endpoint of the last attempt; `nil` when there was no attempt.
    package let endpoint: EndpointID?
    /// The address of the last attempt, as `host:port`; empty when there was no attempt.
    package let destination: String
    /// How many attempts there were.
    package let attempts: Int
    /// The HTTP status that the client got; 0 when it got none.
    package let status: Int
    /// How the request ended at its endpoint; `nil` when the gateway answered it.
    package let outcome: RequestOutcome?
    /// Why the gateway answered it; `nil` when it did not.
    package let rejection: Rejection?
    /// Whether the response is an event stream.
    package let isEventStream: Bool
    /// When the request had arrived.
    package let receivedAt: MonotonicInstant
    /// When the first byte of the response's body came; `nil` when none came.
    package let firstByteAt: MonotonicInstant?
    /// When it was over.
    package let endedAt: MonotonicInstant
    /// How long it waited for its turn; `nil` where requests do not wait.
    package let waited: Duration?
    /// How long the last scheduling decision took, in nanoseconds; 0 when there was none.
    package let decisionNanoseconds: Int64
    /// The size of the request's body.
    package let requestBytes: Int
    /// The size of the response's body, as far as it was relayed.
    package let responseBytes: Int
    /// The token usage that the response reported; `nil` for none.
    package let usage: TokenUsage?
}

extension RequestSummary {
    /// What became of a request that the edge refused before it was read, at `now`: nothing more is known of it.
    init(refused rejection: Rejection, target: String, at now: MonotonicInstant) {
        self.init(
            requestID: "",
            method: "",
            trace: nil,
            target: target,
            pool: nil,
            model: "",
            targetModel: "",
            objective: "",
            priority: 0,
            fairnessID: "",
            endpoint: nil,
            destination: "",
            attempts: 0,
            status: OutcomeMapping(rejection.reason).status,
            outcome: nil,
            rejection: rejection,
            isEventStream: false,
            receivedAt: now,
            firstByteAt: nil,
            endedAt: now,
            waited: nil,
            decisionNanoseconds: 0,
            requestBytes: 0,
            responseBytes: 0,
            usage: nil
        )
    }
}

/// Whoever is told of every request that ended.
package protocol RequestObserver: Sendable {
    /// A request is over, or was refused by its edge before it was read. Called on the event loop that served it: it
    /// must be short and must not wait.
    func requestEnded(_ summary: RequestSummary)
    /// An attempt failed, and the request goes to an endpoint again. Called as the other one.
    func attemptFailed(_ attempt: FailedAttempt)
}

extension RequestObserver {
    /// Nothing, unless the observer wants to know.
    package func attemptFailed(_ attempt: FailedAttempt) {}
}

extension RequestExchange {
    /// What became of the request, now that it is over.
    func summary(
        _ outcome: RequestOutcome?,
        rejection: Rejection?,
        accounting: ResponseAccounting?,
        usage: TokenUsage?,
        at now: MonotonicInstant
    ) -> RequestSummary {
        let request = context?.request
        return RequestSummary(
            requestID: identity?.id ?? incoming.headers.first(HeaderNames.requestID) ?? "",
            method: incoming.method,
            trace: trace?.context,
            target: incoming.target,
            pool: route?.pool.id,
            model: request?.model ?? identity?.model ?? "",
            targetModel: request?.targetModel ?? "",
            objective: request?.objective ?? "",
            priority: request?.priority ?? 0,
            fairnessID: request?.fairnessID ?? "",
            endpoint: decision?.endpoint.id,
            destination: destination,
            attempts: attemptCount,
            status: rejection.map { OutcomeMapping($0.reason).status } ?? status,
            outcome: outcome,
            rejection: rejection,
            isEventStream: isEventStream,
            receivedAt: incoming.receivedAt,
            firstByteAt: accounting?.firstByteAt,
            endedAt: now,
            waited: admission?.waited,
            decisionNanoseconds: decisionNanoseconds,
            requestBytes: incoming.body.count,
            responseBytes: accounting?.responseBytes ?? 0,
            usage: usage
        )
    }
}
