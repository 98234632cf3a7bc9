import GatewayConfiguration
import GatewayCore
import KubernetesClient
import KubernetesDiscovery
import Logging
import RequestFormats
import ServiceLifecycle
import Synchronization
import Telemetry

/// Keeps a pool as the cluster has it, and tells the cluster what of it is in effect.
///
/// One task brings everything into effect, one change after the other: pods by the short way, which touches nothing but
/// the endpoints, and everything else as a reload does.
final class ClusterPool: Service {
    /// What the cluster told last.
    private struct Known {
        var endpoints: [EndpointDescription] = []
        var targetPorts: [Int] = []
        var configuration = ConfigurationSet(merging: [])
    }

    private let pool: PoolID
    private let picker: EndpointPickerConfiguration
    private let watch: ClusterWatch
    private let writer: StatusWriter
    private let parts: GatewayParts
    private let known = Mutex(Known())

    init(
        _ scope: PoolScope,
        picker: EndpointPickerConfiguration,
        client: APIClient,
        parts: GatewayParts,
        logger: Logger
    ) throws {
        pool = PoolID(scope.pool)
        self.picker = picker
        self.parts = parts
        let metrics = try ClusterMetrics(registry: parts.registry)
        watch = ClusterWatch(scope, client: client, logger: logger) { resource, observation in
            metrics.note(observation, of: resource)
        }
        writer = StatusWriter(client: client, logger: logger, timestamp: Timestamp.now)
        writer.setActive(!parts.readiness.isElected)
        parts.readiness.setAbsence(Self.absence(scope))
    }

    /// Whether this process leads: the leader writes statuses, and followers may be told to do without endpoints.
    func setLeading(_ isLeading: Bool) {
        parts.readiness.setLeading(isLeading)
        writer.setActive(isLeading)
        if !picker.populatesFollowers { watch.renew(.endpoints) }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.watch.run() }
                group.addTask { await self.writer.run() }
                for await _ in self.watch.changes { await self.apply(self.watch.take()) }
                group.cancelAll()
            }
        }
    }

    private func apply(_ snapshot: ClusterSnapshot) async {
        let known = known.withLock { known in
            known.endpoints = snapshot.endpoints ?? known.endpoints
            known.configuration = snapshot.configuration ?? known.configuration
            known.targetPorts = snapshot.targetPorts
            return known
        }
        let hasEndpoints = picker.populatesFollowers || parts.readiness.hasTraffic
        let endpoints = hasEndpoints ? known.endpoints : []
        if snapshot.configuration != nil {
            let plan = GatewayPlan(
                pool: pool,
                picker: picker,
                endpoints: endpoints,
                targetPorts: known.targetPorts,
                configuration: known.configuration
            )
            await parts.reloader { plan }.reload()
        } else if snapshot.endpoints != nil {
            parts.assembly.replaceEndpoints(of: pool, with: endpoints)
        }
        parts.readiness.setAbsence(snapshot.isLive ? nil : Self.absence(watch.scope))
        parts.readiness.setFault(snapshot.appProtocol.flatMap { Self.fault(of: picker, appProtocol: $0) })
        if snapshot.isSettled { parts.readiness.poolsAreFilled() }
        if let statuses = snapshot.statuses { writer.setDesired(statuses) }
    }

    private static func absence(_ scope: PoolScope) -> String {
        switch scope.definition {
        case .resource(let group): "there is no InferencePool \(scope.pool) of \(group), or its pods are not listed yet"
        case .selector(let labels, _): "the pods of \(scope.pool.namespace) with \(labels) are not listed yet"
        }
    }

    /// Which parser cannot read what the pool's endpoints speak; `nil` when all can.
    private static func fault(of picker: EndpointPickerConfiguration, appProtocol: String) -> String? {
        guard appProtocol == InferencePoolResource.ApplicationProtocol.http.rawValue else { return nil }
        return RequestParserSet(picker).kinds.first { !$0.readsHTTP1 }.map { parser in
            "\(parser.rawValue) reads gRPC only, and the appProtocol of the pool is \(appProtocol)"
        }
    }
}
