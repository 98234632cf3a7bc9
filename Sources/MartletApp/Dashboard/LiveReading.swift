import DataLayer
import FlowControl
import GatewayCore
import RequestFormats
import Telemetry

/// What all traffic together has come to, at one moment: counts since the start, of which two moments give a rate.
struct TrafficReading: Sendable {
    /// When.
    var at = MonotonicInstant(nanoseconds: 0)
    /// The time of day, in seconds since 1970.
    var unixTime = 0.0
    /// Requests received.
    var requests: UInt64 = 0
    /// Requests that ended with an error.
    var errors: UInt64 = 0
    /// Requests at endpoints now.
    var inFlight = 0
    /// Requests that wait now.
    var waiting = 0
    /// Seconds to the first byte of the answer's body.
    var timeToFirstToken = HistogramTotals()
    /// Seconds between two pieces of a streamed answer.
    var interTokenLatency = HistogramTotals()
    /// Seconds from arrival to the end.
    var duration = HistogramTotals()
    /// Seconds of scheduling decisions.
    var decision = HistogramTotals()
    /// Prompt tokens.
    var promptTokens = 0.0
    /// Generated tokens.
    var outputTokens = 0.0
    /// Prompt tokens that came from a prefix cache.
    var cachedTokens = 0.0
    /// Processor time of this process in seconds; `nil` where nobody knows.
    var processorSeconds: Double?
}

/// One pool at one moment.
struct PoolReading: Sendable {
    /// The pool.
    var id: PoolID
    /// Its endpoints.
    var view: EndpointStoreView
    /// The requests at its endpoints.
    var openLeases: Int
    /// How full it is, 0 to 1; `nil` when nobody knows.
    var saturation: Double?
    /// What waits; `nil` where nothing does.
    var queue: FlowStatistics?
    /// The share of prompt tokens that came from the prefix cache of each endpoint lately, 0 to 1.
    var hits: [EndpointID: Double] = [:]
    /// Requests by `rewrite/target` since the start.
    var targets: [String: UInt64] = [:]
}

/// Whether the process serves, at one moment.
struct StandingReading: Sendable {
    /// Seconds since the start.
    var uptime = 0.0
    /// Whether it is shutting down.
    var isDraining = false
    /// Why it cannot serve; `nil` when it can.
    var obstacle: String?
    /// Ended requests by outcome, or by the reason of their refusal.
    var outcomes: [String: Int] = [:]
}

/// What the live feed asks the process. Safe from any thread.
protocol LiveSource: Sendable {
    /// Stands for the configuration: another object after each change; `nil` when there is none to change.
    var configuration: AnyObject? { get }
    /// How old metrics may be for their endpoint to count as fresh.
    var staleness: Duration { get }
    /// What all traffic has come to; asked once a second, whether anybody looks or not.
    func traffic() -> TrafficReading
    /// Whether the process serves.
    func standing(at now: MonotonicInstant) -> StandingReading
    /// The pools in the order of the configuration; asked only while somebody looks.
    func pools(at now: MonotonicInstant) -> [PoolReading]
    /// Writes the members of a `hello` that come from the configuration.
    func writeConfiguration(to writer: inout JSONWriter)
}
