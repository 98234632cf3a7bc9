import DataLayer
import FoundationEssentials
import GatewayConfiguration
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import OpenTelemetryExport
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
        let logs = try ProcessSetup.prepare(options.logs)
        try await logs.whileOpen {
            let gateway = try await ServeApplication.Gateway(options, logs: logs)
            let services = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: gateway.services.map(NamedService.init),
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: logs.logger(.services)
                )
            )
            try await services.run()
        }
    }
}

extension ServeApplication {
    /// A gateway that listens and is ready to run.
    struct Gateway {
        /// In the order in which they depend on each other; the shutdown goes backwards, so the proxy drains first and
        /// the admin server stops last.
        let services: [any Service]

        init(_ options: ServeOptions, logs: ProcessLogs) async throws {
            let logger = logs.logger()
            let traffic = TrafficLogs(logs)
            let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads ?? System.coreCount)
            // Probes and metrics, which never wait behind traffic or the questions to endpoints.
            let control = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let simulated =
                options.simulated > 0
                ? try await SimulatedEndpoints(count: options.simulated, seed: options.seed, group: group) : nil
            let fingerprint = options.configurationPath.map(ConfigurationWatcher.Fingerprint.init(path:))
            let plan = try Self.plan(options, simulated: simulated?.endpoints ?? [])
            let urls = ListenerURLs()
            let parts = try GatewayParts(
                try Self.settings(options, logs: traffic, urls: urls, logger: logger), plan: plan,
                scraping: MultiThreadedEventLoopGroup(numberOfThreads: 1), logger: logger)
            let address = try BindAddress(options.admin, flag: "--admin")
            let (routes, feed) = parts.adminRoutes(beside: [LogLevelArea(levels: logs.levels, logger: logger)])
            try logs.register(in: parts.registry)
            let admin = try await AdminServer(at: address, flag: "--admin", group: control, routes: routes)
            let proxy = try await ProxyServer(
                group: group,
                controller: parts.controller,
                configuration: try Self.proxyConfiguration(options)
            )
            let listeners = ListenerSet(proxy: proxy)
            try await listeners.apply(plan.listeners)
            urls.set(await listeners.urls)

            var services: [any Service] = [await LogSignals(logs), parts.service(of: traffic), admin]
            // The feed tells of the drain, and its streams end before the server that they belong to.
            if let feed { services.append(feed) }
            // Behind the proxy in the order of the shutdown: the spans of the last requests are still sent.
            if let tracing = parts.tracing { services.append(tracing) }
            if let simulated { services.append(simulated) }
            services.append(parts.supervisor)
            if let path = options.configurationPath, let fingerprint {
                services.append(
                    parts.watcher(
                        of: (path, fingerprint),
                        plan: { try GatewayPlan(try ConfigurationSet.load(path: path), options: options) },
                        bind: {
                            try await listeners.apply($0.listeners)
                            urls.set(await listeners.urls)
                        }
                    )
                )
            }
            services.append(
                ProxyService(
                    server: proxy,
                    readiness: parts.readiness,
                    drainTimeout: options.drainTimeout,
                    logger: logger
                )
            )
            let banner = Banner(
                listeners: await listeners.urls,
                admin: admin.url,
                pools: plan.pools.count,
                endpoints: plan.pools.reduce(0) { $0 + $1.endpoints.count },
                model: simulated == nil ? nil : "martlet-sim"
            )
            // Signals are caught by the time that services run, so whoever has read the banner may send one.
            services.append(BannerService(banner: banner))
            self.services = services
        }

        private static func settings(
            _ options: ServeOptions,
            logs: TrafficLogs,
            urls: ListenerURLs,
            logger: Logger
        ) throws(CommandError) -> GatewaySettings {
            var settings = options.settings
            settings.adminToken = try AdminToken(
                path: options.adminTokenPath, environment: ProcessInfo.processInfo.environment)
            settings.observers = logs.observers
            settings.onHealthChange = logs.onHealthChange
            settings.tracing = TracingEnvironment(
                isWanted: options.tracing,
                needsExporter: false,
                serviceName: "martlet",
                variables: ProcessInfo.processInfo.environment,
                logger: logger
            )
            if options.hasDashboard {
                settings.dashboard = .init(mode: "serve", listeners: { urls.present }, hasPlayground: true)
            }
            return settings
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

        private static func proxyConfiguration(_ options: ServeOptions) throws -> ProxyConfiguration {
            var tls = TLSConfiguration.makeClientConfiguration()
            if !options.verifiesEndpointCertificates { tls.certificateVerification = .none }
            return ProxyConfiguration(limits: options.limits, upstreamTLS: try NIOSSLContext(configuration: tls))
        }
    }
}

extension ServeOptions {
    /// What the parts behind the proxy are told.
    var settings: GatewaySettings {
        var settings = GatewaySettings()
        settings.limits = limits
        settings.retry = retry
        settings.addsServedHeader = servedHeader ?? (simulated > 0)
        settings.seed = seed
        settings.keptDecisions = keptDecisions
        settings.configurationPath = configurationPath
        settings.writesDeprecatedMetrics = writesDeprecatedMetrics
        settings.scrape.interval = scrapeInterval
        settings.plugins = plugins
        settings.allowsExperimentalPlugins = allowsExperimentalPlugins
        settings.verifiesEndpointCertificates = verifiesEndpointCertificates
        return settings
    }
}
