import DataLayer
import ExtProcServer
import FoundationEssentials
package import GatewayCore
import Logging
import NIOCore
import NIOPosix
import OpenTelemetryExport
import RequestControl
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `martlet epp`: an endpoint picker that proxies ask by ext_proc.
package enum EppApplication {
    /// What the words behind `martlet epp` ask for.
    ///
    /// - Parameters:
    ///   - arguments: the words.
    ///   - plugins: the plugin types that configurations may name.
    /// - Throws: ``CommandError`` for what cannot be used.
    package static func request(
        _ arguments: [String],
        plugins: PluginRegistry
    ) throws(CommandError) -> CommandRequest {
        let environment = ProcessInfo.processInfo.environment
        guard let read = try EppOptions.read(arguments, environment: environment) else {
            return .help(EppOptions.flagSet.help)
        }
        var options = read.options
        options.plugins = plugins
        return .run { [options] in try await run(options, warnings: read.warnings) }
    }

    /// Serves until SIGTERM or SIGINT.
    private static func run(_ options: EppOptions, warnings: [String]) async throws {
        let logs = try ProcessSetup.prepare(try options.serving.logOptions)
        try await logs.whileOpen {
            for warning in warnings { logs.logger().warning("\(warning)") }
            let picker = try await EppApplication.Picker(options, logs: logs)
            try await ServiceGroup(
                services: picker.services.map(NamedService.init),
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logs.logger(.services)
            ).run()
        }
    }
}

extension EppApplication {
    /// An endpoint picker that listens and is ready to run.
    struct Picker {
        /// In the order in which they depend on each other; the shutdown goes backwards, so ext_proc drains first and
        /// the health service stops last.
        let services: [any Service]
        /// The lines of the banner.
        let lines: [String]

        init(_ options: EppOptions, logs: ProcessLogs) async throws {
            let logger = logs.logger()
            let requests = TrafficLogs(logs)
            let traffic = MultiThreadedEventLoopGroup(numberOfThreads: options.serving.threads ?? System.coreCount)
            // Probes, metrics and the cluster, which never wait behind traffic or the questions to endpoints.
            let control = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let source = try EppPlan(options)
            let resources = options.resourcesPath.isEmpty ? nil : options.resourcesPath
            let fingerprint = resources.map { ($0, ConfigurationWatcher.Fingerprint(path: $0)) }
            let plan = try source.make()
            let connection = try source.scope.map { _ in
                try options.connection(group: control, logger: logs.logger(.kubernetes))
            }
            let parts = try GatewayParts(
                try Self.settings(options, logs: requests, logger: logger),
                plan: plan,
                isFilled: source.scope == nil,
                scraping: MultiThreadedEventLoopGroup(numberOfThreads: 1),
                logger: logger
            )
            let cluster = try source.scope.flatMap { scope in
                try connection.map { connection in
                    try ClusterServices(
                        scope, options, plan: source, client: connection.client, parts: parts,
                        logger: logs.logger(.kubernetes))
                }
            }
            let certificates = try options.certificates(logger: logger)
            let (routes, feed) = parts.adminRoutes(beside: [LogLevelArea(levels: logs.levels, logger: logger)])
            var contents = try Self.contents(options, parts: parts, routes: routes)
            try logs.register(in: parts.registry)
            if let connection, options.serving.authenticatesMetrics {
                contents.routes.access = MetricsAccess(client: connection.client, logger: logs.logger(.kubernetes))
            }
            let ports = try await ExtProcPorts(
                options.serving,
                contents,
                certificates: certificates,
                traffic: traffic,
                control: control
            )
            var services: [any Service] = [await LogSignals(logs), parts.service(of: requests)]
            if let connection { services.append(connection) }
            services += [HealthPort(server: ports.health), ports.admin]
            // The feed tells of the drain, and its streams end before the server that they belong to.
            if let feed { services.append(feed) }
            // Behind ext_proc in the order of the shutdown: the spans of the last requests are still sent.
            if let tracing = parts.tracing { services.append(tracing) }
            services.append(parts.supervisor)
            // Either a cluster says what the pool is, or files do.
            services.append(cluster?.pool ?? parts.watcher(of: fingerprint, plan: source.make))
            services += certificates.watchers(clock: parts.clock)
            services.append(
                ExtProcDrain(
                    server: ports.server,
                    readiness: parts.readiness,
                    drainTimeout: options.drainTimeout,
                    clock: parts.clock,
                    logger: logger
                )
            )
            if let election = cluster?.election { services.append(election) }
            let counts = Banner.counts(
                pools: plan.pools.count,
                endpoints: parts.controller.state.pools.reduce(0) { $0 + $1.endpoints.current.endpoints.count }
            )
            lines = [connection?.line(source.scope) ?? counts] + ports.lines
            services.append(BannerService(banner: Banner(lines: lines)))
            self.services = services
        }

