package import KubernetesClient
package import Logging
import Synchronization

/// Writes to the objects of a pool whether its picker goes by them.
///
/// Only the condition `Accepted` is touched, by server-side apply under a field manager of its own, and only where it
/// is not as it should be: a cluster whose objects do not change is not written to. Safe from any thread.
package final class StatusWriter: Sendable {
    private struct Shared {
        var agenda = StatusAgenda()
        var isActive = false
        /// The resource types whose statuses may not be written, which was told.
        var refused: Set<APIResource> = []
    }

    /// Who the fields belong to, as `kubectl get --show-managed-fields` shows.
    private static let fieldManager = "martlet-epp"

    private let client: APIClient
    private let logger: Logger
    private let timestamp: @Sendable () -> String
    private let shared = Mutex(Shared())
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// Makes a writer that writes nothing before ``setActive(_:)``.
    ///
    /// - Parameter timestamp: the time of day in RFC 3339 text.
    package init(client: APIClient, logger: Logger, timestamp: @escaping @Sendable () -> String) {
        self.client = client
        self.logger = logger
        self.timestamp = timestamp
        (wakeUps, wakeUp) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// From here on objects should have these statuses.
    package func setDesired(_ statuses: [DesiredStatus]) {
        shared.withLock { $0.agenda.setDesired(statuses) }
        wakeUp.yield()
    }

    /// Whether this process is the one that writes. Of several replicas only the leader does.
    package func setActive(_ isActive: Bool) {
        shared.withLock { $0.isActive = isActive }
        if isActive { wakeUp.yield() }
    }

    /// Writes until the task is cancelled.
    package func run() async {
        let clock = ContinuousClock()
        let start = clock.now
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in self.wakeUps { await self.write { start.duration(to: clock.now) } }
            }
            group.addTask {
                while (try? await clock.sleep(for: StatusAgenda.pause)) != nil {
                    if self.shared.withLock({ $0.agenda.hasUnwritten }) { self.wakeUp.yield() }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func write(_ now: () -> Duration) async {
        let due = shared.withLock { $0.isActive ? $0.agenda.takeDue(at: now()) : [] }
        for status in due {
            do throws(APIError) {
                try await client.apply(
                    status.resource,
                    status.name,
                    subresource: "status",
                    body: StatusBody(status, timestamp: timestamp()),
                    fieldManager: Self.fieldManager,
                    force: true
                )
                _ = shared.withLock { $0.refused.remove(status.resource) }
            } catch {
                report(error, status)
            }
            if Task.isCancelled { return }
        }
    }

    private func report(_ error: APIError, _ status: DesiredStatus) {
        switch error {
        case .notFound, .conflict:
            // The object is gone or another one took its name; the watch tells of it.
            logger.debug("\(status.resource.kind) \(status.name) has no status to write any more: \(error)")
        default:
            guard shared.withLock({ $0.refused.insert(status.resource).inserted }) else { return }
            logger.warning(
                "The status of \(status.resource.kind) \(status.name) cannot be written; it is tried again: \(error)"
            )
        }
    }
}

/// The part of an object that is applied.
private struct StatusBody: Encodable, Sendable {
    struct Metadata: Encodable {
        let name: String
        let namespace: String
        /// An object that was made anew under the name is left alone.
        let uid: String?
    }

    struct Status: Encodable {
        let conditions: [ClusterObject.Condition]
    }

    let apiVersion: String
    let kind: String
    let metadata: Metadata
    let status: Status

    init(_ status: DesiredStatus, timestamp: String) {
        apiVersion = status.resource.apiVersion
        kind = status.resource.kind
        metadata = Metadata(
            name: status.name.name,
            namespace: status.name.namespace,
            uid: status.uid.isEmpty ? nil : status.uid
        )
        var condition = status.condition
        condition.lastTransitionTime = condition.lastTransitionTime ?? timestamp
        self.status = Status(conditions: [condition])
    }
}
