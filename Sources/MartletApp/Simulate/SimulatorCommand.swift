import GatewayCore
import Logging
package import ModelServerSimulator
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// `martlet sim`: one simulated model server in a process of its own.
package enum SimulatorCommand {
    /// Serves until SIGTERM or SIGINT.
    ///
    /// - Throws: ``CommandError`` for a level that is none; ``SimulatorConfigurationError``; the system's error when an
    ///   address cannot be bound.
    package static func run(_ configuration: SimulatorConfiguration, logLevel: String) async throws {
        var options = LogOptions()
        options.level = try LogOptions.level(logLevel)
        let logs = try ProcessSetup.prepare(options)
        let server = try SimulatorServer(configuration: configuration)
        let addresses = try await server.start(on: MultiThreadedEventLoopGroup.singleton)
        let shown = addresses.map { "http://\(BindAddress(host: $0.ipAddress ?? "", port: $0.port ?? 0))" }
        let banner = Banner(
            simulator: shown,
            engine: configuration.engine.rawValue,
            models: configuration.models + configuration.loraAdapters
        )
        let group = ServiceGroup(
            services: [await LogSignals(logs), SimulatorService(server: server), BannerService(banner: banner)]
                .map(NamedService.init),
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logs.logger(.services)
        )
        try await logs.whileOpen { try await group.run() }
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