        private static func settings(
            _ options: EppOptions,
            logs: TrafficLogs,
            logger: Logger
        ) throws(CommandError) -> GatewaySettings {
            var settings = options.settings
            settings.adminToken = try AdminToken(
                path: options.adminTokenPath.isEmpty ? nil : options.adminTokenPath,
                environment: ProcessInfo.processInfo.environment
            )
            settings.observers = logs.observers
            settings.onHealthChange = logs.onHealthChange
            settings.tracing = options.tracing(logger: logger)
            if options.serving.hasDashboard { settings.dashboard = .init(mode: "epp") }
            settings.configurationPath = options.resourcesPath.isEmpty ? nil : options.resourcesPath
            return settings
        }

        private static func contents(
            _ options: EppOptions,
            parts: GatewayParts,
            routes: AdminRoutes
        ) throws -> ExtProcPorts.Contents {
            let health = EppHealth(readiness: parts.readiness)
            let healthService = HealthService(names: { health.names }, status: health.status)
            var processing = ExternalProcessorConfiguration()
            processing.emitsEndpointScores = options.emitsEndpointScores
            processing.ignoresSubsetHints = options.ignoresSubsetHints
            if options.countsStreams { processing.streamMetrics = try StreamMetrics(registry: parts.registry) }
            var configuration = GRPCServerConfiguration()
            configuration.keepsTraceParent = parts.tracing != nil
            configuration.maxReceiveMessageBytes = options.maxReceiveMessageBytes
            configuration.maxSendMessageBytes = options.maxSendMessageBytes
            let processor = ExternalProcessorService(
                controller: parts.controller,
                routes: .standalone,
                configuration: processing
            )
            return ExtProcPorts.Contents(
                services: options.answersHealthOnGRPCPort ? [processor, healthService] : [processor],
                configuration: configuration,
                health: healthService,
                routes: routes
            )
        }
    }
}

extension EppOptions {
    /// What the parts behind ext_proc are told.
    var settings: GatewaySettings {
        var settings = GatewaySettings()
        settings.isBehindProxy = true
        settings.limits.maxBodyBytes = serving.maxBodyBytes
        settings.metricsStaleness = metricsStaleness
        settings.keptDecisions = keptDecisions
        settings.writesDeprecatedMetrics = serving.writesDeprecatedMetrics
        settings.plugins = plugins
        settings.allowsExperimentalPlugins = allowsExperimentalPlugins
        settings.verifiesEndpointCertificates = !modelServerMetrics.skipsVerification
        settings.scrape.interval = scrapeInterval
        settings.scrape.metricsPath = modelServerMetrics.path
        if modelServerMetrics.port > 0 { settings.scrape.metricsPort = modelServerMetrics.port }
        if modelServerMetrics.scheme == "https" { settings.scrape.isMetricsSecure = true }
        return settings
    }

    /// What the environment says of traces; `nil` when none are to be made. llm-d's picker makes them by default and
    /// writes them to standard output: here somebody has to say where they go.
    fileprivate func tracing(logger: Logger) -> TracingEnvironment? {
        TracingEnvironment(
            isWanted: tracing,
            needsExporter: true,
            serviceName: "llm-d-epp",
            variables: ProcessInfo.processInfo.environment,
            logger: logger
        )
    }

    /// The way to the cluster.
    fileprivate func connection(
        group: MultiThreadedEventLoopGroup,
        logger: Logger
    ) throws(CommandError) -> ClusterConnection {
        do throws(CommandError) {
            return try ClusterConnection(kubeconfigPath: serving.kubeconfigPath, group: group, logger: logger)
        } catch {
            throw CommandError(
                "\(error.description). Without a cluster, give --config PATH with an InferencePool and its endpoints, "
                    + "or a --config-file whose dataLayer.discovery names a file-discovery plugin."
            )
        }
    }

    /// The certificates of ext_proc and of the metrics port.
    fileprivate func certificates(logger: Logger) throws(CommandError) -> ExtProcPorts.Certificates {
        var certificates = ExtProcPorts.Certificates()
        if serving.isSecure {
            certificates.serving = try ServingCertificate(serving.tls, protocols: ["h2"], logger: logger)
        }
        if !metricsCertificatePath.isEmpty {
            var tls = ServingTLSOptions()
            tls.certificatePath = metricsCertificatePath
            tls.clientAuthorityPath = metricsClientAuthorityPath
            tls.reloads = true
            certificates.metrics = try ServingCertificate(
                tls,
                flags: .metrics,
                protocols: ["http/1.1"],
                logger: logger
            )
        }
        return certificates
    }
}
