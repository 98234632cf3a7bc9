import GatewayCore

/// Checks the resources of a configuration against each other.
struct ConfigurationValidation {
    let set: ConfigurationSet
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []

    private let poolNames: Set<ResourceName>

    init(set: ConfigurationSet) {
        self.set = set
        poolNames = Set(set.pools.map(\.metadata.id))
    }

    mutating func run() {
        checkNames()
        checkListeners()
        checkCertificates()
        for route in set.routes { checkRoute(route) }
        for pool in set.pools { checkPool(pool) }
        for objective in set.objectives { checkPoolReference(objective.pool) }
        for rewrite in set.rewrites { checkPoolReference(rewrite.pool) }
        for model in set.models { checkPoolReference(model.pool) }
        checkRewrites()
        checkEndpointPickers()
    }

    // MARK: - Names

    private mutating func checkNames() {
        checkUnique(set.gateways.map(\.metadata), kind: "Gateway")
        checkUnique(set.routes.map(\.metadata), kind: "HTTPRoute")
        checkUnique(set.pools.map(\.metadata), kind: "InferencePool")
        checkUnique(set.objectives.map(\.metadata), kind: "InferenceObjective")
        checkUnique(set.rewrites.map(\.metadata), kind: "InferenceModelRewrite")
        checkUnique(set.models.map(\.metadata), kind: "InferenceModel")
        checkUnique(set.secrets.map(\.metadata), kind: "Secret")
        checkUnique(set.modelMaps.map(\.metadata), kind: "ConfigMap")
        problems += EndpointEntry.duplicates(in: set.endpoints)
    }

    private mutating func checkUnique(_ resources: [ResourceMetadata], kind: String) {
        var seen: [ResourceName: SourcePosition] = [:]
        for resource in resources {
            if let first = seen.updateValue(resource.position, forKey: resource.id) {
                report("a second \(kind) \(resource.id); the first is at \(first)", resource.position, "metadata.name")
            }
        }
    }

    // MARK: - Gateways

    /// Listeners of one port must speak one protocol and differ in their host names; ports of different gateways must
    /// not meet on one address.
    private mutating func checkListeners() {
        for (index, gateway) in set.gateways.enumerated() {
            for (position, listener) in gateway.listeners.enumerated() {
                for earlier in gateway.listeners[..<position] { checkConflict(listener, earlier) }
                for other in set.gateways[..<index] where shareAddress(gateway, other) {
                    for taken in other.listeners where taken.port == listener.port {
                        report(
                            "port \(listener.port) is taken by the listener \"\(taken.name)\" of Gateway "
                                + "\(other.metadata.id) at \(taken.position)",
                            listener.position, listener.path + ".port"
                        )
                    }
                }
            }
        }
    }

    private mutating func checkConflict(_ listener: GatewayResource.Listener, _ earlier: GatewayResource.Listener) {
        if listener.name == earlier.name {
            report("a second listener \"\(listener.name)\" in the gateway", listener.position, listener.path + ".name")
        }
        guard listener.port == earlier.port else { return }
        if listener.listenerProtocol != earlier.listenerProtocol {
            report(
                "port \(listener.port) speaks \(earlier.listenerProtocol.rawValue) for the listener "
                    + "\"\(earlier.name)\", it cannot speak \(listener.listenerProtocol.rawValue) as well",
                listener.position, listener.path + ".protocol"
            )
        } else if listener.hostname == earlier.hostname {
            let hostname = listener.hostname.map { "the host \"\($0)\"" } ?? "any host"
            report(
                "port \(listener.port) already serves \(hostname) for the listener \"\(earlier.name)\"",
                listener.position, listener.path + ".port"
            )
        }
    }

    private func shareAddress(_ left: GatewayResource, _ right: GatewayResource) -> Bool {
        let wildcards: Set<String> = ["0.0.0.0", "::"]
        let (leftValues, rightValues) = (Set(left.addresses.map(\.value)), Set(right.addresses.map(\.value)))
        return leftValues.isEmpty || rightValues.isEmpty || !leftValues.isDisjoint(with: rightValues)
            || !leftValues.isDisjoint(with: wildcards) || !rightValues.isDisjoint(with: wildcards)
    }

    private mutating func checkCertificates() {
        let names = set.secrets.map(\.metadata.id)
        for gateway in set.gateways {
            for certificate in gateway.listeners.flatMap(\.certificates) where !names.contains(certificate.target) {
                reportMissing(certificate, kind: "Secret", among: names)
            }
        }
    }

    // MARK: - Routes

    private mutating func checkRoute(_ route: HTTPRouteResource) {
        let before = problems.count
        for parent in route.parents { checkParent(parent, of: route) }
        if problems.count == before, set.attachments(of: route).isEmpty {
            let reason =
                route.parents.isEmpty
                ? "the route has no parentRefs" : "no host name of the route is one of its listeners'"
            warn("\(reason): it serves nothing", route.metadata.position, "spec")
        }
        for rule in route.rules {
            for backend in rule.backends where !poolNames.contains(backend.pool.target) {
                reportMissing(backend.pool, kind: "InferencePool", among: Array(poolNames))
            }
            if rule.backends.allSatisfy({ $0.weight == 0 }) {
                let reason = rule.backends.isEmpty ? "the rule has no backend" : "the weights of all backends are 0"
                warn("\(reason): every request that it matches is answered with 500", rule.position, rule.path)
            }
        }
    }

