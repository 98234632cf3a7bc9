package import GatewayConfiguration
package import GatewayCore
package import KubernetesClient
package import Logging
import Synchronization

/// What is to be done after something changed in the cluster.
package struct ClusterSnapshot: Sendable {
    /// Whether the pool is there and its pods were listed.
    package let isLive: Bool
    /// Whether everything that the pool's requests depend on is known, or known to be out of reach.
    package let isSettled: Bool
    /// What the pool's endpoints speak; `nil` when nothing says it.
    package let appProtocol: String?
    /// The ports of the pool's pods.
    package let targetPorts: [Int]
    /// What belongs to the pool; `nil` when it did not change.
    package let configuration: ConfigurationSet?
    /// The endpoints; `nil` when they did not change.
    package let endpoints: [EndpointDescription]?
    /// The statuses that objects should have; `nil` when neither they nor the objects changed.
    package let statuses: [DesiredStatus]?
}

/// Follows a pool and everything that belongs to it in a cluster.
///
/// Reflectors feed a ``ClusterState``; whoever acts on it waits for ``changes`` and takes what gathered meanwhile as
/// one ``ClusterSnapshot``. So however fast pods come and go, there is at most one thing to do at a time, and it is
/// about the newest state. Safe from any thread.
package final class ClusterWatch: Sendable {
    /// Something that was learned of the objects of a resource type, for metrics.
    package enum Observation: Sendable {
        /// All objects were listed.
        case listed
        /// One object came, changed or went.
        case event
        /// One object cannot be used.
        case malformed
        /// Nothing can be learned for now.
        case waiting
        /// What changes is learned again, without a list.
        case resumed
    }

    private struct Shared {
        var state: ClusterState
        var pending: ClusterState.Changes = []
        /// What was told already of objects that are wrong.
        private var told: Set<ClusterNote> = []

        init(state: ClusterState) {
            self.state = state
        }

        /// The notes that were not told before. A list of everything tells of the same wrong objects again.
        mutating func untold(_ notes: [ClusterNote]) -> [ClusterNote] {
            notes.filter { note in
                guard note.level >= .error else { return true }
                if told.count >= ClusterWatch.toldMax { told = [] }
                return told.insert(note).inserted
            }
        }
    }

    /// How many notes about wrong objects are remembered, so that none is told twice.
    private static let toldMax = 1_000

    private let client: APIClient
    private let configuration: ReflectorConfiguration
    private let logger: Logger
    private let observe: @Sendable (APIResource, Observation) -> Void
    private let shared: Mutex<Shared>
    private let changed: AsyncStream<Void>.Continuation
    private let podQueries: AsyncStream<Void>
    private let podQueryChanged: AsyncStream<Void>.Continuation

    /// An element whenever something changed since the last one was taken. For one reader.
    package let changes: AsyncStream<Void>

    /// Follows the pool of `scope` once ``run()`` is called.
    ///
    /// - Parameters:
    ///   - client: asks the cluster.
    ///   - configuration: how it is asked.
    ///   - logger: is told what people should know.
    ///   - observe: is told what was learned, on the reflectors' tasks.
    package init(
        _ scope: PoolScope,
        client: APIClient,
        configuration: ReflectorConfiguration = ReflectorConfiguration(),
        logger: Logger,
        observe: @escaping @Sendable (APIResource, Observation) -> Void = { _, _ in }
    ) {
        self.client = client
        self.configuration = configuration
        self.logger = logger
        self.observe = observe
        shared = Mutex(Shared(state: ClusterState(scope)))
        (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        (podQueries, podQueryChanged) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        podQueryChanged.yield()
    }

    /// Which pool it is about.
    package var scope: PoolScope { shared.withLock { $0.state.scope } }

    /// Lets the next snapshot have `changes` again, for somebody who did without them before.
    package func renew(_ changes: ClusterState.Changes) {
        shared.withLock { $0.pending.formUnion(changes) }
        changed.yield()
    }

    /// Follows until the task is cancelled.
    package func run() async {
        let (resources, importQuery) = shared.withLock { ($0.state.resources, $0.state.importQuery) }
        await withDiscardingTaskGroup { group in
            for resource in resources {
                let query = shared.withLock { $0.state.query(for: resource) }
                group.addTask { await self.follow(query) { $0.apply($1, of: resource) } }
            }
            if let importQuery {
                group.addTask {
                    await self.follow(importQuery) { (state, event: ReflectorEvent<PoolImport>) in
                        ([], state.apply(event))
                    }
                }
            }
            group.addTask { await self.followPods() }
        }
    }

    /// What there is to do now; what changed counts from here on as done.
    package func take() -> ClusterSnapshot {
        shared.withLock { shared in
            let changes = shared.pending
            shared.pending = []
            let state = shared.state
            return ClusterSnapshot(
                isLive: state.isLive,
                isSettled: state.isSettled,
                appProtocol: state.appProtocol,
                targetPorts: state.targetPorts,
                configuration: changes.contains(.resources) ? state.configuration : nil,
                endpoints: changes.contains(.endpoints) ? state.endpoints : nil,
                statuses: changes.contains(.statuses) ? state.statuses : nil
            )
        }
    }

    private func follow<Object: KubernetesObject>(
        _ query: ResourceQuery,
        _ apply:
            @escaping @Sendable (inout ClusterState, ReflectorEvent<Object>) -> (
                changes: ClusterState.Changes, notes: [ClusterNote]
            )
    ) async {
        await Reflector<Object>(client: client, query: query, configuration: configuration, logger: logger) { event in
            self.observe(query.resource, Observation(event))
            self.take(event, apply)
        }.run()
    }

    /// Follows the pods that the pool selects, whichever these are now.
    private func followPods() async {
        await withDiscardingTaskGroup { group in
            var present: ClusterState.PodQuery?
            var end: AsyncStream<Never>.Continuation?
            for await _ in podQueries {
                let next = shared.withLock { $0.state.podQuery }
                guard next != present else { continue }
                present = next
                end?.finish()
                end = nil
                guard let next else { continue }
                let (ended, stop) = AsyncStream.makeStream(of: Never.self, bufferingPolicy: .bufferingNewest(1))
                end = stop
                group.addTask { await self.followPods(next, until: ended) }
            }
        }
    }

    private func followPods(_ pods: ClusterState.PodQuery, until ended: AsyncStream<Never>) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.follow(pods.query) { $0.apply($1, generation: pods.generation) }
            }
            group.addTask { for await _ in ended {} }
            await group.next()
            group.cancelAll()
        }
    }

    private func take<Object: KubernetesObject>(
        _ event: ReflectorEvent<Object>,
        _ apply: (inout ClusterState, ReflectorEvent<Object>) -> (
            changes: ClusterState.Changes, notes: [ClusterNote]
        )
    ) {
        let (changes, notes, hasOtherPods) = shared.withLock { shared in
            let podQuery = shared.state.podQuery
            let result = apply(&shared.state, event)
            shared.pending.formUnion(result.changes)
            return (result.changes, shared.untold(result.notes), shared.state.podQuery != podQuery)
        }
        for note in notes { logger.log(level: note.level, "\(note.text)") }
        if hasOtherPods { podQueryChanged.yield() }
        if !changes.isEmpty { changed.yield() }
    }
}

extension ClusterWatch.Observation {
    fileprivate init<Object>(_ event: ReflectorEvent<Object>) {
        switch event {
        case .replaced: self = .listed
        case .changed, .removed: self = .event
        case .malformed: self = .malformed
        case .waiting: self = .waiting
        case .resumed: self = .resumed
        }
    }
}
