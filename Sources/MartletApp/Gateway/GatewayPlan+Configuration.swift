import GatewayConfiguration
import GatewayCore
import RequestControl

extension GatewayPlan {
    /// The gateway that the resources of a configuration describe.
    ///
    /// `--listen` adds a listener with all routes; without it and without a Gateway the default address is used.
    ///
    /// - Throws: ``ConfigurationError`` for a regular expression that cannot be used; ``CommandError`` for a bad
    ///   `--listen`.
    init(_ configuration: ConfigurationSet, options: ServeOptions) throws {
        pools = Self.pools(configuration, picker: .builtinDefault)
        let routes = try Self.routes(configuration)
        tables = [:]
        listeners = []
        for gateway in configuration.gateways { try add(gateway, routes: routes, secrets: configuration.secrets) }
        if options.listen != nil || listeners.isEmpty {
            let address = try BindAddress(options.listen ?? ServeOptions.defaultListen, flag: "--listen")
            listeners.append(Listener(address: address, routes: .standalone, certificate: nil))
            tables[.standalone] = Self.standaloneTable(routes: routes, pools: pools)
        }
        warnings = configuration.warnings.map(\.description)
        addModels(configuration)
    }

    /// One table of all routes for a proxy that only asks where requests go. Gateways have no effect.
    ///
    /// - Parameters:
    ///   - picker: the endpoint picker of pools without one of their own.
    ///   - poolName: without routes, the pool that everything goes to; empty for the only one.
    ///   - namespace: the namespace of that pool.
    /// - Throws: ``ConfigurationError`` for a regular expression that cannot be used; ``CommandError`` when nothing
    ///   says where requests go.
    init(
        askedBy configuration: ConfigurationSet,
        picker: EndpointPickerConfiguration,
        poolName: String,
        namespace: String
    ) throws {
        pools = Self.pools(configuration, picker: picker)
        listeners = []
        warnings = configuration.warnings.map(\.description)
        let routes = try Self.routes(configuration)
        let named = pools.first { $0.id == PoolID(namespace: namespace, name: poolName) }
        if !poolName.isEmpty, named == nil {
            let near = NearestName.find(poolName, in: pools.map(\.id.name)).map { " (did you mean '\($0)'?)" } ?? ""
            throw CommandError(
                "--pool-name '\(poolName)' is no pool of the namespace '\(namespace)' in the configuration\(near)."
            )
        }
        if routes.isEmpty {
            guard let pool = named ?? (pools.count == 1 ? pools.first : nil) else {
                throw CommandError(
                    "The configuration has \(pools.count) pools and no route that chooses among them: add an HTTPRoute "
                        + "or give --pool-name."
                )
            }
            tables = [.standalone: RouteTable(everythingTo: pool.id)]
        } else {
            tables = [.standalone: Self.standaloneTable(routes: routes, pools: pools)]
            if named != nil { warnings.append("--pool-name has no effect: the configuration has routes.") }
        }
        addModels(configuration)
    }

    private static func pools(_ configuration: ConfigurationSet, picker: EndpointPickerConfiguration) -> [Pool] {
        configuration.pools.map { pool in
            Pool(
                id: PoolID(pool.metadata.id),
                endpoints: configuration.endpoints(of: pool).map(EndpointDescription.init),
                targetPorts: pool.targetPorts,
                picker: configuration.endpointPicker(for: pool.metadata.id, default: picker)
            )
        }
    }

