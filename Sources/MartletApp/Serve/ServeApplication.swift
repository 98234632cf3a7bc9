import DataLayer
import EngineClient
import GatewayConfiguration
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RequestControl
import ReverseProxy
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `martlet serve`: joins all parts and runs them until SIGTERM or SIGINT.
package enum ServeApplication {
    /// Serves.
    ///
    /// - Throws: ``CommandError`` and ``ConfigurationError`` for what the user can mend; the system's error when an
    ///   address
    ///   cannot be bound.
    package static func run(_ options: ServeOptions) async throws {
        let logger = try ProcessSetup.prepare(logLevel: options.logLevel)
        let gateway = try await ServeApplication.Gateway(options, logger: logger)
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: gateway.services,
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        try await services.run()
    }
}

extension ServeApplication {
    /// A gateway that listens and is ready to run.
    struct Gateway {
        /// In the order in which they depend on each other; the shutdown goes backwards, so the proxy drains first and
        /// the admin server stops last.
        let services: [any Service]

        init(_ options: ServeOptions, logger: Logger) async throws {
            let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads ?? System.coreCount)
            // What watches the gateway and its endpoints has a loop of its own, and never waits behind traffic.
            let control = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let simulated =
                options.simulated > 0
                ? try await SimulatedEndpoints(count: options.simulated, seed: options.seed, group: group) : nil
            let fingerprint = options.configurationPath.map(ConfigurationWatcher.Fingerprint.init(path:))
            let plan = try Self.plan(options, simulated: simulated?.endpoints ?? [])
            let core = try Core(options, plan: plan, control: control, logger: logger)
            let readiness = Readiness()
            let admin = try await Self.admin(options, core: core, readiness: readiness, group: control)
            let proxy = try await ProxyServer(
                group: group,
                controller: core.controller,
                configuration: try Self.proxyConfiguration(options)
            )
            let listeners = ListenerSet(proxy: proxy)
            try await listeners.apply(plan.listeners)

            var services: [any Service] = [admin]
            if let simulated { services.append(simulated) }
            services.append(core.supervisor)
            if let path = options.configurationPath, let fingerprint {
                let reloader = ConfigurationReloader(
                    path: path,
                    options: options,
                    assembly: core.assembly,
                    controller: core.controller,
                    listeners: listeners,
                    metrics: core.applicationMetrics,
                    logger: logger
                )
                let watcher = ConfigurationWatcher(path: path, initial: fingerprint, clock: core.clock) {
                    await reloader.reload()
                }
                services.append(watcher)
            }
            services.append(
                ProxyService(server: proxy, readiness: readiness, drainTimeout: options.drainTimeout, logger: logger)
            )
            let banner = Banner(
                listeners: await listeners.urls,
                admin: "http://\(BindAddress(host: admin.address.ipAddress ?? "", port: admin.address.port ?? 0))",
                pools: plan.pools.count,
                endpoints: plan.pools.reduce(0) { $0 + $1.endpoints.count },
                model: simulated == nil ? nil : "martlet-sim"
            )
            // Signals are caught by the time that services run, so whoever has read the banner may send one.
            services.append(BannerService(banner: banner))
            self.services = services
        }

        private static func plan(_ options: ServeOptions, simulated: [EndpointDescription]) throws -> GatewayPlan {
            guard let path = options.configurationPath else {
                if options.endpoints.isEmpty, simulated.isEmpty {
                    throw CommandError("There is nothing to serve: give --endpoint URL, --simulate N or --config PATH.")
                }
                return try GatewayPlan(options: options, simulated: simulated)
            }
            if !options.endpoints.isEmpty || !simulated.isEmpty {
                throw CommandError("--config describes the endpoints; it does not go with --endpoint or --simulate.")
            }
            return try GatewayPlan(try ConfigurationSet.load(path: path), options: options)
        }

        private static func admin(
            _ options: ServeOptions,
            core: Core,
            readiness: Readiness,
            group: MultiThreadedEventLoopGroup
        ) async throws -> AdminServer {
            let controller = core.controller
            let gauges = PoolGauges(metrics: controller.metrics.dataLayer, clock: core.clock) {
                controller.state.pools.map(\.endpoints)
            }
            let routes = AdminRoutes(
                controller: controller,
                registry: core.registry,
                gauges: gauges,
                readiness: readiness,
                startedAt: core.clock.now
            )
            let address = try BindAddress(options.admin, flag: "--admin")
            do {
                return try await AdminServer(
                    host: address.host, port: address.port, group: group, answer: routes.answer)
            } catch let error as IOError {
                throw CommandError("Cannot listen on --admin \(address): \(error).")
            }
        }

        private static func proxyConfiguration(_ options: ServeOptions) throws -> ProxyConfiguration {
            var tls = TLSConfiguration.makeClientConfiguration()
            if !options.verifiesEndpointCertificates { tls.certificateVerification = .none }
            return ProxyConfiguration(limits: options.limits, upstreamTLS: try NIOSSLContext(configuration: tls))
        }
    }
}

extension ServeApplication {
    /// The parts without sockets of their own.
    private struct Core {
        let clock = SystemMonotonicClock()
        let registry = MetricRegistry()
        let supervisor: PoolSupervisor
        let applicationMetrics: ApplicationMetrics
        let assembly: GatewayAssembly
        let controller: RequestController

        /// Joins them, and starts with `plan`; what it warns of is logged.
        init(
            _ options: ServeOptions,
            plan: GatewayPlan,
            control: MultiThreadedEventLoopGroup,
            logger: Logger
        ) throws {
            applicationMetrics = try ApplicationMetrics(
                registry: registry,
                commit: "",
                buildRef: BuildInformation.version
            )
            let metrics = try GatewayMetrics(registry: registry)
            _ = try ProcessMetrics(registry: registry)
            var client = EngineHTTPClientConfiguration()
            client.verifiesCertificates = options.verifiesEndpointCertificates
            let http = try EngineHTTPClient(group: control, configuration: client)
            supervisor = PoolSupervisor(http: http)
            assembly = GatewayAssembly(
                options: options,
                clock: clock,
                metrics: metrics,
                http: http,
                timer: http.timer(clock: clock),
                supervisor: supervisor
            )
            let prepared = try assembly.prepare(plan)
            for warning in prepared.warnings { logger.warning("\(warning)") }
            controller = RequestController(
                state: assembly.commit(prepared),
                configuration: RequestControlConfiguration(
                    limits: options.limits,
                    retry: options.retry,
                    addsServedHeader: options.servedHeader ?? (options.simulated > 0),
                    seed: options.seed ?? UInt64.random(in: .min ... .max)
                ),
                metrics: metrics,
                clock: clock
            )
        }
    }
}
