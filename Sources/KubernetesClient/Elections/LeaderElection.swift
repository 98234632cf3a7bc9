package import Logging
import Synchronization

/// Where a participant of an election stands.
package enum LeaderElectionStanding: Hashable, Sendable {
    /// It leads.
    case leading
    /// It does not lead; who does, if that is known.
    case following(leader: String?)
    /// It does not lead and cannot learn who does.
    case waiting(APIError)
}

/// Chooses one of several processes by a `Lease`, by the same rules and the same record as client-go, so that
/// participants of both kinds may be mixed.
///
/// - One leads at a time, as long as nobody deletes the lease by hand. A leader steps down, even when its requests
///   hang, ``LeaderElectionConfiguration/renewDeadline`` after it sent its last successful renewal; others take over no
///   earlier than ``LeaderElectionConfiguration/leaseDuration`` after they saw it. Clocks are not compared.
/// - Followers watch the lease and read it every ``LeaderElectionConfiguration/retryPeriod`` as well, so a lease that
///   is given back is taken at once, and without the permission to watch at the next reading.
/// - A lease that was deleted is made anew by its leader at once. Followers who knew the leader wait until its time is
///   over. One that starts just then cannot know and may become a second leader until the first one looks, which is at
///   once with a watch and within a renewal without.
/// - Failures are tried again. Who follows tells them by ``LeaderElectionStanding/waiting(_:)`` once nothing is known
///   of a leader any more.
///
/// Becoming a leader is recorded as an event of the lease, if the server takes it.
///
/// It needs the permissions to get, create and update leases; list and watch make it fast.
package struct LeaderElection: Sendable {
    /// How long giving the lease back may take when the participant ends.
    private static let releaseLimit = Duration.seconds(3)
    /// How long recording an event may take.
    private static let recordLimit = Duration.seconds(10)

    private let client: APIClient
    private let lease: ObjectName
    private let identity: String
    private let configuration: LeaderElectionConfiguration
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let onChange: @Sendable (LeaderElectionStanding) -> Void

    /// Makes a participant.
    ///
    /// - Parameters:
    ///   - client: asks the server.
    ///   - lease: which lease they vie for.
    ///   - identity: what this participant is called; no other may be called so.
    ///   - configuration: the times.
    ///   - clock: the time of waits; it must go on while the machine sleeps.
    ///   - logger: is told of changes, at `info`, and of failures, at `debug`.
    ///   - onChange: is told where this participant stands, first and whenever it changes, one after the other. When it
    ///     returns late, so does stepping down.
    package init(
        client: APIClient,
        lease: ObjectName,
        identity: String,
        configuration: LeaderElectionConfiguration = LeaderElectionConfiguration(),
        clock: any Clock<Duration> = .continuous,
        logger: Logger,
        onChange: @escaping @Sendable (LeaderElectionStanding) -> Void
    ) {
        self.client = client
        self.lease = lease
        self.identity = identity
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.onChange = onChange
    }

    /// Takes part until the task is cancelled. Then it no longer leads, tells so, and gives the lease back if it holds
    /// it, for which it takes three seconds at most.
    package func run() async {
        let room = ElectionRoom(
            LeaderElectionMachine(name: lease, identity: identity, configuration: configuration),
            time: Stopwatch(clock)
        )
        await withTaskGroup { group in
            group.addTask { await self.ask(room) }
            group.addTask { await self.watch(room) }
            group.addTask { await self.announce(room) }
            // Apart from the requests, so that one that hangs keeps nobody from stepping down.
            await self.tell(room)
        }
        // Owner: this function, which waits for its end. The task that runs it is cancelled, and a request of a
        // cancelled task is not sent.
        await Task { await release(room) }.value
    }

    // MARK: The parts that run at the same time

    /// Makes the requests, one at a time.
    private func ask(_ room: ElectionRoom) async {
        while !Task.isCancelled {
            let now = room.time.elapsed
            switch room.machine.withLock({ $0.next(at: now, date: .now) }) {
            case .wait(let until): await room.ask.wait(atMost: until - room.time.elapsed, by: clock)
            case .read: await read(room)
            case .create(let new):
                await write(room) { () async throws(APIError) in
                    try await client.create(Lease.resource, namespace: lease.namespace, body: new, as: Lease.self)
                }
            case .replace(let new):
                await write(room) { () async throws(APIError) in
                    try await client.replace(Lease.resource, lease, body: new, as: Lease.self)
                }
            }
        }
    }

    private func read(_ room: ElectionRoom) async {
        let sentAt = room.time.elapsed
        do {
            let read = try await limited { () async throws(APIError) in
                try await client.get(Lease.resource, lease, as: Lease.self)
            }
            room.change { $0.read(read, sentAt: sentAt, at: $1) }
        } catch .notFound {
            room.change { $0.read(nil, sentAt: sentAt, at: $1) }
        } catch {
            logger.debug("cannot read lease \(lease)", metadata: ["error": "\(error)"])
            room.change { $0.readFailed(error, sentAt: sentAt, at: $1) }
        }
    }

    private func write(_ room: ElectionRoom, _ request: @escaping @Sendable () async throws(APIError) -> Lease) async {
        let sentAt = room.time.elapsed
        do {
            let written = try await limited(request)
            room.change { $0.wrote(written, sentAt: sentAt, at: $1) }
        } catch {
            logger.debug("cannot write lease \(lease)", metadata: ["error": "\(error)"])
            room.change { $0.writeFailed(error, sentAt: sentAt, at: $1) }
        }
    }

    /// A request that hangs leaves time for another one before the deadline.
    private func limited(_ request: @escaping @Sendable () async throws(APIError) -> Lease) async throws(APIError)
        -> Lease
    {
        try await TimeLimit.run(configuration.renewDeadline / 2, by: clock, request)
    }

    /// Follows the lease, so that what others do is known at once.
    private func watch(_ room: ElectionRoom) async {
        var query = ResourceQuery(Lease.resource, namespace: lease.namespace)
        query.fieldSelector = "metadata.name=\(lease.name)"
        let reflector = Reflector<Lease>(client: client, query: query, clock: clock, logger: logger) { event in
            switch event {
            case .replaced(let leases):
                let found = leases.first { $0.metadata.id == lease }
                room.change { $0.watched(found, at: $1) }
            case .changed(let changed) where changed.metadata.id == lease:
                room.change { $0.watched(changed, at: $1) }
            case .removed(lease): room.change { $0.watched(nil, at: $1) }
            // The readings go on, and tell what is wrong.
            case .changed, .removed, .malformed, .waiting, .resumed: break
            }
        }
        await reflector.run()
    }

    /// Tells where the participant stands.
    private func tell(_ room: ElectionRoom) async {
        var told: LeaderElectionStanding?
        while !Task.isCancelled {
            let now = room.time.elapsed
            let (standing, changes) = room.machine.withLock { ($0.standing(at: now), $0.standingChanges(after: now)) }
            if standing != told {
                logger.info("leader election of \(lease)", metadata: ["standing": "\(standing)"])
                onChange(standing)
                if standing == .leading { room.announce.raise() }
                told = standing
            }
            await room.tell.wait(atMost: changes.map { $0 - room.time.elapsed }, by: clock)
        }
        if told == .leading { onChange(.following(leader: nil)) }
    }

    /// Records that this participant leads, for people to read.
    private func announce(_ room: ElectionRoom) async {
        while true {
            await room.announce.wait()
            guard !Task.isCancelled else { return }
            let event = EventRecord(
                reason: "LeaderElection", action: "LeaderElection", note: "\(identity) became leader",
                regarding: ObjectReference(
                    resource: Lease.resource, name: lease, uid: room.machine.withLock { $0.leaseUID }
                ),
                reportingController: "martlet", reportingInstance: identity
            )
            do {
                try await TimeLimit.run(Self.recordLimit, by: clock) { () async throws(APIError) in
                    try await client.recordEvent(event)
                }
            } catch {
                logger.debug("cannot record an event of lease \(lease)", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: The end

    /// Gives the lease back, if this participant holds it or may hold it.
    private func release(_ room: ElectionRoom) async {
        let isDone = try? await TimeLimit.run(Self.releaseLimit, by: clock) { () async throws(APIError) in
            // A second time when a renewal that nobody waited for came first.
            for _ in 0..<2 {
                if room.machine.withLock({ $0.isUnsure }) {
                    let sentAt = room.time.elapsed
                    let read = try await client.get(Lease.resource, lease, as: Lease.self)
                    room.machine.withLock { $0.read(read, sentAt: sentAt, at: room.time.elapsed) }
                }
                guard let given = room.machine.withLock({ $0.release(at: .now) }) else { return true }
                do throws(APIError) {
                    try await client.replace(Lease.resource, lease, body: given)
                    return true
                } catch .conflict {
                    room.machine.withLock { $0.becomeUnsure() }
                }
            }
            return false
        }
        if isDone != true { logger.info("lease \(lease) is not given back and runs out by itself") }
    }
}

/// What the parts of a participant share.
private final class ElectionRoom: Sendable {
    let machine: Mutex<LeaderElectionMachine>
    let time: Stopwatch
    let ask = WakeSignal()
    let tell = WakeSignal()
    let announce = WakeSignal()

    init(_ machine: LeaderElectionMachine, time: Stopwatch) {
        self.machine = Mutex(machine)
        self.time = time
    }

    /// Tells the machine something, and those that act by it that it did change.
    func change(_ body: (inout LeaderElectionMachine, Duration) -> Void) {
        machine.withLock { body(&$0, time.elapsed) }
        ask.raise()
        tell.raise()
    }
}
