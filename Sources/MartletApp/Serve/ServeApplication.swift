import EngineClient
import DataLayer
import GatewayConfiguration
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import RequestControl
import ReverseProxy
import ServiceLifecycle
import UnixSignals
import Telemetry

/// `martlet serve`: joins all parts and runs them until SIGTERM or SIGINT.
package enum ServeApplication {
    /// Serves.
    ///
    /// - Throws: ``CommandError`` and ``ConfigurationError`` for what the user can mend; the system's error when an address
    ///   cannot be bound.
    package static func run(_ options: ServeOptions) async throws {
        let logger = try ProcessSetup.prepare(logLevel: options.logLevel)
        let gateway = try await ServeApplication.Gateway(options, logger: logger)
        gateway.banner.show()
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
        let banner: Banner
        /// In the order in which they depend on each other; the shutdown goes backwards, so the proxy drains first and the
        /// admin server stops last.
        let services: [any Service]

        init(_ options: ServeOptions, logger: Logger) async throws {
            let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads ?? System.coreCount)
            // What watches the gateway and its endpoints has a loop of its own, and never waits behind traffic.
            let control = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let clock = SystemMonotonicClock()
            let seed = options.seed ?? UInt64.random(in: .min ... .max)
            let simulated =
                options.simulated > 0
                ? try await SimulatedEndpoints(count: options.simulated, seed: seed, group: group) : nil
            let plan = try Self.plan(options, simulated: simulated?.endpoints ?? [])
            for warning in plan.warnings { logger.warning("\(warning)") }

            let registry = MetricRegistry()
            let application = try ApplicationMetrics(registry: registry, commit: "", buildRef: BuildInformation.version)
            let metrics = try GatewayMetrics(registry: registry)
            _ = try ProcessMetrics(registry: registry)
            var clientConfiguration = EngineHTTPClientConfiguration()
            clientConfiguration.verifiesCertificates = options.verifiesEndpointCertificates
            let supervisor = PoolSupervisor()
            let assembly = GatewayAssembly(
                options: options,
                clock: clock,
                metrics: metrics,
                http: try EngineHTTPClient(group: control, configuration: clientConfiguration),
                supervisor: supervisor
            )
            let controller = RequestController(
                state: try assembly.apply(plan),
                configuration: RequestControlConfiguration(
                    limits: options.limits,
                    retry: options.retry,
                    addsServedHeader: options.servedHeader ?? (options.simulated > 0),
                    seed: seed
                ),
                metrics: metrics,
                clock: clock
            )
            let readiness = Readiness()
            let routes = AdminRoutes(
                controller: controller,
                registry: registry,
                gauges: PoolGauges(metrics: metrics.dataLayer, clock: clock) { controller.state.pools.map(\.endpoints) },
                readiness: readiness,
                startedAt: clock.now
            )
            let admin = try await Self.admin(options, routes: routes, group: control)
            let proxy = try await ProxyServer(
                group: group,
                controller: controller,
                configuration: try Self.proxyConfiguration(options)
            )
            let listeners = ListenerSet(proxy: proxy)
            try await listeners.apply(plan.listeners)
            banner = Banner(
                listeners: await listeners.urls,
                admin: "http://\(BindAddress(host: admin.address.ipAddress ?? "", port: admin.address.port ?? 0))",
                pools: plan.pools.count,
                endpoints: plan.pools.reduce(0) { $0 + $1.endpoints.count },
                model: simulated == nil ? nil : "martlet-sim"
            )
            var services: [any Service] = [admin]
            if let simulated { services.append(simulated) }
            services.append(supervisor)
            if let path = options.configurationPath {
                let reloader = ConfigurationReloader(
                    path: path,
                    options: options,
                    assembly: assembly,
                    controller: controller,
                    listeners: listeners,
                    metrics: application,
                    logger: logger
                )
                services.append(ConfigurationWatcher(path: path, clock: clock) { await reloader.reload() })
            }
            services.append(
                ProxyService(server: proxy, readiness: readiness, drainTimeout: options.drainTimeout, logger: logger)
            )
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
            routes: AdminRoutes,
            group: MultiThreadedEventLoopGroup
        ) async throws -> AdminServer {
            let address = try BindAddress(options.admin, flag: "--admin")
            do {
                return try await AdminServer(host: address.host, port: address.port, group: group, answer: routes.answer)
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
