import BodyBasedRouting
import ExtProcProto
import ExtProcServer
import FoundationEssentials
import GatewayConfiguration
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `martlet bbr`: a body-based router that proxies ask by ext_proc.
package enum BodyRouterApplication {
    /// What the words behind `martlet bbr` ask for.
    ///
    /// - Throws: ``CommandError`` for what cannot be used.
    package static func request(_ arguments: [String]) throws(CommandError) -> CommandRequest {
        let environment = ProcessInfo.processInfo.environment
        guard let (options, warnings) = try BbrOptions.read(arguments, environment: environment) else {
            return .help(BbrOptions.flagSet.help)
        }
        return .run { try await run(options, warnings: warnings) }
    }

    /// Serves until SIGTERM or SIGINT.
    private static func run(_ options: BbrOptions, warnings: [String]) async throws {
        let logs = try ProcessSetup.prepare(try options.serving.logOptions)
        try await logs.whileOpen { try await run(options, warnings: warnings, logs: logs) }
    }

    private static func run(_ options: BbrOptions, warnings: [String], logs: ProcessLogs) async throws {
        let logger = logs.logger()
        for warning in warnings { logger.warning("\(warning)") }
        let registry = MetricRegistry(writesDeprecated: options.serving.writesDeprecatedMetrics)
        _ = try ProcessMetrics(registry: registry)
        try logs.register(in: registry)
        let path = options.resourcesPath
        // Before it is read, so that no change is missed.
        let fingerprint = ConfigurationWatcher.Fingerprint(path: path)
        let routing = try routing(options, registry: registry, logger: logger)
        let control = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let readiness = Readiness()
        var routes = AdminRoutes(registry: registry, readiness: readiness)
        routes.obstacle = { readiness.obstacle }
        routes.areas = [LogLevelArea(levels: logs.levels, logger: logger)]
        routes.token = try AdminToken(path: nil, environment: ProcessInfo.processInfo.environment)
        let feed = options.serving.hasDashboard ? feed(routing, routes: &routes) : nil
        let cluster = try cluster(
            options, routing, routes: &routes, control: control, logger: logs.logger(.kubernetes))
        var services = try await services(options, routing, routes: routes, control: control, logger: logger)
        if let feed { services.insert(feed, at: 2) }
        if !path.isEmpty {
            let watcher = ConfigurationWatcher(
                paths: { [path] },
                initial: [path: fingerprint],
                clock: SystemMonotonicClock()
            ) {
                do {
                    try routing.reload()
                    logger.info("configuration reloaded")
                } catch {
                    logger.error("the changed configuration is not used; the last good state stays:\n\(error)")
                }
            }
            services.insert(watcher, at: 2)
        }
        try await ServiceGroup(
            services: ([await LogSignals(logs)] + cluster + services).map(NamedService.init),
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logs.logger(.services)
        ).run()
    }

    /// The dashboard and its live feed.
    private static func feed(_ routing: Routing, routes: inout AdminRoutes) -> LiveFeed {
        let clock = SystemMonotonicClock()
        let source = BodyRoutingLiveSource(
            metrics: routing.metrics,
            readiness: routes.readiness,
            clock: clock,
            startedAt: clock.now,
            startedAtUnixTime: Date.now.timeIntervalSince1970
        )
        let feed = LiveFeed(source: source, clock: clock)
        routes.areas += [PageRoutes(), LiveRoutes(feed: feed)]
        return feed
    }

    /// The service, and what reads the mapping of models anew.
    struct Routing: Sendable {
        let service: any GRPCService
        let metrics: BodyRoutingMetrics
        let reload: @Sendable () throws -> Void
        let replaceMapping: @Sendable (ModelMapping) -> Void
    }

    /// Makes the router of `options.plugins` (none stands for the default two) and of the mapping at
    /// `options.resourcesPath`, which may be empty.
    private static func routing(_ options: BbrOptions, registry: MetricRegistry, logger: Logger) throws -> Routing {
        let clock = SystemMonotonicClock()
        let metrics = try BodyRoutingMetrics(registry: registry, commit: "", buildRef: BuildInformation.version)
        let router = try BodyRouter(plugins: options.plugins, metrics: metrics, clock: clock)
        let reload: @Sendable () throws -> Void = {
            guard !options.resourcesPath.isEmpty else { return }
            let resources = try ConfigurationSet.load(path: options.resourcesPath)
            let maps = resources.modelMaps.filter {
                $0.metadata.id.namespace == options.namespace ?? $0.metadata.id.namespace
            }
            let mapping = ModelMapping(maps.map(\.entry))
            for warning in resources.warnings.map(\.description) + mapping.warnings { logger.warning("\(warning)") }
            router.replaceMapping(mapping)
        }
        try reload()
        var limits = GatewayLimits()
        limits.maxBodyBytes = options.serving.maxBodyBytes
        let service = BodyRoutingService(router: router, isStreaming: options.isStreaming, limits: limits, clock: clock)
        return Routing(service: service, metrics: metrics, reload: reload, replaceMapping: router.replaceMapping)
    }

    /// What asks the cluster: for the maps of models, and for who may read the metrics; empty where there is none to
    /// ask.
    private static func cluster(
        _ options: BbrOptions,
        _ routing: Routing,
        routes: inout AdminRoutes,
        control: MultiThreadedEventLoopGroup,
        logger: Logger
    ) throws -> [any Service] {
        let readiness = routes.readiness
        if !options.followsModelMaps { readiness.poolsAreFilled() }
        guard options.hasCluster, options.followsModelMaps || options.serving.authenticatesMetrics else { return [] }
        let path = options.serving.kubeconfigPath
        let connection = try ClusterConnection(kubeconfigPath: path, group: control, logger: logger)
        if options.serving.authenticatesMetrics {
            routes.access = MetricsAccess(client: connection.client, logger: logger)
        }
        guard options.followsModelMaps else { return [connection] }
        let maps = ModelMaps(
            namespace: options.namespace,
            client: connection.client,
            readiness: readiness,
            logger: logger,
            onChange: routing.replaceMapping
        )
        return [connection, maps]
    }

    /// The services in the order in which they depend on each other; the shutdown goes backwards.
    private static func services(
        _ options: BbrOptions,
        _ routing: Routing,
        routes: AdminRoutes,
        control: MultiThreadedEventLoopGroup,
        logger: Logger
    ) async throws -> [any Service] {
        let readiness = routes.readiness
        var certificates = ExtProcPorts.Certificates()
        if options.serving.isSecure {
            certificates.serving = try ServingCertificate(options.serving.tls, protocols: ["h2"], logger: logger)
        }
        // Any name is answered: charts of several releases ask for different ones.
        let health = HealthService(names: { [""] }) { _ in readiness.isReady ? ServingStatus.serving : .notServing }
        let ports = try await ExtProcPorts(
            options.serving,
            ExtProcPorts.Contents(
                services: [routing.service],
                health: health,
                routes: routes
            ),
            certificates: certificates,
            traffic: MultiThreadedEventLoopGroup(numberOfThreads: options.serving.threads ?? System.coreCount),
            control: control
        )
        let clock = SystemMonotonicClock()
        let drain = ExtProcDrain(
            server: ports.server,
            readiness: readiness,
            drainTimeout: .zero,
            clock: clock,
            logger: logger
        )
        let title = "martlet \(BuildInformation.version): body-based router"
        let banner = BannerService(banner: Banner(lines: [title] + ports.lines))
        return [HealthPort(server: ports.health), ports.admin] + certificates.watchers(clock: clock) + [drain, banner]
    }
}
