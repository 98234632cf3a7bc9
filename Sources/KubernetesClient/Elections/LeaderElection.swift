package import Logging

/// Where a participant of an election stands.
package enum LeaderElectionStanding: Hashable, Sendable {
    /// It leads.
    case leading
    /// It does not lead; who does, if that is known.
    case following(leader: String?)
    /// It does not lead and cannot learn who does.
    case waiting(APIError)
}

/// Chooses one of several processes by a lease.
package struct LeaderElection: Sendable {
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
    ///   - logger: is told of changes.
    ///   - onChange: is told where this participant stands, first and whenever it changes, one after the other.
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

    /// Takes part until the task is cancelled; then gives the lease back if it holds it.
    package func run() async {
    }
}
