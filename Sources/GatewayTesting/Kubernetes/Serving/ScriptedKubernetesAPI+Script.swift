import FoundationEssentials
import NIOCore
import NIOPosix
import Synchronization

/// What a test does to a server.
extension ScriptedKubernetesAPI {
    // MARK: - Objects

    /// Writes an object, whether there was one or not: spec and status together, and unchecked: it may be wrong.
    ///
    /// It needs `apiVersion` and `kind` of a type that is served, and `metadata.name`; the namespace is `default` if
    /// there is none.
    ///
    /// - Returns: the object as it is now.
    /// - Throws: a sentence, when the object has no name or no type.
    @discardableResult
    package func apply(_ object: ScriptedJSON) throws(ScriptedAPIFailure) -> ScriptedJSON {
        try change { state, writer throws(ScriptedAPIFailure) in
            let stored = try state.put(object, writer)
            guard let (type, version) = state.type(of: object) else { return stored.value }
            return stored.value(as: type, version)
        }
    }

    /// Writes an object from its JSON text; see ``apply(_:)-(ScriptedJSON)``.
    @discardableResult
    package func apply(json: String) throws -> ScriptedJSON { try apply(ScriptedJSON(json)) }

    /// Removes an object at once, whatever its grace period and its finalizers.
    ///
    /// - Throws: a sentence, when there is no such type or object.
    package func remove(
        _ resource: String,
        group: String = "",
        namespace: String? = "default",
        name: String
    ) throws(ScriptedAPIFailure) {
        try change { state, _ throws(ScriptedAPIFailure) in
            let target = try Self.target(resource, group, namespace, name, in: state)
            guard state.remove(target.type, target.key) != nil else { throw .notFound(target.type.name, name) }
        }
    }

    /// Deletes an object as a client would: a pod on a node is marked, and stays until
    /// ``finishDeletion(_:group:namespace:name:)``.
    ///
    /// - Throws: a sentence, when there is no such type or object.
    package func delete(
        _ resource: String,
        group: String = "",
        namespace: String? = "default",
        name: String
    ) throws(ScriptedAPIFailure) {
        let (target, outcome) = try change { state, writer throws(ScriptedAPIFailure) in
            let target = try Self.target(resource, group, namespace, name, in: state)
            return (target, try state.delete(target, [:], writer))
        }
        if case .terminating(let object) = outcome { vanishLater(target, object) }
    }

    /// Lets an object vanish that was marked for deletion.
    ///
    /// - Throws: a sentence, when there is no such type, or no such object that is marked.
    package func finishDeletion(
        _ resource: String = "pods",
        group: String = "",
        namespace: String? = "default",
        name: String
    ) throws(ScriptedAPIFailure) {
        try change { state, _ throws(ScriptedAPIFailure) in
            let target = try Self.target(resource, group, namespace, name, in: state)
            guard state.finishDeletion(target) != nil else { throw .notFound(target.type.name, name) }
        }
    }

    /// An object as the type's preferred version has it; `nil` when there is none.
    package func object(
        _ resource: String,
        group: String = "",
        namespace: String? = "default",
        name: String
    ) -> ScriptedJSON? {
        let state = guarded.withLock { $0.state }
        guard let target = try? Self.target(resource, group, namespace, name, in: state) else { return nil }
        return (try? state.get(target))?.value(as: target.type, target.version)
    }

    /// All objects of a type, in the order of their names.
    package func objects(_ resource: String, group: String = "") -> [ScriptedJSON] {
        let state = guarded.withLock { $0.state }
        guard let type = state.type(GroupResource(group: group, plural: resource)) else { return [] }
        return state.store.objects(type.name).sorted { $0.key < $1.key }.map {
            $0.value.value(as: type, type.versions.first ?? "v1")
        }
    }

    private static func target(
        _ resource: String,
        _ group: String,
        _ namespace: String?,
        _ name: String,
        in state: ClusterState
    ) throws(ScriptedAPIFailure) -> ResourceTarget {
        guard let type = state.type(GroupResource(group: group, plural: resource)) else { throw .unknownPath }
        return ResourceTarget(
            type: type, version: type.versions.first ?? "v1", namespace: type.isNamespaced ? namespace : nil,
            name: name, subresource: nil
        )
    }

