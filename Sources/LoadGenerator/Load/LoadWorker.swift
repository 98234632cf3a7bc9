import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The load of one event loop: its connections, and its share of the run under way. Confined to that loop.
///
/// All workers count the conversations of a run alike, and each takes those whose numbers fall to it: nothing is shared
/// between the loops, and the same seed gives the same load.
final class LoadWorker {
    /// The share of a run that a worker has.
    struct Share {
        let plan: LoadPlan
        let workload: Workload
        /// The worker's place among all, from 0 on.
        let index: Int
        let workers: Int
        /// When the run begins.
        let origin: Int64
        /// Where the users of a closed loop get the numbers of their conversations.
        let numbers: ConversationNumbers
    }

    /// A run under way.
    struct Run {
        let share: Share
        let number: Int
        var measure: RunMeasure
        let whole: EventLoopPromise<RunMeasure>
        /// What comes next in an open loop; `nil` when nothing does.
        var upcoming: Attempt?
        var arrivals: Arrivals?
        /// Conversations that have begun and not ended.
        var conversations = 0
        /// Requests that were sent and not answered.
        var inFlight = 0
        var timer: Scheduled<Void>?
        var hasAllBegun = false

        mutating func noteLaunch() {
            inFlight += 1
            measure.inFlightMax = max(measure.inFlightMax, inFlight)
        }

        mutating func breakOff() {
            measure.unfinished += inFlight
            inFlight = 0
            conversations = 0
            upcoming = nil
            hasAllBegun = true
        }
    }

    /// How often the lag of the loop is looked at.
    private static let lagPeriod = TimeAmount.milliseconds(10)
    /// How long opening a connection may take.
    private static let connectTimeout = TimeAmount.seconds(10)

    let loop: any EventLoop
    private let target: LoadTarget
    private let requestHead: String
    private let tls: NIOSSLContext?
    private var idle: [LoadConnection] = []
    private var open: [ObjectIdentifier: LoadConnection] = [:]
    private var runsBegun = 0
    private var lagTimer: Scheduled<Void>?
    var run: Run?

    init(target: LoadTarget, tls: NIOSSLContext?, loop: any EventLoop) {
        self.target = target
        self.tls = tls
        self.loop = loop
        requestHead =
            "POST \(target.path) HTTP/1.1\r\nhost: \(target.address.authority)\r\n"
            + "content-type: application/json\r\nuser-agent: martlet-bench\r\n"
    }

    /// The present instant of the clock that all records have.
    static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    /// The API of the run.
    var api: Workload.API { run?.share.workload.api ?? .chat }

    /// Whether the text of answers is needed, for the turns that follow.
    var keepsContent: Bool { (run?.share.workload.turns ?? 1) > 1 }

    /// How long an answer may take.
    var timeout: TimeAmount { .nanoseconds(Int64((run?.share.plan.timeoutSeconds ?? 600) * 1e9)) }

    /// Makes the worker's share of a run. There is no other run.
    func begin(_ share: Share) -> EventLoopFuture<RunMeasure> {
        precondition(run == nil, "one run at a time")
        runsBegun += 1
        let whole = loop.makePromise(of: RunMeasure.self)
        run = Run(share: share, number: runsBegun, measure: RunMeasure(origin: share.origin), whole: whole)
        watchLag()
        switch share.plan.mode {
        case .open, .replay: beginArrivals()
        case .closed(let users, let rampSeconds): beginUsers(users, rampSeconds: rampSeconds)
        }
        return whole.futureResult
    }

    /// Breaks the run off: what is under way is given up and counts as unfinished.
    func stop() {
        guard run != nil else { return }
        run?.breakOff()
        let used = open
        idle = []
        open = [:]
        for connection in used.values { connection.abandon() }
        endRunIfOver()
    }

    /// Closes all connections.
    func close() {
        let connections = open
        idle = []
        open = [:]
        for connection in connections.values { connection.abandon() }
    }

    /// What was measured up to now, and how many requests are under way.
    var progress: (measure: RunMeasure, inFlight: Int)? { run.map { ($0.measure, $0.inFlight) } }

    /// Makes the next request of a conversation.
    func attempt(_ conversation: Conversation, scheduled: Int64) -> Attempt? {
        guard let run else { return nil }
        var conversation = conversation
        let request = conversation.next(run.share.workload)
        var head = requestHead
        if run.share.workload.streams { head += "accept: text/event-stream\r\n" }
        for field in request.fields { head += "\(field.name): \(field.value)\r\n" }
        head += "content-length: \(request.body.count)\r\n\r\n"
        var bytes = ByteBufferAllocator().buffer(capacity: head.utf8.count + request.body.count)
        bytes.writeString(head)
        bytes.writeBytes(request.body)
        return Attempt(bytes: bytes, conversation: conversation, scheduled: scheduled, runNumber: run.number)
    }