    private mutating func checkParent(_ parent: HTTPRouteResource.Parent, of route: HTTPRouteResource) {
        guard let gateway = set.gateways.first(where: { $0.metadata.id == parent.gateway.target }) else {
            reportMissing(parent.gateway, kind: "Gateway", among: set.gateways.map(\.metadata.id))
            return
        }
        var listeners = gateway.listeners
        if let name = parent.sectionName {
            listeners = listeners.filter { $0.name == name }
            if listeners.isEmpty {
                report(
                    "the Gateway \(gateway.metadata.id) has no listener \(ConfigurationProblem.quoted(name))",
                    parent.gateway.position, parent.gateway.path,
                    suggestion: NearestName.find(name, in: gateway.listeners.map(\.name))
                )
                return
            }
        }
        if let port = parent.port {
            listeners = listeners.filter { $0.port == port }
            if listeners.isEmpty {
                let message = "the Gateway \(gateway.metadata.id) has no such listener at port \(port)"
                report(message, parent.gateway.position, parent.gateway.path)
                return
            }
        }
        let namespace = route.metadata.id.namespace
        let takes = listeners.contains {
            $0.takesRoutes(of: namespace, gatewayNamespace: gateway.metadata.id.namespace)
        }
        if !takes {
            report(
                "no listener of the Gateway \(gateway.metadata.id) takes routes of the namespace \"\(namespace)\" "
                    + "(allowedRoutes.namespaces.from)",
                parent.gateway.position, parent.gateway.path
            )
        }
    }

    // MARK: - Pools

    private mutating func checkPool(_ pool: InferencePoolResource) {
        let isDiscovered = set.endpointPicker(for: pool.metadata.id).dataLayer.discovery != nil
        let entries = set.entries(of: pool)
        if !isDiscovered { warnings += entries.compactMap { $0.strayActivePorts(targetPorts: pool.targetPorts) } }
        guard entries.isEmpty, !isDiscovered else { return }
        let labels = pool.selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        warn(
            "no endpoint of the namespace \"\(pool.metadata.id.namespace)\" has the labels "
                + labels.joined(separator: ", "),
            pool.metadata.position, "spec.selector"
        )
    }

    private mutating func checkPoolReference(_ reference: ResourceReference) {
        guard !poolNames.contains(reference.target) else { return }
        reportMissing(reference, kind: "InferencePool", among: Array(poolNames))
    }

    // MARK: - Rewrites

    /// Finds InferenceModels and rules that never hold, because an older one holds for the same requests.
    private mutating func checkRewrites() {
        let effective = Set(set.effectiveModels.map(\.metadata.position))
        for model in set.models where !effective.contains(model.metadata.position) {
            warn(
                "\(ConfigurationProblem.quoted(model.model)) is the model of another InferenceModel of the pool, which "
                    + "goes before: this one has no effect",
                model.metadata.position, "spec.modelName"
            )
        }
        for pool in poolNames.sorted() {
            var first: [String?: SourcePosition] = [:]
            for rule in set.rewrites(of: pool).flatMap(\.rules) {
                let models: [String?] = rule.models.isEmpty ? [nil] : rule.models
                for model in models {
                    guard let earlier = first[model] else {
                        first[model] = rule.position
                        continue
                    }
                    guard earlier != rule.position else { continue }
                    let what = model.map { "for the model \(ConfigurationProblem.quoted($0))" } ?? "for every request"
                    warn("the rule \(what) has no effect: that at \(earlier) goes before", rule.position, rule.path)
                }
            }
        }
    }

    // MARK: - Endpoint pickers

    private mutating func checkEndpointPickers() {
        var seen: [ResourceName?: SourcePosition] = [:]
        for picker in set.endpointPickers {
            if let first = seen.updateValue(picker.position, forKey: picker.pool) {
                let whose = picker.pool.map { "for the pool \($0)" } ?? "without metadata.name"
                let message = "a second EndpointPickerConfig \(whose); the first is at \(first)"
                report(message, picker.position, picker.pool == nil ? "" : "metadata.name")
            } else if let pool = picker.pool, !poolNames.contains(pool) {
                let reference = ResourceReference(target: pool, position: picker.position, path: "metadata.name")
                reportMissing(reference, kind: "InferencePool", among: Array(poolNames))
            }
        }
    }

    // MARK: - Reports

    private mutating func reportMissing(_ reference: ResourceReference, kind: String, among names: [ResourceName]) {
        let candidates = names.filter { $0.namespace == reference.target.namespace }.map(\.name).sorted()
        report(
            "there is no \(kind) \(reference.target)", reference.position, reference.path,
            suggestion: NearestName.find(reference.target.name, in: candidates)
        )
    }

    private mutating func report(
        _ message: String,
        _ position: SourcePosition,
        _ path: String,
        suggestion: String? = nil
    ) {
        problems.append(
            ConfigurationProblem(position: position, path: path, message: message, suggestion: suggestion)
        )
    }

    private mutating func warn(_ message: String, _ position: SourcePosition, _ path: String) {
        warnings.append(ConfigurationProblem(position: position, path: path, message: message))
    }
}
