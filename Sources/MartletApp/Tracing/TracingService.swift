import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import OpenTelemetryExport
import ServiceLifecycle
import Telemetry

/// The traces of a process: its tracer, and the exporter with a thread of its own, so that a collector that is slow or
/// gone costs requests nothing.
struct TracingService: Service {
    /// How long the last spans may take at the end of the process.
    private static let flushTimeout = TimeAmount.seconds(5)

    /// Makes the spans.
    let tracer: Tracer
    private let exporter: TraceExporter

    /// Begins to export as `environment` says.
    ///
    /// - Parameters:
    ///   - environment: where to, and which traces.
    ///   - registry: where the number of spans is counted.
    ///   - logger: told of faults of the collector.
    /// - Throws: ``CommandError`` for certificates that cannot be used.
    init(_ environment: TracingEnvironment, registry: MetricRegistry, logger: Logger) throws {
        let metrics = try TraceMetrics(registry: registry)
        let buffer = SpanBuffer(
            capacity: environment.queueSize, batchSize: environment.batchSize, metrics: metrics)
        tracer = Tracer(sampler: environment.sampler, buffer: buffer, wallClock: Self.unixNanoseconds)
        let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        var configuration = TraceExporter.Configuration(
            resource: environment.resource, scope: "martlet", version: BuildInformation.version)
        configuration.times = environment.times
        do throws(TracingCertificateError) {
            exporter = TraceExporter(
                buffer: buffer,
                transport: try environment.transport(on: eventLoop) { StandardStream.output.write($0) },
                configuration: configuration,
                metrics: metrics,
                eventLoop: eventLoop,
                logger: logger
            )
        } catch {
            throw CommandError("\(error.description).")
        }
        logger.info("traces go to \(environment.destination)")
    }

    func run() async throws {
        try await gracefulShutdown()
        try await exporter.shutDown(within: Self.flushTimeout).get()
    }

    private static func unixNanoseconds() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1e9)
    }
}

extension TracingEnvironment {
    /// What the environment of a gateway says; `nil` when no traces are to be made.
    ///
    /// - Parameters:
    ///   - isWanted: whether a flag asks for traces.
    ///   - needsExporter: whether the environment has to say where they go, for them to be made.
    ///   - serviceName: the name of the service where the environment has none.
    ///   - variables: the environment.
    ///   - logger: told what of it cannot be used.
    init?(
        isWanted: Bool,
        needsExporter: Bool,
        serviceName: String,
        variables: [String: String],
        logger: Logger
    ) {
        guard isWanted else { return nil }
        self.init(
            variables,
            defaults: Defaults(
                serviceName: serviceName,
                serviceVersion: BuildInformation.version,
                sampler: Sampler(root: .ratio(0.1), followsParent: true)
            )
        )
        guard !isDisabled, exporter != .none, namesExporter || !needsExporter else { return nil }
        for warning in warnings { logger.warning("\(warning)") }
    }
}
