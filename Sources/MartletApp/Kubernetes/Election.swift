import GatewayConfiguration
import KubernetesClient
import KubernetesDiscovery
import Logging
import ServiceLifecycle
import Telemetry

/// Takes part in the choice of the one replica of an endpoint picker that is ready.
///
/// It is the first service to be shut down, so that the lease is free, and the next replica ready, while this one still
/// ends what it began.
struct Election: Service {
    private let election: LeaderElection
    private let readiness: Readiness

    /// Makes a participant.
    ///
    /// - Parameters:
    ///   - scope: the pool; there is one lease for each, with the name that the endpoint picker of llm-d uses, so that
    ///     replicas of both never lead at once.
    ///   - identity: what this replica is called; no other may be called so.
    ///   - readiness: is told that the process drains before it gives its place up.
    ///   - onChange: is told whether this replica leads, one call after the other.
    init(
        _ scope: PoolScope,
        identity: String,
        client: APIClient,
        readiness: Readiness,
        metrics: ElectionMetrics,
        logger: Logger,
        onChange: @escaping @Sendable (_ isLeading: Bool) -> Void
    ) {
        self.readiness = readiness
        let pool = scope.pool
        election = LeaderElection(
            client: client,
            lease: ObjectName(namespace: pool.namespace, name: "epp-\(pool.namespace)-\(pool.name).llm-d.ai"),
            identity: identity,
            logger: logger
        ) { standing in
            switch standing {
            case .leading: logger.notice("this replica leads")
            case .following(let leader): logger.notice("this replica follows", metadata: ["leader": "\(leader ?? "")"])
            case .waiting(let error): logger.warning("the lease of the replicas cannot be read or written: \(error)")
            }
            metrics.isLeader.set(standing == .leading ? 1 : 0)
            onChange(standing == .leading)
        }
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown { await election.run() }
        } onGracefulShutdown: {
            readiness.beginDraining()
        }
    }
}
