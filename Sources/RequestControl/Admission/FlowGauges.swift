import DataLayer
import FlowControl
import GatewayCore
import Scheduling
import Telemetry

/// The gauges of flow control that are computed when the metrics page is read.
package struct FlowGauges: Sendable {
    private let controller: RequestController

    /// Makes the gauges of the controller's pools.
    package init(controller: RequestController) {
        self.controller = controller
    }

    /// Brings them up to date.
    package func refresh() {
        let metrics = controller.metrics.flowControl
        let now = controller.now()
        var stale: [String: Int] = [:]
        for pool in controller.state.pools {
            guard let flowControl = pool.flowControl else { continue }
            let name = pool.id.name
            if let detector = pool.scheduler.saturationDetector {
                stale[type(of: detector).descriptor.type, default: 0] += pool.endpoints.current.endpoints.count {
                    $0.isStale(for: detector, at: now)
                }
            }
            if let stages = pool.rooms?.stages(at: now) {
                if let prefill = stages.prefill { metrics.saturation.child(name, "prefill").set(prefill) }
                if let decode = stages.decode { metrics.saturation.child(name, "decode").set(decode) }
                metrics.saturation.child(name, "effective").set(stages.effective)
            }
            let statistics = flowControl.statistics()
            for band in statistics.bands {
                let priority = String(band.priority)
                metrics.requestUtilization.child(priority, name).set(Self.share(band.requests, of: band.maxRequests))
                metrics.byteUtilization.child(priority, name).set(Self.share(band.bytes, of: band.maxBytes))
            }
            let share = Self.share(statistics.requests, of: statistics.maxRequests)
            metrics.globalRequestUtilization.child(name).set(share)
            metrics.globalByteUtilization.child(name).set(Self.share(statistics.bytes, of: statistics.maxBytes))
        }
        // A reload may bring another detector.
        metrics.staleEndpoints.remove { stale[$0[0]] == nil }
        for (detector, count) in stale { metrics.staleEndpoints.child(detector).set(Double(count)) }
    }

    private static func share(_ count: Int, of limit: Int?) -> Double {
        limit.map { Double(count) / Double(max(1, $0)) } ?? 0
    }
}

extension EndpointSnapshot {
    /// Whether `detector` reads metrics and those of the endpoint are too old for it, or there are none.
    fileprivate func isStale(for detector: any SaturationDetector, at now: MonotonicInstant) -> Bool {
        guard let lifetime = detector.metricsLifetime else { return false }
        return metricsAge(at: now).map { $0 > lifetime } ?? true
    }
}
