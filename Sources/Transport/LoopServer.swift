package import NIOCore
package import NIOPosix
import Synchronization

/// Everything of a server that belongs to one event loop: its connections. Confined to that loop.
package protocol ServerLoop: AnyObject, SendableMetatype {
    /// Closes what has been waited for too long. Called about once a second.
    func sweep(at now: NIODeadline)
    /// Lets what is running finish and closes every connection behind its last exchange. The future succeeds when none
    /// is left.
    func drain() -> EventLoopFuture<Void>
    /// Ends everything that is still running.
    func abort()
}

/// A server of any protocol: listeners, and one ``ServerLoop`` for each event loop. A connection stays on the loop that
/// accepted it, so nothing on a request's way is locked.
///
/// Safe to call from any thread.
package final class LoopServer<Loop: ServerLoop>: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: NIOLoopBound<Loop>]
    private let listening = Mutex<[Listening]>([])
    private let sweeps = Mutex<[RepeatedTask]>([])
    private let openConnections = Atomic<Int>(0)
    private let maxConnections: Int

    /// Makes a server on the loops of `group`.
    ///
    /// - Parameters:
    ///   - maxConnections: the most connections at once; those beyond are closed as they come.
    ///   - makeLoop: makes the state of one loop; called on that loop.
    package init(
        group: MultiThreadedEventLoopGroup,
        maxConnections: Int,
        makeLoop: @escaping @Sendable (any EventLoop) -> Loop
    ) async throws {
        self.group = group
        self.maxConnections = maxConnections
        var loops: [ObjectIdentifier: NIOLoopBound<Loop>] = [:]
        for eventLoop in group.makeIterator() {
            loops[ObjectIdentifier(eventLoop)] = try await eventLoop.submit {
                NIOLoopBound(makeLoop(eventLoop), eventLoop: eventLoop)
            }.get()
        }
        self.loops = loops
        for (eventLoop, bound) in zip(group.makeIterator(), group.makeIterator().map { loops[ObjectIdentifier($0)] }) {
            let task = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
                bound?.value.sweep(at: .now())
            }
            sweeps.withLock { $0.append(task) }
        }
    }

    /// A bound listener.
    package struct Listening: Sendable {
        /// The address that it listens on, with the port that the system chose.
        package let address: SocketAddress
        private let channel: any Channel

        fileprivate init(channel: any Channel, address: SocketAddress) {
            self.channel = channel
            self.address = address
        }

        /// Accepts no more connections; those that are open stay.
        package func close() async {
            // A listener that cannot be closed is closed already.
            try? await channel.close()
        }
    }

    /// Binds an address.
    ///
    /// - Parameters:
    ///   - host: an address of this machine, or a name of one.
    ///   - port: the port; 0 lets the system choose.
    ///   - receiveAllocator: how much is read at once.
    ///   - allowsHalfClosure: whether a client that has ended its side can still be written to.
    ///   - initialize: sets up a connection; called on its loop.
    /// - Throws: the system's error when the address cannot be bound.
    package func listen(
        host: String,
        port: Int,
        receiveAllocator: any RecvByteBufferAllocator,
        allowsHalfClosure: Bool,
        initialize: @escaping @Sendable (any Channel, Loop) throws -> Void
    ) async throws -> Listening {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: receiveAllocator)
            .childChannelOption(.allowRemoteHalfClosure, value: allowsHalfClosure)
            .childChannelInitializer { channel in
                self.accept(channel, initialize)
            }
        let channel = try await bootstrap.bind(host: host, port: port).get()
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        let listening = Listening(channel: channel, address: address)
        self.listening.withLock { $0.append(listening) }
        return listening
    }

    /// Stops accepting, lets what is running finish, and at `timeout` ends what is left.
    ///
    /// - Returns: whether everything had finished by itself.
    package func drain(timeout: Duration) async -> Bool {
        for listening in listening.withLock({ $0 }) { await listening.close() }
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        var isClean = true
        await withTaskGroup(of: Bool.self) { tasks in
            for eventLoop in group.makeIterator() {
                guard let bound = loops[ObjectIdentifier(eventLoop)] else { continue }
                tasks.addTask { await Self.drain(bound, on: eventLoop, deadline: deadline) }
            }
            for await finished in tasks where !finished { isClean = false }
        }
        for task in sweeps.withLock({ $0 }) { task.cancel() }
        return isClean
    }

    private static func drain(
        _ bound: NIOLoopBound<Loop>,
        on eventLoop: any EventLoop,
        deadline: NIODeadline
    ) async -> Bool {
        let wasAborted = NIOLoopBoundBox.makeBoxSendingValue(false, eventLoop: eventLoop)
        try? await eventLoop.flatSubmit {
            let timer = eventLoop.scheduleTask(deadline: deadline) {
                wasAborted.value = true
                bound.value.abort()
            }
            return bound.value.drain().always { _ in timer.cancel() }
        }.get()
        return (try? await eventLoop.submit { !wasAborted.value }.get()) ?? false
    }

    private func accept(
        _ channel: any Channel,
        _ initialize: @escaping @Sendable (any Channel, Loop) throws -> Void
    ) -> EventLoopFuture<Void> {
        guard let bound = loops[ObjectIdentifier(channel.eventLoop)] else {
            return channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
        }
        guard openConnections.wrappingAdd(1, ordering: .relaxed).newValue <= maxConnections else {
            openConnections.wrappingSubtract(1, ordering: .relaxed)
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        channel.closeFuture.whenComplete { _ in self.openConnections.wrappingSubtract(1, ordering: .relaxed) }
        return channel.eventLoop.makeCompletedFuture { try initialize(channel, bound.value) }
    }
}
