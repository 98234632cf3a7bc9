import GatewayCore

/// Orders requests by when they began to wait.
struct FCFSOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "fcfs-ordering-policy",
        summary: "Serves the request that has waited longest."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// Orders requests by when their time to wait is over; those that may wait for ever come last.
struct EDFOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "edf-ordering-policy",
        summary: "Serves the request whose time to wait is over first."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// Orders requests by when their objective for the time to first token is missed; those without one come last.
struct SLODeadlineOrderingPolicy: OrderingPolicy {
    static let descriptor = PluginDescriptor(
        type: "slo-deadline-ordering-policy",
        summary: "Serves the request whose time to first token is due first."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}
