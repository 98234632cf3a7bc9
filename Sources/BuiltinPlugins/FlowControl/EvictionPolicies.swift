import GatewayCore

/// Lets only requests of negative priority be ended while they run.
struct SheddableEvictionFilter: EvictionPolicy {
    static let descriptor = PluginDescriptor(
        type: "sheddable-eviction-filter",
        summary: "Lets only requests of negative priority be ended while they run."
    )

    /// The name of the type in GAIE v1.5.
    static let formerType = "eviction-sheddable-filter"

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func mayEvict(_ request: RunningRequest) -> Bool { request.priority < 0 }
}

/// Ends the requests of the lowest priority first, and of those the ones that were sent last: they lose least.
struct PriorityThenTimeEvictionOrder: EvictionPolicy {
    static let descriptor = PluginDescriptor(
        type: "priority-then-time-eviction-order-policy",
        summary: "Ends requests of the lowest priority first, and of those the ones that were sent last."
    )

    /// The name of the type in GAIE v1.5.
    static let formerType = "eviction-priority-then-time-ordering"

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func evicts(_ left: RunningRequest, before right: RunningRequest) -> Bool? {
        if left.priority != right.priority { return left.priority < right.priority }
        return left.dispatchedAt == right.dispatchedAt ? nil : left.dispatchedAt > right.dispatchedAt
    }
}
