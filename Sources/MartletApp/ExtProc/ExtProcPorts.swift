import ExtProcServer
import GatewayCore
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The ports of `martlet epp` and `martlet bbr`, bound: ext_proc, health, metrics.
struct ExtProcPorts {
    /// What is served where.
    struct Contents {
        /// The services on the port of ext_proc.
        var services: [any GRPCService]
        /// The bounds of that port.
        var configuration = GRPCServerConfiguration()
        /// The health service on its own port.
        var health: HealthService
        /// What the metrics port answers.
        var routes: AdminRoutes
    }

    /// Who says which certificate a port has; `nil` for plain text.
    struct Certificates {
        var serving: ServingCertificate?
        var metrics: ServingCertificate?
    }

    let server: GRPCServer
    let health: GRPCServer
    let admin: AdminServer
    /// Where to connect, a line for each port.
    let lines: [String]

    /// Binds the three ports.
    ///
    /// - Parameters:
    ///   - traffic: the loops of ext_proc.
    ///   - control: the loops of health and metrics, which never wait behind traffic.
    /// - Throws: ``CommandError`` when a port cannot be bound.
    init(
        _ options: ServingOptions,
        _ contents: Contents,
        certificates: Certificates,
        traffic: MultiThreadedEventLoopGroup,
        control: MultiThreadedEventLoopGroup
    ) async throws {
        let metricsTLS = certificates.metrics.map { certificate in { @Sendable in certificate.context } }
        admin = try await Self.bind(options, options.metricsPort, flag: "--metrics-port") { host, port in
            try await AdminServer(
                host: host,
                port: port,
                group: control,
                tls: metricsTLS,
                routes: contents.routes
            )
        }
        // Anybody may ask, on the one loop that also answers for metrics: a few questions from a few places are enough.
        var healthConfiguration = GRPCServerConfiguration()
        healthConfiguration.maxConnections = 256
        healthConfiguration.maxConcurrentStreams = 32
        healthConfiguration.maxReceiveMessageBytes = 4 << 10
        healthConfiguration.maxHeaderBytes = 8 << 10
        healthConfiguration.engine = try options.engine
        let health = try await GRPCServer(
            group: control,
            configuration: healthConfiguration,
            services: [contents.health]
        )
        let healthPort = try await Self.bind(options, options.grpcHealthPort, flag: "--grpc-health-port") {
            try await health.listen(host: $0, port: $1, tls: nil)
        }
        var configuration = contents.configuration
        configuration.engine = try options.engine
        let server = try await GRPCServer(
            group: traffic,
            configuration: configuration,
            services: contents.services
        )
        let servingTLS = certificates.serving.map { certificate in { @Sendable in certificate.context } }
        let serverPort = try await Self.bind(options, options.grpcPort, flag: "--grpc-port") {
            try await server.listen(host: $0, port: $1, tls: servingTLS)
        }
        self.health = health
        self.server = server
        lines = [
            "ext_proc on \(servingTLS == nil ? "grpc" : "grpcs")://\(BindAddress(serverPort.address))",
            "health on grpc://\(BindAddress(healthPort.address))", "metrics on \(admin.url)",
        ]
    }

    /// Binds a port on the address that the options name, or on every address of the machine: those of IPv6 and IPv4
    /// by one socket, where there is IPv6.
    private static func bind<Bound>(
        _ options: ServingOptions,
        _ port: Int,
        flag: String,
        _ listen: (_ host: String, _ port: Int) async throws -> Bound
    ) async throws -> Bound {
        var host = options.bindAddress.isEmpty ? "::" : options.bindAddress
        do {
            do {
                return try await listen(host, port)
            } catch let error as IOError where [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) {
                guard options.bindAddress.isEmpty else { throw error }
                host = "0.0.0.0"
                return try await listen(host, port)
            }
        } catch {
            throw CommandError("Cannot listen on \(flag) \(BindAddress(host: host, port: port)): \(error).")
        }
    }
}

/// The end of ext_proc: after SIGTERM it serves on for a while, so that proxies can learn that it goes, and then lets
/// the streams that run end.
struct ExtProcDrain: Service {
    /// How long streams may go on once no new ones are taken. A stream lasts as long as its request, so this is the
    /// time for a long answer; behind the usual drain timeout of 30 s it ends within the 130 s that charts give a pod.
    static let streamGrace = Duration.seconds(90)

    let server: GRPCServer
    let readiness: Readiness
    /// How long it goes on as before; zero ends it at once.
    let drainTimeout: Duration
    let clock: any MonotonicClock
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        readiness.beginDraining()
        if drainTimeout > .zero {
            logger.info("draining", metadata: ["timeout": "\(FlagValue.format(drainTimeout))"])
            try await clock.sleep(until: clock.now.advanced(by: drainTimeout))
        }
        if await server.drain(timeout: Self.streamGrace) {
            logger.info("drained")
        } else {
            logger.warning(
                "streams still ran \(FlagValue.format(Self.streamGrace)) after the last was taken; they ended")
        }
    }
}

/// The health service, which answers until everything else has ended.
struct HealthPort: Service {
    let server: GRPCServer

    func run() async throws {
        try await gracefulShutdown()
        // Whoever watches gets an end instead of a broken connection.
        _ = await server.drain(timeout: .seconds(1))
    }
}
