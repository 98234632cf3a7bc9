import GatewayCore

/// Orders requests by when they began to wait.
struct FCFSOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "fcfs-ordering-policy",
        summary: "Serves the request that has waited longest."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func rank(of request: QueuedRequest) -> OrderingRank {
        OrderingRank(request.enqueuedAt.nanoseconds)
    }
}

/// Orders requests by when their time to wait is over; those that may wait for ever come last.
struct EDFOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "edf-ordering-policy",
        summary: "Serves the request whose time to wait is over first."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func rank(of request: QueuedRequest) -> OrderingRank {
        OrderingRank(request.deadline?.nanoseconds ?? .max, request.enqueuedAt.nanoseconds)
    }
}

/// Orders requests by when their objective for the time to first token is missed; those without one come last.
struct SLODeadlineOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "slo-deadline-ordering-policy",
        summary: "Serves the request whose time to first token is due first."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    /// The deadline is the arrival plus the milliseconds of `x-llm-d-slo-ttft-ms` or its older name, which is a whole
    /// number, 0 or more; anything else is no objective.
    func rank(of request: QueuedRequest) -> OrderingRank {
        let received = request.request.receivedAt
        guard let text = request.request.headers.first(of: HeaderNames.ttftObjective),
            let milliseconds = Int64(text), milliseconds >= 0
        else { return OrderingRank(.max, received.nanoseconds) }
        return OrderingRank(received.advanced(by: .milliseconds(milliseconds)).nanoseconds, received.nanoseconds)
    }
}

/// Orders requests by how little there is to compute for them, and lets each wait ahead of shorter ones in time.
///
/// The rank is the beginning of the wait plus a time for each prompt token that no endpoint holds: a request goes ahead
/// of one that came earlier by as much as it is shorter, and never starves, since every second that it waits counts as
/// much as `tokensPerSecond` tokens.
struct ShortestUncachedPrefillOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "shortest-uncached-prefill-ordering-policy",
        stability: .alpha,
        summary: "Serves the request with the fewest prompt tokens to compute; waiting makes up for length."
    )

    private let tokensPerSecond: Double

    /// Reads `tokensPerSecond` (default 10,000; above 0): how many tokens a second of waiting makes up for.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        tokensPerSecond = parameters.positive("tokensPerSecond", default: 10_000, atMost: 1_000_000_000)
    }

    var readsUncachedTokens: Bool { true }

    func rank(of request: QueuedRequest) -> OrderingRank {
        // A year at most, so that no number of tokens is out of the range of the clock.
        let seconds = min(Double(max(0, request.uncachedTokens)) / tokensPerSecond, 31_536_000)
        return OrderingRank(
            request.enqueuedAt.advanced(by: .nanoseconds(Int64(seconds * 1e9))).nanoseconds,
            request.enqueuedAt.nanoseconds
        )
    }
}
