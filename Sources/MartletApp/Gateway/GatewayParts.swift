import DataLayer
import EngineClient
import FoundationEssentials
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RequestControl
import ServiceLifecycle
import Telemetry

/// The parts of a gateway that every front door has behind it; none of them has a socket of its own.
struct GatewayParts: Sendable {
    let clock = SystemMonotonicClock()
    let registry: MetricRegistry
    let readiness = Readiness()
    let supervisor: PoolSupervisor
    let applicationMetrics: ApplicationMetrics
    let assembly: GatewayAssembly
    let controller: RequestController
    /// The discovery files of the start, as they were before they were read.
    let discoveryFiles: [String: ConfigurationWatcher.Fingerprint]
    /// The last requests; `nil` when nobody can look at them.
    let requests: RequestLog?
    /// Exports traces; `nil` when none are made.
    let tracing: TracingService?
    private let settings: GatewaySettings
    private let logger: Logger

    /// Joins them, and starts with `plan`; what it warns of is logged.
    ///
    /// - Parameters:
    ///   - isFilled: whether the plan has the endpoints of its pools, or says where they are; not before a cluster has
    ///     told.
    ///   - scraping: the loop of the questions to endpoints. They may take all of its time, where there are thousands.
    /// - Throws: ``ConfigurationError`` for a pipeline or a discovery file that cannot be used.
    init(
        _ settings: GatewaySettings,
        plan: GatewayPlan,
        isFilled: Bool = true,
        scraping: MultiThreadedEventLoopGroup,
        logger: Logger
    ) throws {
        self.settings = settings
        self.logger = logger
        registry = MetricRegistry(writesDeprecated: settings.writesDeprecatedMetrics)
        applicationMetrics = try ApplicationMetrics(registry: registry, commit: "", buildRef: BuildInformation.version)
        let metrics = try GatewayMetrics(registry: registry)
        _ = try ProcessMetrics(registry: registry)
        let registry = registry
        tracing = try settings.tracing.map { try TracingService($0, registry: registry, logger: logger) }
        var client = EngineHTTPClientConfiguration()
        client.verifiesCertificates = settings.verifiesEndpointCertificates
        let http = try EngineHTTPClient(group: scraping, configuration: client)
        supervisor = PoolSupervisor(http: http)
        assembly = GatewayAssembly(
            settings: settings,
            clock: clock,
            metrics: metrics,
            http: http,
            timer: http.timer(clock: clock),
            supervisor: supervisor
        )
        let prepared = try assembly.prepare(plan)
        for warning in prepared.warnings { logger.warning("\(warning)") }
        let requests = settings.dashboard == nil ? nil : RequestLog()
        self.requests = requests
        discoveryFiles = prepared.discoveryFiles
        controller = RequestController(
            state: assembly.commit(prepared),
            configuration: RequestControlConfiguration(
                limits: settings.limits,
                retry: settings.retry,
                addsServedHeader: settings.addsServedHeader,
                seed: settings.seed ?? UInt64.random(in: .min ... .max),
                keptDecisions: settings.keptDecisions
            ),
            metrics: metrics,
            observers: settings.observers + (requests.map { [$0] } ?? []),
            tracer: tracing?.tracer,
            clock: clock
        )
        if isFilled { readiness.poolsAreFilled() }
    }

    /// Keeps telling of the traffic what is told now and then.
    func service(of logs: TrafficLogs) -> any Service {
        let controller = controller
        return logs.service { controller.state.pools.map { ($0.id, $0.endpoints.current) } }
    }

