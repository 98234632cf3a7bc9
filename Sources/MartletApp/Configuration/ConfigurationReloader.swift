import GatewayConfiguration
import GatewayCore
import Logging
import RequestControl
import Telemetry

/// Brings a changed configuration into effect, whole or not at all.
struct ConfigurationReloader: Sendable {
    let path: String
    let options: ServeOptions
    let assembly: GatewayAssembly
    let controller: RequestController
    let listeners: ListenerSet
    let metrics: ApplicationMetrics
    let logger: Logger

    /// Reads the configuration and applies it. What is wrong with it is logged, and the last good state stays.
    func reload() async {
        do {
            let plan = try GatewayPlan(try ConfigurationSet.load(path: path), options: options)
            for warning in plan.warnings { logger.warning("\(warning)") }
            // New listeners first: they can fail. Until the state is replaced they have no routes and answer 404, for the
            // few microseconds between the two steps.
            try await listeners.apply(plan.listeners)
            controller.replaceState(try assembly.apply(plan))
            metrics.reloaded(successfully: true)
            logger.info("configuration reloaded", metadata: ["path": "\(path)", "pools": "\(plan.pools.count)"])
        } catch {
            metrics.reloaded(successfully: false)
            logger.error("the changed configuration is not used; the last good state stays:\n\(error)")
        }
    }
}
