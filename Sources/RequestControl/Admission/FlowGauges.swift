import FlowControl
import GatewayCore
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
        for pool in controller.state.pools {
            guard let flowControl = pool.flowControl else { continue }
            let name = pool.id.name
            if let stages = pool.rooms?.stages(at: controller.now()) {
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
    }

    private static func share(_ count: Int, of limit: Int?) -> Double {
        limit.map { Double(count) / Double(max(1, $0)) } ?? 0
    }
}