    /// What the admin address answers about this gateway, and what tells those who watch it; `nil` for nobody.
    ///
    /// - Parameter process: what it answers about the process.
    func adminRoutes(beside process: [any AdminArea]) -> (routes: AdminRoutes, feed: LiveFeed?) {
        let (controller, readiness, startedAt) = (controller, readiness, clock.now)
        let gauges = PoolGauges(
            metrics: controller.metrics.dataLayer,
            clock: clock,
            staleness: settings.metricsStaleness
        ) {
            controller.state.pools.map(\.endpoints)
        }
        let flowGauges = FlowGauges(controller: controller)
        PluginGauges.observe(controller)
        var routes = AdminRoutes(
            registry: registry,
            readiness: readiness,
            refresh: {
                gauges.refresh()
                flowGauges.refresh()
            },
            obstacle: {
                if let obstacle = readiness.obstacle { return obstacle }
                // A pool that lets requests wait takes them without an endpoint too: that is how it grows from none.
                let empty = controller.state.pools.first {
                    $0.flowControl == nil && $0.endpoints.current.available.isEmpty
                }
                return empty.map { "pool '\($0.id.name)' has no available endpoint" }
            },
            state: {
                StateReport.json(controller: controller, isDraining: readiness.isDraining, startedAt: startedAt)
            },
            areas: [DecisionRoutes(controller: controller)],
            token: settings.adminToken
        )
        routes.areas += process
        routes.areas += [
            DrainRoutes(controller: controller, logger: logger),
            WeightRoutes(configurationPath: settings.configurationPath, logger: logger),
        ]
        let feed = dashboard(&routes, startedAt: startedAt)
        return (routes, feed)
    }

    /// Adds the dashboard, unless there is to be none.
    private func dashboard(_ routes: inout AdminRoutes, startedAt: MonotonicInstant) -> LiveFeed? {
        guard let place = settings.dashboard, let requests else { return nil }
        let source = GatewayLiveSource(
            controller: controller,
            readiness: readiness,
            log: requests,
            hits: CacheHits(requests),
            place: place,
            obstacle: routes.obstacle,
            takesActions: settings.adminToken != nil,
            startedAt: startedAt,
            startedAtUnixTime: Date.now.timeIntervalSince1970,
            staleness: settings.metricsStaleness
        )
        let feed = LiveFeed(source: source, clock: clock)
        routes.areas += [
            PageRoutes(), LiveRoutes(feed: feed), RequestRoutes(controller: controller, log: requests),
        ]
        if place.hasPlayground {
            routes.areas.append(PlaygroundRoutes(listeners: place.listeners, token: settings.adminToken))
        }
        return feed
    }

    /// Brings what `plan` says into effect, whole or not at all.
    ///
    /// - Parameters:
    ///   - plan: reads the configuration anew.
    ///   - bind: brings into effect what only the front door knows; the last step that can fail.
    func reloader(
        plan: @escaping @Sendable () throws -> GatewayPlan,
        bind: @escaping @Sendable (GatewayPlan) async throws -> Void = { _ in }
    ) -> ConfigurationReloader {
        ConfigurationReloader(
            plan: plan,
            bind: bind,
            assembly: assembly,
            controller: controller,
            metrics: applicationMetrics,
            logger: logger
        )
    }

    /// The watcher that brings changes of the configuration and of discovery files into effect, whole or not at all.
    ///
    /// - Parameters:
    ///   - path: the configuration's file or folder, as it was before it was read; `nil` when there is none to watch.
    ///   - plan: reads the configuration anew.
    ///   - bind: brings into effect what only the front door knows; the last step that can fail.
    func watcher(
        of path: (path: String, initial: ConfigurationWatcher.Fingerprint)?,
        plan: @escaping @Sendable () throws -> GatewayPlan,
        bind: @escaping @Sendable (GatewayPlan) async throws -> Void = { _ in }
    ) -> ConfigurationWatcher {
        let reloader = reloader(plan: plan, bind: bind)
        let fixed = path.map { [$0.path] } ?? []
        var initial = discoveryFiles
        if let path { initial[path.path] = path.initial }
        let assembly = assembly
        return ConfigurationWatcher(
            paths: { fixed + assembly.watchedFiles },
            initial: initial,
            clock: clock
        ) {
            await reloader.reload()
        }
    }
}