    /// Adds what the configuration says of models: their base models, priorities and rewrites.
    mutating func addModels(_ configuration: ConfigurationSet) {
        modelMapping = ModelMapping(configuration.modelMaps.map(\.entry))
        warnings += modelMapping.warnings
        for model in configuration.effectiveModels {
            let pool = PoolID(model.pool.target)
            objectives[pool, default: ObjectiveTable()].named[model.metadata.id.name] = model.priority
            objectives[pool, default: ObjectiveTable()].ofModels[model.model] = model.priority
        }
        // An InferenceObjective goes before an InferenceModel of its name.
        for objective in configuration.objectives {
            let pool = PoolID(objective.pool.target)
            objectives[pool, default: ObjectiveTable()].named[objective.metadata.id.name] = objective.priority
        }
        for pool in pools.map(\.id) {
            let name = ResourceName(namespace: pool.namespace, name: pool.name)
            let rules = configuration.rewrites(of: name).flatMap(ModelRewriteRule.rules)
            if !rules.isEmpty { rewrites[pool] = ModelRewriteTable(rules) }
        }
    }

    private static func routes(_ configuration: ConfigurationSet) throws -> [PlannedRoute] {
        try configuration.routes.sorted(by: \.precedence).map { resource in
            PlannedRoute(route: try Route(resource), attachments: configuration.attachments(of: resource))
        }
    }

    private mutating func add(
        _ gateway: GatewayResource,
        routes: [PlannedRoute],
        secrets: [TLSSecretResource]
    ) throws {
        let hosts = gateway.addresses.isEmpty ? ["0.0.0.0"] : gateway.addresses.map(\.value)
        var ports: [Int] = []
        for listener in gateway.listeners where !ports.contains(listener.port) {
            ports.append(listener.port)
            let key = RouteTableKey.port(listener.port)
            let samePort = gateway.listeners.filter { $0.port == listener.port }
            tables[key] = RouteTable(
                listeners: samePort.map { sibling in
                    (
                        sibling.hostname.map(HostPattern.init),
                        routes.filter { $0.attaches(to: sibling, of: gateway) }.map(\.route)
                    )
                }
            )
            let certificate = listener.certificates.first.flatMap { reference in
                secrets.first { $0.metadata.id == reference.target }
            }
            for host in hosts {
                listeners.append(
                    Listener(
                        address: BindAddress(host: host, port: listener.port),
                        routes: key,
                        certificate: certificate.map { Certificate(chain: $0.certificateChain, key: $0.privateKey) }
                    )
                )
            }
        }
    }

    /// The table of a listener outside any Gateway: all routes; without routes, everything goes to the only pool.
    private static func standaloneTable(routes: [PlannedRoute], pools: [Pool]) -> RouteTable {
        if routes.isEmpty, let only = pools.first, pools.count == 1 { return RouteTable(everythingTo: only.id) }
        return RouteTable(listeners: [(nil, routes.map(\.route))])
    }
}

/// An HTTPRoute with its matches made ready, and the listeners that it attaches to.
private struct PlannedRoute {
    let route: Route
    let attachments: [ConfigurationSet.Attachment]

    func attaches(to listener: GatewayResource.Listener, of gateway: GatewayResource) -> Bool {
        attachments.contains { $0.gateway.metadata.id == gateway.metadata.id && $0.listener.name == listener.name }
    }
}

extension HTTPRouteResource {
    /// Gateway API's order of routes whose matches tie: older first, then by namespace and name.
    fileprivate var precedence: (String, ResourceName) {
        // A route without a time, as in files, comes behind those of a cluster. RFC 3339 texts sort as times do.
        (metadata.creationTimestamp ?? "9999", metadata.id)
    }
}

extension Sequence {
    fileprivate func sorted<First: Comparable, Second: Comparable>(
        by key: (Element) -> (First, Second)
    ) -> [Element] {
        sorted { key($0) < key($1) }
    }
}

extension Route {
    fileprivate init(_ resource: HTTPRouteResource) throws {
        self.init(
            hostnames: resource.hostnames.map(HostPattern.init),
            rules: try resource.rules.map { rule in
                (try rule.matches.map { try RouteMatch($0, in: rule) }, RouteRule(rule))
            }
        )
    }
}

extension ModelRewriteRule {
    fileprivate static func rules(of resource: InferenceModelRewriteResource) -> [ModelRewriteRule] {
        resource.rules.map { rule in
            ModelRewriteRule(
                rewrite: resource.metadata.id.name,
                models: rule.models,
                targets: rule.targets.map { Target(model: $0.model, weight: $0.weight) },
                stickyHeader: resource.stickyHeader
            )
        }
    }
}

