import GatewayCore
import KubernetesClient
import KubernetesDiscovery
import Logging
import ServiceLifecycle

/// Follows the ConfigMaps of a cluster that say the base models of adapters.
struct ModelMaps: Service {
    private let watch: ModelMapWatch

    /// Makes the service; the process is ready once the maps are known, or may not be read.
    ///
    /// - Parameter namespace: the namespace whose maps count; `nil` for all.
    init(
        namespace: String?,
        client: APIClient,
        readiness: Readiness,
        logger: Logger,
        onChange: @escaping @Sendable (ModelMapping) -> Void
    ) {
        watch = ModelMapWatch(
            namespace: namespace,
            client: client,
            logger: logger,
            onChange: onChange,
            onSettled: { readiness.poolsAreFilled() }
        )
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await watch.run() }
    }
}
