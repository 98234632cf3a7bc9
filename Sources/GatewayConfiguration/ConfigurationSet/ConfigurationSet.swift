package import GatewayCore

/// Everything that a configuration says, read and checked: the resources of one file or folder.
package struct ConfigurationSet: Sendable {
    /// The gateways.
    package internal(set) var gateways: [GatewayResource] = []
    /// The routes.
    package internal(set) var routes: [HTTPRouteResource] = []
    /// The pools.
    package internal(set) var pools: [InferencePoolResource] = []
    /// The objectives.
    package internal(set) var objectives: [InferenceObjectiveResource] = []
    /// The rewrites as they are written; see ``rewrites(of:)``.
    package internal(set) var rewrites: [InferenceModelRewriteResource] = []
    /// The InferenceModels as they are written; see ``effectiveModels``.
    package internal(set) var models: [InferenceModelResource] = []
    /// The TLS secrets.
    package internal(set) var secrets: [TLSSecretResource] = []
    /// The maps of adapters to base models, in written order.
    package internal(set) var modelMaps: [ConfigMapResource] = []
    /// The entries of all endpoint lists, in written order; see ``endpoints(of:)``.
    package internal(set) var endpoints: [EndpointEntry] = []
    /// The endpoint pickers as they are written; see ``endpointPicker(for:)``.
    package internal(set) var endpointPickers: [EndpointPickerConfiguration] = []
    /// What is suspicious or of no effect, in the order of the files.
    package internal(set) var warnings: [ConfigurationProblem] = []

    /// A listener that a route attaches to.
    package struct Attachment: Sendable {
        /// The listener's gateway.
        package let gateway: GatewayResource
        /// The listener.
        package let listener: GatewayResource.Listener
        /// The host names of the requests that reach the route there: each the narrower of a pair of the listener's and
        /// the route's. Empty means any host.
        package let hostnames: [String]
    }

    /// The endpoints that `pool` selects: those of its namespace with its labels, in written order, and each
    /// rank by itself.
    package func endpoints(of pool: InferencePoolResource) -> [ListedEndpoint] {
        entries(of: pool).flatMap { $0.endpoints(targetPorts: pool.targetPorts) }
    }

    /// The entries of endpoint lists that `pool` selects.
    func entries(of pool: InferencePoolResource) -> [EndpointEntry] {
        endpoints.filter { $0.id.namespace == pool.metadata.id.namespace && pool.selects($0.labels) }
    }

    /// The endpoint picker of `pool`: the one with its name, else the one without a name, else `fallback`.
    package func endpointPicker(
        for pool: ResourceName,
        default fallback: EndpointPickerConfiguration = .builtinDefault
    ) -> EndpointPickerConfiguration {
        endpointPickers.first { $0.pool == pool } ?? endpointPickers.first { $0.pool == nil } ?? fallback
    }

    /// The InferenceModels that hold: of those of one pool for one model the oldest.
    package var effectiveModels: [InferenceModelResource] {
        var seen: Set<[String]> = []
        return models.sorted { Self.precedes($0.metadata, $1.metadata) }.filter { model in
            let pool = model.pool.target
            return seen.insert([pool.namespace, pool.name, model.model]).inserted
        }
    }

    /// The rewrites of `pool`, those of InferenceModels among them, in the order in which they hold: the oldest first.
    package func rewrites(of pool: ResourceName) -> [InferenceModelRewriteResource] {
        (rewrites + effectiveModels.compactMap(\.rewrite)).filter { $0.pool.target == pool }
            .sorted { Self.precedes($0.metadata, $1.metadata) }
    }

    /// Whether `left` is older than `right`: by the time of a cluster, and at one time by name; without a time, as in
    /// files, behind those with one and in the order of the files. RFC 3339 texts sort as times do.
    private static func precedes(_ left: ResourceMetadata, _ right: ResourceMetadata) -> Bool {
        guard let leftTime = left.creationTimestamp, let rightTime = right.creationTimestamp else {
            if left.creationTimestamp == nil, right.creationTimestamp == nil {
                return SourcePosition.precedes(left.position, right.position)
            }
            return left.creationTimestamp != nil
        }
        return (leftTime, left.id) < (rightTime, right.id)
    }

    /// The listeners that `route` attaches to, in the order of its parents, each one once.
    package func attachments(of route: HTTPRouteResource) -> [Attachment] {
        var attachments: [Attachment] = []
        var seen: Set<[String]> = []
        for parent in route.parents {
            guard let gateway = gateways.first(where: { $0.metadata.id == parent.gateway.target }) else { continue }
            for listener in listeners(of: gateway, for: parent, from: route.metadata.id.namespace) {
                guard let hostnames = HostnameMatching.intersection(route.hostnames, listener.hostname),
                    seen.insert([gateway.metadata.id.description, listener.name]).inserted
                else { continue }
                attachments.append(Attachment(gateway: gateway, listener: listener, hostnames: hostnames))
            }
        }
        return attachments
    }

    /// The listeners of `gateway` that `parent` names and that take routes of `namespace`.
    private func listeners(
        of gateway: GatewayResource,
        for parent: HTTPRouteResource.Parent,
        from namespace: String
    ) -> [GatewayResource.Listener] {
        gateway.listeners.filter { listener in
            (parent.sectionName == nil || parent.sectionName == listener.name)
                && (parent.port == nil || parent.port == listener.port)
                && listener.takesRoutes(of: namespace, gatewayNamespace: gateway.metadata.id.namespace)
        }
    }
}

extension GatewayResource.Listener {
    /// Whether routes of `namespace` may attach.
    func takesRoutes(of namespace: String, gatewayNamespace: String) -> Bool {
        switch routeNamespaces {
        case .all: true
        case .same: namespace == gatewayNamespace
        case .none: false
        }
    }
}

/// How host names with wildcards meet (Gateway API, `HTTPRouteSpec.hostnames`).
enum HostnameMatching {
    /// The host names that are both one of `routes` and of `listener`; `nil` when there is none, empty when both are
    /// open to any host.
    static func intersection(_ routes: [String], _ listener: String?) -> [String]? {
        guard let listener else { return routes }
        guard !routes.isEmpty else { return [listener] }
        let common = routes.compactMap { narrower($0, listener) }
        return common.isEmpty ? nil : common
    }

    /// The narrower of two host names of which one covers the other; `nil` when none does.
    private static func narrower(_ left: String, _ right: String) -> String? {
        if covers(left, right) { return right }
        return covers(right, left) ? left : nil
    }

    /// Whether `wide` covers every host of `narrow`. A wildcard stands for one label or more.
    private static func covers(_ wide: String, _ narrow: String) -> Bool {
        if wide == narrow { return true }
        guard wide.hasPrefix("*.") else { return false }
        let suffix = wide.dropFirst()
        let host = narrow.hasPrefix("*.") ? narrow.dropFirst() : narrow[...]
        return host.hasSuffix(suffix) && host.utf8.count > suffix.utf8.count
    }
}
