package import GatewayCore

/// The settings of ``RequestController`` that hold for all pools.
package struct RequestControlConfiguration: Sendable {
    /// The bounds on what clients send.
    package var limits: GatewayLimits
    /// The retry policy of rules that set none.
    package var retry: RetryPolicy
    /// Whether responses carry `x-gateway-destination-endpoint-served`.
    package var addsServedHeader: Bool
    /// The seed of every random choice.
    package var seed: UInt64
    /// How many of the last decisions are kept for explanations; 0 keeps none and costs nothing.
    package var keptDecisions: Int

    /// Makes a configuration with documented defaults: no served header, two retries, no decisions kept.
    package init(
        limits: GatewayLimits = GatewayLimits(),
        retry: RetryPolicy = RetryPolicy(),
        addsServedHeader: Bool = false,
        seed: UInt64 = 0,
        keptDecisions: Int = 0
    ) {
        self.limits = limits
        self.retry = retry
        self.addsServedHeader = addsServedHeader
        self.seed = seed
        self.keptDecisions = keptDecisions
    }
}