    /// Sends a request on an idle connection or a new one.
    func launch(_ attempt: Attempt) {
        guard run?.number == attempt.runNumber else { return }
        run?.noteLaunch()
        send(attempt)
    }

    private func send(_ attempt: Attempt) {
        if let connection = idle.popLast() { return connection.start(attempt) }
        connect().assumeIsolated().whenComplete { outcome in
            switch outcome {
            case .success(let connection): connection.value.start(attempt)
            case .failure(let error): self.ended(attempt, .failed(Self.connectFailure(error)))
            }
        }
    }

    /// Takes what came of a request on `connection`.
    func ended(_ attempt: Attempt, on connection: LoadConnection, _ end: ConnectionEnd) {
        if case .answered(isReusable: true) = end, open[ObjectIdentifier(connection)] != nil {
            idle.append(connection)
        }
        ended(attempt, end)
    }

    /// Notes the text of an answer, which the conversation goes on with.
    func heard(_ content: [UInt8], _ attempt: Attempt) {
        guard let workload = run?.share.workload else { return }
        attempt.conversation.answered(content, workload)
    }

    private func ended(_ attempt: Attempt, _ end: ConnectionEnd) {
        guard run?.number == attempt.runNumber else { return }
        switch end {
        case .stale where !attempt.record.wasSentAgain:
            // Nothing of an answer had come, so the server has not begun it.
            attempt.record.wasSentAgain = true
            return send(attempt)
        case .stale: attempt.record.failure = "connection closed"
        case .failed(let reason): attempt.record.failure = reason
        case .answered: break
        }
        if attempt.record.ended == 0 { attempt.record.ended = Self.now }
        run?.inFlight -= 1
        record(attempt)
        goOn(after: attempt)
    }

    private func record(_ attempt: Attempt) {
        guard let run else { return }
        let plan = run.share.plan
        let isWarmUp =
            switch plan.warmUp {
            case .none: false
            case .seconds(let seconds): Double(attempt.record.scheduled - run.share.origin) / 1e9 < seconds
            case .conversations(let count): attempt.conversation.index - plan.firstConversation < count
            }
        if isWarmUp {
            self.run?.measure.warmUp += 1
        } else {
            self.run?.measure.record(attempt.record, objectives: plan.objectives)
        }
    }

    /// Forgets a connection that has ended.
    func closed(_ connection: LoadConnection) {
        guard open.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        idle.removeAll { $0 === connection }
    }

    private func connect() -> EventLoopFuture<NIOLoopBound<LoadConnection>> {
        run?.measure.connections += 1
        let address = target.address
        let tls = tls
        let loop = loop
        let worker = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(Self.connectTimeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        let name = address.isAddressLiteral ? nil : address.host
                        try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try pipeline.addHandler(LoadConnection(worker: worker.value))
                }
            }
        let channel =
            if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
                bootstrap.connect(to: literal)
            } else {
                bootstrap.connect(host: address.host, port: address.port)
            }
        return channel.flatMapThrowing { channel in
            let connection = try channel.pipeline.syncOperations.handler(type: LoadConnection.self)
            worker.value.open[ObjectIdentifier(connection)] = connection
            return NIOLoopBound(connection, eventLoop: loop)
        }
    }

    /// The reason of a failed connection, with the system's words and without what differs each time.
    private static func connectFailure(_ error: any Error) -> String {
        switch error {
        case ChannelError.connectTimeout: "no connection: timed out"
        case let error as IOError: "no connection: \(String(cString: strerror(error.errnoCode)))"
        case let error as NIOConnectionError where error.connectionErrors.isEmpty: "no connection: name not found"
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { connectFailure($0.error) } ?? "no connection"
        default: "no connection: \(error)"
        }
    }

    /// Looks how late the loop runs a timer, as long as the run goes.
    private func watchLag() {
        let due = NIODeadline.now() + Self.lagPeriod
        lagTimer = loop.assumeIsolated().scheduleTask(deadline: due) {
            self.run?.measure.loopLag.record((NIODeadline.now() - due).nanoseconds)
            self.watchLag()
        }
    }

    /// Ends the run when nothing more begins and nothing is under way.
    func endRunIfOver() {
        guard let run, run.hasAllBegun, run.conversations == 0 else { return }
        run.timer?.cancel()
        lagTimer?.cancel()
        lagTimer = nil
        self.run = nil
        run.whole.succeed(run.measure)
    }
}

extension EndpointAddress {
    /// Whether the host is an IP address: such a host has no name to send in a TLS handshake.
    fileprivate var isAddressLiteral: Bool {
        (try? SocketAddress(ipAddress: host, port: port)) != nil
    }
}
