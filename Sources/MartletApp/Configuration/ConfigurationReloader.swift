import GatewayCore
import Logging
import RequestControl
import Telemetry

/// Brings a changed configuration into effect, whole or not at all.
struct ConfigurationReloader: Sendable {
    /// Reads the configuration.
    let plan: @Sendable () throws -> GatewayPlan
    /// Binds what the plan says of listeners.
    let bind: @Sendable (GatewayPlan) async throws -> Void
    let assembly: GatewayAssembly
    let controller: RequestController
    let metrics: ApplicationMetrics
    let logger: Logger

    /// Reads the configuration and applies it. What is wrong with it is logged, and the last good state stays.
    func reload() async {
        do {
            let prepared = try assembly.prepare(try plan())
            for warning in prepared.warnings { logger.warning("\(warning)") }
            // Binding is the last step that can fail. Between it and the next one, a request on a new listener finds no
            // route.
            try await bind(prepared.plan)
            controller.replaceState(assembly.commit(prepared))
            metrics.reloaded(successfully: true)
            logger.info("configuration reloaded", metadata: ["pools": "\(prepared.plan.pools.count)"])
        } catch {
            metrics.reloaded(successfully: false)
            logger.error("the changed configuration is not used; the last good state stays:\n\(error)")
        }
    }
}
