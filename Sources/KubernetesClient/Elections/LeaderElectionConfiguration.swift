/// How long a leader leads without a word, and when it says one.
package struct LeaderElectionConfiguration: Hashable, Sendable {
    /// For how long a record holds after others saw it change.
    package let leaseDuration: Duration
    /// How long a leader may fail to renew the record before it steps down.
    package let renewDeadline: Duration
    /// How long the pauses between tries are.
    package let retryPeriod: Duration

    /// Makes the usual configuration: 12 s, 8 s, 2 s.
    package init() {
        leaseDuration = .seconds(12)
        renewDeadline = .seconds(8)
        retryPeriod = .seconds(2)
    }

    /// Makes a configuration.
    ///
    /// - Throws: unless `leaseDuration` > `renewDeadline` > 1.2 × `retryPeriod` > 0 and `leaseDuration` is whole
    ///   seconds.
    package init(
        leaseDuration: Duration,
        renewDeadline: Duration,
        retryPeriod: Duration
    ) throws(LeaderElectionConfigurationError) {
        guard leaseDuration >= .seconds(1), leaseDuration.components.attoseconds == 0 else {
            throw LeaderElectionConfigurationError("a lease lasts whole seconds, at least 1; not \(leaseDuration)")
        }
        guard leaseDuration > renewDeadline else {
            throw LeaderElectionConfigurationError(
                "the lease (\(leaseDuration)) must last longer than the deadline to renew it (\(renewDeadline))"
            )
        }
        guard retryPeriod > .zero, renewDeadline > retryPeriod * 12 / 10 else {
            throw LeaderElectionConfigurationError(
                "the deadline to renew a lease (\(renewDeadline)) must be longer than 1.2 pauses between tries "
                    + "(\(retryPeriod) each)"
            )
        }
        self.leaseDuration = leaseDuration
        self.renewDeadline = renewDeadline
        self.retryPeriod = retryPeriod
    }
}

/// What is wrong with a configuration of a leader election.
package struct LeaderElectionConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