    /// Removes a marked pod when its time has come, if the settings say so.
    func vanishLater(_ target: ResourceTarget, _ object: StoredObject) {
        guard target.type.plural == "pods", let delay = settings.podsVanishAfter else { return }
        let uid = object.metadata["uid"]
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .nanoseconds(Int64(delay / .nanoseconds(1)))) {
            [weak self] in
            try? self?.change { state, _ throws(ScriptedAPIFailure) in
                // Another pod of the same name may be there by now.
                guard state.store.object(target.type.name, target.key)?.metadata["uid"] == uid else { return }
                _ = state.finishDeletion(target)
            }
        }
    }

    // MARK: - Types and versions

    /// Serves a type from now on, or serves it otherwise.
    package func register(_ type: ScriptedResourceType) {
        try? change { state, _ in state.register(type) }
    }

    /// Removes a type with its objects: its paths answer 404 in plain text, and its watches end.
    package func unregister(_ resource: String, group: String) {
        try? change { state, _ in state.unregister(GroupResource(group: group, plural: resource)) }
    }

    /// The version of the latest change.
    package var version: Int64 { guarded.withLock { $0.state.store.version } }

    /// Counts versions on, as writes to other types would.
    package func advanceVersion(by count: Int64) {
        guarded.withLock { $0.state.store.advance(by: count) }
    }

    /// Forgets the history: lists and watches from an earlier version fail with 410 from now on.
    package func compact() {
        guarded.withLock { $0.state.store.compact() }
    }

    /// Keeps the present state under a name, for ``restart(losingHistory:restoring:)``.
    package func takeSnapshot(_ name: String = "snapshot") {
        guarded.withLock { $0.snapshots[name] = $0.state }
    }

    /// Resets all connections and listens again on the same port.
    ///
    /// - Parameters:
    ///   - losingHistory: whether earlier versions are compacted.
    ///   - restoring: the snapshot whose state is there afterwards, as if etcd had been restored: versions repeat.
    ///   - raise: by how much the version is raised after that, with all before it compacted, so that no version
    ///     repeats: as by `--bump-revision` and `--mark-compacted` of `etcdutl`.
    package func restart(
        losingHistory: Bool = false,
        restoring snapshot: String? = nil,
        raisingVersionBy raise: Int64 = 0
    ) async throws {
        try await restart(
            losingHistory: losingHistory, restoring: snapshot, raisingVersionBy: raise, downFor: .zero, sparing: nil
        ).get()
    }

    func restart(
        losingHistory: Bool,
        restoring snapshot: String?,
        raisingVersionBy raise: Int64 = 0,
        downFor: Duration,
        sparing spared: APIConnection?
    ) -> EventLoopFuture<Void> {
        endListening(sparing: spared).flatMap {
            self.guarded.withLock { guarded in
                if losingHistory { guarded.state.store.compact() }
                if let snapshot, let earlier = guarded.snapshots[snapshot] { guarded.state.restore(earlier) }
                if raise > 0 {
                    guarded.state.store.advance(by: raise)
                    guarded.state.store.compact()
                }
            }
            let pause = TimeAmount.nanoseconds(Int64(downFor / .nanoseconds(1)))
            return MultiThreadedEventLoopGroup.singleton.any().flatScheduleTask(in: pause) {
                self.startListening()
            }.futureResult
        }
    }

    // MARK: - Access

    /// Accepts a bearer token, or accepts it as somebody else. With the first token the server no longer accepts
    /// everybody.
    package func setToken(_ token: String, _ user: ScriptedAPIUser) {
        guarded.withLock { $0.access.users[token] = user }
    }

    /// Accepts a bearer token no longer. Watches that are open go on, as on a real server.
    package func expireToken(_ token: String) {
        guarded.withLock { _ = $0.access.users.removeValue(forKey: token) }
    }

    /// Who comes with a client certificate.
    package func setCertificateUser(_ user: ScriptedAPIUser?) {
        guarded.withLock { $0.access.certificateUser = user }
    }

    // MARK: - Faults

    /// Changes the settings.
    package func configure(_ change: (inout Settings) -> Void) {
        guarded.withLock { change(&$0.settings) }
    }

    /// Lets something go wrong with requests from now on.
    package func inject(_ fault: ScriptedFault) {
        guarded.withLock { $0.faults.add(fault, now: .now) }
    }

    /// Nothing goes wrong with requests from now on.
    package func clearFaults() {
        guarded.withLock { $0.faults.removeAll() }
    }

    /// Does something to the watches of a type that are open; to all for `nil`.
    ///
    /// - Returns: how many there were.
    @discardableResult
    package func disturb(_ resource: String?, _ disturbance: WatchDisturbance) -> Int {
        guarded.withLock { guarded in
            let watches = guarded.watches.values.filter { resource == nil || $0.type.plural == resource }
            for watch in watches { watch.run { $0.disturb($1, disturbance) } }
            return watches.count
        }
    }
}