extension PoolID {
    init(_ name: ResourceName) {
        self.init(namespace: name.namespace, name: name.name)
    }
}

extension EndpointDescription {
    init(_ endpoint: ListedEndpoint) {
        self.init(
            id: EndpointID(namespace: endpoint.id.namespace, name: endpoint.id.name),
            address: EndpointAddress(host: endpoint.host, port: endpoint.port, isSecure: endpoint.isSecure),
            labels: endpoint.labels,
            podName: endpoint.podName
        )
    }
}

extension RouteMatch {
    fileprivate init(_ match: HTTPRouteResource.Match, in rule: HTTPRouteResource.Rule) throws {
        let path: PathMatch =
            switch match.pathType {
            case .exact: .exact(match.path)
            case .pathPrefix: .prefix(match.path)
            case .regularExpression: .regularExpression(try LinearRegex(match.path, in: rule))
            }
        self.init(
            path: path,
            method: match.method?.rawValue,
            headers: try match.headers.map { try NamedMatch($0, in: rule) },
            queryParameters: try match.queryParameters.map { try NamedMatch($0, in: rule) }
        )
    }
}

extension NamedMatch {
    fileprivate init(_ match: HTTPRouteResource.ValueMatch, in rule: HTTPRouteResource.Rule) throws {
        let text: TextMatch =
            switch match.type {
            case .exact: .exact(match.value)
            case .regularExpression: .regularExpression(try LinearRegex(match.value, in: rule))
            }
        self.init(name: match.name, match: text)
    }
}

extension LinearRegex {
    fileprivate init(_ pattern: String, in rule: HTTPRouteResource.Rule) throws {
        do throws(PatternError) {
            try self.init(pattern)
        } catch {
            throw ConfigurationError(position: rule.position, path: "\(rule.path).matches", message: error.description)
        }
    }
}

extension RouteRule {
    fileprivate init(_ rule: HTTPRouteResource.Rule) {
        let noTimeout = Duration.zero
        self.init(
            backends: rule.backends.map { backend in
                RouteBackend(
                    pool: PoolID(backend.pool.target),
                    weight: backend.weight,
                    requestHeaders: HeaderMutation(backend.filters, response: false)
                )
            },
            requestHeaders: HeaderMutation(rule.filters, response: false),
            responseHeaders: HeaderMutation(rule.filters, response: true),
            requestTimeout: rule.requestTimeout == noTimeout ? nil : rule.requestTimeout,
            backendTimeout: rule.backendRequestTimeout == noTimeout ? nil : rule.backendRequestTimeout,
            retry: rule.retry.map(RetryPolicy.init)
        )
    }
}

extension RetryPolicy {
    /// Gateway API's `retry`: the codes that it names, and beside them what was never answered at all.
    fileprivate init(_ retry: HTTPRouteResource.Retry) {
        var conditions: Set<Condition> = [.connectFailure, .reset, .resetOnReusedConnection]
        conditions.formUnion(retry.codes.map { .status($0) })
        self.init(maxRetries: retry.attempts ?? RetryPolicy().maxRetries, conditions: conditions)
    }
}

extension HeaderMutation {
    fileprivate init(_ filters: [HTTPRouteResource.Filter], response: Bool) {
        self.init()
        for filter in filters {
            switch filter {
            case .requestHeaders(let modifier) where !response: append(modifier)
            case .responseHeaders(let modifier) where response: append(modifier)
            case .requestHeaders, .responseHeaders: break
            }
        }
    }

    private mutating func append(_ modifier: HTTPRouteResource.HeaderModifier) {
        set += modifier.set.map { Field(name: $0.name, value: $0.value) }
        add += modifier.add.map { Field(name: $0.name, value: $0.value) }
        remove += modifier.remove
    }
}
