import FoundationEssentials
import KubernetesClient
import KubernetesDiscovery
import Logging
import ServiceLifecycle
import Telemetry

/// What `martlet epp` runs beside its ports when its pool is one of a cluster.
struct ClusterServices {
    /// Keeps the pool as the cluster has it; it is needed until the last request has ended.
    let pool: ClusterPool
    /// Takes part in the choice of the ready replica; `nil` where all are ready.
    let election: Election?

    /// Makes them; nothing is asked of the cluster before they run.
    init(
        _ scope: PoolScope,
        _ options: EppOptions,
        plan: EppPlan,
        client: APIClient,
        parts: GatewayParts,
        logger: Logger
    ) throws {
        if options.electsLeader { parts.readiness.setLeading(false) }
        let pool = try ClusterPool(scope, picker: plan.picker, client: client, parts: parts, logger: logger)
        self.pool = pool
        guard options.electsLeader else {
            election = nil
            return
        }
        let host = options.podName.isEmpty ? ProcessInfo.processInfo.hostName : options.podName
        election = Election(
            scope,
            // A pod that is restarted keeps its name, and must not take itself for the process before it.
            identity: "\(host)_\(UUID())",
            client: client,
            readiness: parts.readiness,
            metrics: try ElectionMetrics(registry: parts.registry),
            logger: logger,
            onChange: pool.setLeading
        )
    }
}
