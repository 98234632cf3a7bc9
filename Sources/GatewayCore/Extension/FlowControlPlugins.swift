/// Says how full a pool is, so that requests of little importance are refused before those of others suffer.
///
/// A configuration refers to it in `flowControl.saturationDetector`.
public protocol SaturationDetector: Plugin {
    /// How full `candidates` are together: 0 when they are idle, 1 and above when they are saturated.
    ///
    /// Not clamped: a pool with twice the work that it should have is at 2. Never negative, never NaN. No endpoint at
    /// all is 1. Called on the path of requests with a negative priority: it must not block.
    ///
    /// - Parameters:
    ///   - candidates: the endpoints that the request may go to.
    ///   - now: the instant of the decision.
    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double

    /// How old an endpoint's metrics may be before the detector does without them; `nil`, the default, when it does not
    /// read metrics. Metrics that come less often than this are of little use to it.
    var metricsLifetime: Duration? { get }
}

extension SaturationDetector {
    /// No metrics are read.
    public var metricsLifetime: Duration? { nil }
}

/// Chooses whose turn it is among the flows of one priority.
///
/// A band of `flowControl` refers to it as `fairnessPolicyRef`. Requests do not wait in this release, so nobody asks
/// it: the protocol names the role.
public protocol FairnessPolicy: Plugin {}

/// Orders the requests of one flow.
///
/// A band of `flowControl` refers to it as `orderingPolicyRef`. Requests do not wait in this release, so nobody asks
/// it: the protocol names the role.
public protocol OrderingPolicy: Plugin {}

/// Says up to which saturation each priority may use the pool.
///
/// `flowControl` refers to it as `usageLimitPolicyPluginRef`. Requests do not wait in this release, so nobody asks it:
/// the protocol names the role.
public protocol UsageLimitPolicy: Plugin {}

/// Says which of the requests that run may be ended for more important ones, or in which order.
///
/// `flowControl.enableEviction` turns it on; no reference names it. Requests are not ended in this release, so nobody
/// asks it: the protocol names the role.
public protocol EvictionPolicy: Plugin {}
