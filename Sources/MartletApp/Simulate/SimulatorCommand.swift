import FoundationEssentials
import GatewayCore
import Logging
package import ModelServerSimulator
import NIOCore
import NIOPosix
import OpenTelemetryExport
import ServiceLifecycle
import Telemetry
import UnixSignals

/// `martlet sim`: one simulated model server in a process of its own.
package enum SimulatorCommand {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// - Throws: ``CommandError`` for a level that is none; ``SimulatorConfigurationError``; the system's error when an
    ///   address cannot be bound.
    package static func run(
        _ configuration: SimulatorConfiguration,
        otlpTracesEndpoint: String? = nil,
        logLevel: String
    ) async throws {
        var options = LogOptions()
        options.level = try LogOptions.level(logLevel)
        let logs = try ProcessSetup.prepare(options)
        let tracing = try otlpTracesEndpoint.flatMap { try Self.tracing(to: $0, logger: logs.logger()) }
        let server = try SimulatorServer(configuration: configuration, tracer: tracing?.tracer)
        let addresses = try await server.start(on: MultiThreadedEventLoopGroup.singleton)
        let shown = addresses.map { "http://\(BindAddress(host: $0.ipAddress ?? "", port: $0.port ?? 0))" }
        let banner = Banner(
            simulator: shown,
            engine: configuration.engine.rawValue,
            models: configuration.models + configuration.loraAdapters
        )
        var services: [any Service] = [await LogSignals(logs)]
        if let tracing { services.append(tracing) }
        services += [SimulatorService(server: server), BannerService(banner: banner)]
        let group = ServiceGroup(
            services: services.map(NamedService.init),
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logs.logger(.services)
        )
        try await logs.whileOpen { try await group.run() }
    }

    /// Traces as vLLM makes them: the flag says where to, the environment the rest, and a request without a parent is
    /// recorded.
    private static func tracing(to endpoint: String, logger: Logger) throws -> TracingService? {
        var variables = ProcessInfo.processInfo.environment
        variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = endpoint
        let environment = TracingEnvironment(
            variables,
            defaults: TracingEnvironment.Defaults(
                serviceName: "martlet-sim",
                serviceVersion: BuildInformation.version,
                sampler: Sampler(root: .always, followsParent: true)
            )
        )
        for warning in environment.warnings { logger.warning("\(warning)") }
        guard !environment.isDisabled, environment.exporter != .none else { return nil }
        return try TracingService(environment, registry: MetricRegistry(), logger: logger)
    }

    private struct SimulatorService: Service {
        let server: SimulatorServer

        func run() async throws {
            try await gracefulShutdown()
            await server.stop(gracePeriod: .seconds(10))
        }
    }
}

extension Banner {
    /// The banner of `martlet sim`.
    fileprivate init(simulator addresses: [String], engine: String, models: [String]) {
        let title = "simulated \(engine) server of \(models.joined(separator: ", "))"
        self.init(lines: [title] + addresses.map { "listening on \($0)" })
    }
}
