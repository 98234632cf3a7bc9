import DataLayer
import EngineClient
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RequestControl
import Telemetry

/// The parts of a gateway that every front door has behind it; none of them has a socket of its own.
struct GatewayParts: Sendable {
    let clock = SystemMonotonicClock()
    let registry = MetricRegistry()
    let readiness = Readiness()
    let supervisor: PoolSupervisor
    let applicationMetrics: ApplicationMetrics
    let assembly: GatewayAssembly
    let controller: RequestController
    /// The discovery files of the start, as they were before they were read.
    let discoveryFiles: [String: ConfigurationWatcher.Fingerprint]
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
            tracer: tracing?.tracer,
            clock: clock
        )
        if isFilled { readiness.poolsAreFilled() }
    }

    /// What the admin address answers about this gateway.
    func adminRoutes() -> AdminRoutes {
        let (controller, readiness, startedAt) = (controller, readiness, clock.now)
        let gauges = PoolGauges(
            metrics: controller.metrics.dataLayer,
            clock: clock,
            staleness: settings.metricsStaleness
        ) {
            controller.state.pools.map(\.endpoints)
        }
        let flowGauges = FlowGauges(controller: controller)
        return AdminRoutes(
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
