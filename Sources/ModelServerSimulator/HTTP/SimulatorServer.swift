package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
package import Telemetry

/// A simulated model server with its sockets.
///
/// All its connections and its engine live on one event loop, so servers on one group of loops spread over its threads.
/// The server may be used from anywhere.
package final class SimulatorServer: Sendable {
    /// What the server was told.
    package let configuration: SimulatorConfiguration

    private enum State {
        case idle
        case starting
        case running(Running)
        case stopped
    }

    private struct Running {
        var loop: any EventLoop
        var listeners: [any Channel]
        var service: NIOLoopBound<SimulatorService>
    }

    private let state = Mutex(State.idle)
    private let tracer: Tracer?

    /// A server that does not listen yet. With a tracer, each generation is a span.
    /// - Throws: ``SimulatorConfigurationError`` when the configuration cannot be.
    package init(
        configuration: SimulatorConfiguration,
        tracer: Tracer? = nil
    ) throws(SimulatorConfigurationError) {
        try configuration.validate()
        self.tracer = tracer
        self.configuration = configuration
    }

    /// Begins to listen and serve.
    ///
    /// - Parameter group: where to run; the server takes one loop of it and does not shut it down.
    /// - Returns: the bound addresses, in the order of ``SimulatorConfiguration/listen``.
    /// - Throws: ``SimulatorServerError`` when the server was started before; the error of the operating system, with
    ///   the address in it, when an address cannot be bound. Nothing stays open then.
    @discardableResult
    package func start(
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> [SocketAddress] {
        try state.withLock { state in
            guard case .idle = state else {
                throw SimulatorServerError(description: "the simulated server was started before; it starts only once")
            }
            state = .starting
        }
        let loop = group.next()
        let (configuration, tracer) = (configuration, tracer)
        let service = try await loop.submit {
            let service = try SimulatorService(configuration: configuration, tracer: tracer, loop: loop)
            return NIOLoopBound(service, eventLoop: loop)
        }.get()
        var listeners: [any Channel] = []
        do {
            for address in configuration.listen {
                listeners.append(try await Self.listen(on: address, loop: loop, service: service))
            }
        } catch {
            state.withLock { $0 = .stopped }
            await Self.close(listeners)
            throw error
        }
        let running = Running(loop: loop, listeners: listeners, service: service)
        let mayRun = state.withLock { state in
            guard case .starting = state else {
                return false
            }
            state = .running(running)
            return true
        }
        guard mayRun else {
            await Self.close(listeners)
            throw SimulatorServerError(description: "the simulated server was stopped while it started")
        }
        return listeners.compactMap(\.localAddress)
    }

    /// Follows a new plan of faults from now on, as `POST /simulator/faults` does. Does nothing unless the server runs.
    ///
    /// - Throws: ``SimulatorConfigurationError`` when a value of the plan is out of its range.
    package func setFaults(_ plan: FaultPlan) async throws {
        try plan.validate()
        guard let running else {
            return
        }
        try await running.loop.submit {
            running.service.value.setFaults(plan)
        }.get()
    }

    /// What the engine tells about itself; nil unless the server runs.
    package func counters() async throws -> EngineCounters? {
        guard let running else {
            return nil
        }
        return try await running.loop.submit {
            running.service.value.driver.engine.counters
        }.get()
    }

    /// Stops listening, lets the answers under way finish for at most `gracePeriod`, and then closes what is left.
    ///
    /// Returns when everything is closed. The second and each further call return at once.
    package func stop(gracePeriod: Duration = .zero) async {
        let running = state.withLock { state -> Running? in
            defer { state = .stopped }
            guard case .running(let running) = state else {
                return nil
            }
            return running
        }
        guard let running else {
            return
        }
        await Self.close(running.listeners)
        let loop = running.loop
        let drained = loop.makePromise(of: Void.self)
        loop.execute {
            let service = running.service.value
            service.drain(within: .nanoseconds(max(0, gracePeriod.wholeNanoseconds)), done: drained)
        }
        // The promise is never failed.
        try? await drained.futureResult.get()
    }

    private var running: Running? {
        state.withLock { state in
            guard case .running(let running) = state else {
                return nil
            }
            return running
        }
    }

    private static func listen(
        on address: ListenAddress,
        loop: any EventLoop,
        service: NIOLoopBound<SimulatorService>
    ) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                    try pipeline.addHandler(SimulatorConnection(service: service.value))
                }
            }
        do {
            return try await bootstrap.bind(host: address.host, port: Int(address.port)).get()
        } catch {
            throw SimulatorServerError(description: "cannot listen on \(address): \(error)")
        }
    }

    private static func close(_ channels: [any Channel]) async {
        for channel in channels {
            // A listener that is closed already is as it should be.
            try? await channel.close().get()
        }
    }
}

/// A simulated server could not do what it was asked.
package struct SimulatorServerError: Error, Hashable, CustomStringConvertible {
    /// A sentence with the reason.
    package let description: String
}
