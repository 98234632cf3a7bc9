package import GatewayConfiguration
package import GatewayCore
package import KubernetesClient
import Logging

/// What is known of a pool and of everything that belongs to it in a cluster. A pure state: events go in, what follows
/// from them is read.
package struct ClusterState: Sendable {
    /// What changed.
    package struct Changes: OptionSet, Hashable, Sendable {
        package let rawValue: Int

        package init(rawValue: Int) {
            self.rawValue = rawValue
        }

        /// The pool, its objectives, rewrites or models.
        package static let resources = Changes(rawValue: 1)
        /// The endpoints.
        package static let endpoints = Changes(rawValue: 2)
        /// What the statuses of objects say, or should.
        package static let statuses = Changes(rawValue: 4)
    }

    /// The pods to follow.
    package struct PodQuery: Hashable, Sendable {
        /// Which pods.
        package let query: ResourceQuery
        /// Counts the queries: what a reflector of an earlier one still tells is not listened to.
        package let generation: Int
    }

    /// Which pool it is about.
    package let scope: PoolScope
    /// The resource types that are followed, beside pods.
    package let resources: [APIResource]
    /// The pods to follow now; `nil` while there is no pool.
    package private(set) var podQuery: PodQuery?
    private var shelves: [APIResource: ResourceShelf] = [:]
    private var pods: PodShelf
    private var podGeneration = 0
    /// The generation whose pods have been listed.
    private var listedGeneration: Int?
    /// The resource types of which it is known what there is, or that nothing can be learned.
    private var settled: Set<APIResource> = []
    /// The other clusters that export the pool.
    package private(set) var exportingClusters: [String] = []

    /// Knows nothing yet.
    package init(_ scope: PoolScope) {
        self.scope = scope
        switch scope.definition {
        case .selector(let labels, let ports):
            resources = []
            pods = PodShelf(ports: ports)
            followPods(labels)
        case .resource(let group):
            pods = PodShelf()
            resources =
                (ClusterResources.pools(group: group).map { [$0] } ?? []) + ClusterResources.objectives
                + ClusterResources.rewrites + [ClusterResources.models]
        }
        for resource in resources { shelves[resource] = ResourceShelf(resource) }
    }

    /// The query for the objects of one of ``resources``.
    package func query(for resource: APIResource) -> ResourceQuery {
        var query = ResourceQuery(resource, namespace: scope.pool.namespace)
        if isPool(resource) { query.fieldSelector = "metadata.name=\(scope.pool.name)" }
        return query
    }

    /// The query for the pool's import; `nil` when the pool is no resource.
    package var importQuery: ResourceQuery? {
        guard case .resource = scope.definition else { return nil }
        var query = ResourceQuery(ClusterResources.poolImports, namespace: scope.pool.namespace)
        query.fieldSelector = "metadata.name=\(scope.pool.name)"
        return query
    }

    // MARK: - Events

    /// Takes what the reflector of one of ``resources`` tells.
    package mutating func apply(
        _ event: ReflectorEvent<ClusterObject>,
        of resource: APIResource
    ) -> (changes: Changes, notes: [ClusterNote]) {
        guard var shelf = shelves.removeValue(forKey: resource) else { return ([], []) }
        let taken = shelf.apply(event)
        shelves[resource] = shelf
        if event.settles { settled.insert(resource) }
        var changes: Changes = taken.isChanged ? [.resources, .statuses] : .statuses
        if taken.isChanged, isPool(resource) { changes.formUnion(poolChanged()) }
        return (changes, taken.notes)
    }

    /// Takes what the reflector of the pool's import tells. A picker serves whoever asks it, so an import changes
    /// nothing here; who exports the pool is told, because it explains where else its requests go.
    package mutating func apply(_ event: ReflectorEvent<PoolImport>) -> [ClusterNote] {
        let clusters: [String]
        switch event {
        case .replaced(let imports): clusters = imports.first?.exportingClusters ?? []
        case .changed(let present): clusters = present.exportingClusters
        case .removed: clusters = []
        case .malformed(let malformed): return [.unreadable(malformed, ClusterResources.poolImports)]
        // Most clusters do not have the type, and nothing waits for it.
        case .waiting(.notFound): return []
        case .waiting(let error): return [.waiting(ClusterResources.poolImports, error)]
        case .resumed: return []
        }
        guard clusters != exportingClusters else { return [] }
        exportingClusters = clusters
        let text =
            clusters.isEmpty
            ? "No other cluster exports the pool \(scope.pool) any more."
            : "The pool \(scope.pool) is exported by other clusters as well: \(clusters.joined(separator: ", "))."
        return [ClusterNote(level: .notice, text: text)]
    }

    /// Takes what the reflector of the pods tells that was started for the query of `generation`.
    package mutating func apply(_ event: ReflectorEvent<Pod>, generation: Int) -> (
        changes: Changes, notes: [ClusterNote]
    ) {
        guard generation == podGeneration, podQuery != nil else { return ([], []) }
        var changes: Changes = pods.apply(event) ? .endpoints : []
        switch event {
        case .replaced:
            if listedGeneration != generation { changes.insert(.endpoints) }
            listedGeneration = generation
            return (changes, [])
        case .malformed(let malformed): return (changes, [.unreadable(malformed, ClusterResources.pods)])
        case .waiting(let error): return (changes, [.waiting(ClusterResources.pods, error)])
        case .changed, .removed, .resumed: return (changes, [])
        }
    }

    private mutating func poolChanged() -> Changes {
        guard let pool else {
            podQuery = nil
            listedGeneration = nil
            return pods.removeAll() ? .endpoints : []
        }
        followPods(pool.selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ","))
        return pods.setPorts(pool.targetPorts) ? .endpoints : []
    }

    /// Follows the pods with `labels`; those that are known stay until the others are listed.
    private mutating func followPods(_ labels: String) {
        var query = ResourceQuery(ClusterResources.pods, namespace: scope.pool.namespace)
        query.labelSelector = labels
        guard podQuery?.query != query else { return }
        podGeneration += 1
        podQuery = PodQuery(query: query, generation: podGeneration)
    }

    // MARK: - What follows

    /// What the pool's endpoints speak; `nil` when its resource does not say it, as those of old versions.
    package var appProtocol: String? {
        guard pool != nil, let type = resources.first(where: isPool),
            case .string(let text)? = entries(of: type).first?.object.fields["spec"]?["appProtocol"]?.content
        else { return nil }
        return text
    }

    /// The pool as its resource says; `nil` while there is none, or when no resource says it.
    package var pool: InferencePoolResource? {
        resources.first(where: isPool).flatMap { entries(of: $0).first?.set?.pools.first }
    }

    /// Whether the pool is there and its pods were listed once.
    package var isLive: Bool { podQuery != nil && listedGeneration != nil }

    /// Whether everything that the pool's requests depend on is known, or known to be out of reach.
    package var isSettled: Bool { isLive && resources.allSatisfy(settled.contains) }

    /// The endpoints.
    package var endpoints: [EndpointDescription] { pods.endpoints }

    /// The ports of the pool's pods.
    package var targetPorts: [Int] {
        if case .selector(_, let ports) = scope.definition { return ports }
        return pool?.targetPorts ?? []
    }

    /// Everything that belongs to the pool, the objects of each type in the order of their names.
    package var configuration: ConfigurationSet {
        let objectives = sets(ClusterResources.objectives) { $0.objectives.first?.pool }
        let rewrites = sets(ClusterResources.rewrites) { $0.rewrites.first?.pool }
        let models = sets([ClusterResources.models]) { $0.models.first?.pool }
        return ConfigurationSet(merging: objectives + rewrites + models)
    }

    /// The objects of `type` in the order of their names.
    func entries(of type: APIResource) -> [ResourceShelf.Entry] {
        guard let shelf = shelves[type] else { return [] }
        return shelf.names.compactMap { shelf.entries[$0] }
    }

    /// What the objects of `types` say whose reference names the pool. Of two with one name the type that comes first
    /// counts.
    private func sets(
        _ types: [APIResource],
        reference: (ConfigurationSet) -> ResourceReference?
    ) -> [ConfigurationSet] {
        var seen: Set<ObjectName> = []
        return types.flatMap { type in
            entries(of: type).compactMap { entry in
                guard let set = entry.set, let pool = reference(set), owns(pool, type),
                    seen.insert(entry.object.metadata.id).inserted
                else { return nil }
                return set
            }
        }
    }

    /// Whether a reference to a pool means this one. InferenceModels come from a time when pools had another group, so
    /// of them any group is taken.
    private func owns(_ reference: ResourceReference, _ resource: APIResource) -> Bool {
        guard reference.target == scope.pool, case .resource(let group) = scope.definition else { return false }
        return resource == ClusterResources.models || reference.group == group
    }

    private func isPool(_ resource: APIResource) -> Bool { resource.plural == "inferencepools" }
}
