import FoundationEssentials
import GatewayCore
import RequestFormats
import Telemetry

/// What the live feed of a body-based router asks. It has no endpoints, and sees requests only on their way up.
struct BodyRoutingLiveSource: LiveSource {
    let metrics: BodyRoutingMetrics
    let readiness: Readiness
    let clock: any MonotonicClock
    let startedAt: MonotonicInstant
    let startedAtUnixTime: Double

    var configuration: AnyObject? { nil }

    var staleness: Duration { .zero }

    func traffic() -> TrafficReading {
        var reading = TrafficReading(at: clock.now, unixTime: Date.now.timeIntervalSince1970)
        reading.errors = metrics.modelNotParsed.value
        reading.requests = metrics.success.value + reading.errors
        reading.processorSeconds = ProcessReading.cpuSeconds()
        return reading
    }

    func standing(at now: MonotonicInstant) -> StandingReading {
        StandingReading(
            uptime: now.seconds(since: startedAt),
            isDraining: readiness.isDraining,
            obstacle: readiness.obstacle
        )
    }

    func pools(at now: MonotonicInstant) -> [PoolReading] { [] }

    func writeConfiguration(to writer: inout JSONWriter) {
        writer.field("version", BuildInformation.version)
        writer.field("started_at", startedAtUnixTime)
        writer.field("interval_seconds", 1)
        writer.field("mode", "bbr")
        writer.field("actions", false)
        writer.field("playground", false)
        for name in ["listeners", "pools", "routes"] { writer.field(name, [String]()) }
    }
}
