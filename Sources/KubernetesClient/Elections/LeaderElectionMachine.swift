/// What a participant of a leader election does next and where it stands, as a function of what came so far.
///
/// It knows no network and no clock. Times are durations since any one moment by a clock of this machine that goes on
/// at an even pace; what others wrote as time is never compared with it. Two facts make one leader at a time:
///
/// - A participant leads only until `renewDeadline` after the moment at which it **sent** the last write that
///   succeeded. Others saw that write later than that.
/// - Another takes the lease over only when it saw the record unchanged for the `leaseDuration` that the record says,
///   which is longer, and only by a write that the server refuses if the record has changed meanwhile.
///
/// Clocks may be set wrong by any amount; they may differ in pace by as much as the two durations do.
struct LeaderElectionMachine {
    /// What is to be done.
    enum Step: Hashable {
        /// Read the lease, then ``read(_:sentAt:at:)`` or ``readFailed(_:sentAt:at:)``.
        case read
        /// Make the lease, then ``wrote(_:sentAt:at:)`` or ``writeFailed(_:sentAt:at:)``.
        case create(Lease)
        /// Write the lease in place of the version that it has, then likewise.
        case replace(Lease)
        /// Nothing before this time, unless something comes.
        case wait(until: Duration)
    }

    private let name: ObjectName
    private let identity: String
    private let configuration: LeaderElectionConfiguration
    private var random: any RandomNumberGenerator & Sendable
    /// The lease as it was last seen, also after it was removed.
    private var observed: Lease?
    /// When its record was first seen as it is.
    private var observedAt = Duration.zero
    /// When it was last seen.
    private var seenAt = Duration.zero
    /// Whether it is not there.
    private var isMissing = false
    /// Whether nothing may be written before the lease is read.
    private var mustRead = true
    /// Until when this participant leads.
    private var leadsUntil: Duration?
    /// When the next request is due in the ordinary course.
    private var nextTry = Duration.zero
    /// Before this time nothing is written.
    private var nextWrite = Duration.zero
    /// Why nothing can be learned.
    private var failure: APIError?
    /// Whether a write may have succeeded without a word.
    private(set) var isUnsure = false

    init(
        name: ObjectName,
        identity: String,
        configuration: LeaderElectionConfiguration,
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.name = name
        self.identity = identity
        self.configuration = configuration
        self.random = random
    }

    // MARK: Where it stands

    /// Where the participant stands.
    func standing(at now: Duration) -> LeaderElectionStanding {
        if leads(at: now) { return .leading }
        if let observed, !isMissing, let holder = observed.record.holder, holder != identity, now < expiry(of: observed)
        {
            return .following(leader: holder)
        }
        return failure.map { .waiting($0) } ?? .following(leader: nil)
    }

    /// What tells the lease from an earlier one; empty when it was never seen.
    var leaseUID: String { observed?.metadata.uid ?? "" }

    /// When that changes if nothing comes; `nil` for never.
    func standingChanges(after now: Duration) -> Duration? {
        if let leadsUntil, now < leadsUntil { return leadsUntil }
        return observed.map(expiry(of:)).flatMap { now < $0 ? $0 : nil }
    }

    private func leads(at now: Duration) -> Bool {
        leadsUntil.map { now < $0 } ?? false
    }

    // MARK: What it does

    /// What is to be done.
    ///
    /// - Parameter date: the time of day, for what is written.
    func next(at now: Duration, date: MicroTime) -> Step {
        let mayTake = takeableFrom(at: now).map { max($0, nextWrite) }
        if mustRead {
            return now < nextTry ? .wait(until: nextTry) : .read
        }
        if let mayTake, now >= mayTake, !leads(at: now) || now >= nextTry || isMissing {
            return write(at: date)
        }
        if now >= nextTry, !leads(at: now) { return .read }
        if leads(at: now) { return .wait(until: isMissing ? nextWrite : max(nextTry, nextWrite)) }
        return .wait(until: min(nextTry, mayTake ?? nextTry))
    }

    /// From when on this participant may make itself the holder, as far as others are concerned.
    private func takeableFrom(at now: Duration) -> Duration? {
        // Without a lease and without anybody who may still lead: at once.
        guard let observed else { return isMissing ? .zero : nil }
        guard let holder = observed.record.holder, holder != identity else { return .zero }
        // Also when the lease was removed: its holder leads on and will make it anew.
        return expiry(of: observed)
    }

    /// When the record is no longer worth anything, unless it changes.
    private func expiry(of lease: Lease) -> Duration {
        guard let seconds = lease.record.leaseDurationSeconds, seconds > 0 else {
            return observedAt + configuration.leaseDuration
        }
        return observedAt + .seconds(seconds)
    }

    private func write(at date: MicroTime) -> Step {
        var record = isMissing ? LeaseRecord() : observed?.record ?? LeaseRecord()
        let isHolder = observed?.record.holder == identity
        if isHolder {
            record.acquireTime = observed?.record.acquireTime ?? date.text
            record.leaseTransitions = observed?.record.leaseTransitions ?? 0
        } else {
            record.acquireTime = date.text
            // The field has 32 bits.
            let before = observed?.record.leaseTransitions
            record.leaseTransitions = observed == nil ? 0 : min(before ?? 0, Int(Int32.max) - 1) + 1
        }
        record.holderIdentity = identity
        record.leaseDurationSeconds = Int(configuration.leaseDuration.components.seconds)
        record.renewTime = date.text
        guard !isMissing, var lease = observed else { return .create(Lease(name, record: record)) }
        lease.record = record
        return .replace(lease)
    }

    /// Gives up, and returns what to write so that others need not wait; `nil` when the lease is not this
    /// participant's.
    mutating func release(at date: MicroTime) -> Lease? {
        leadsUntil = nil
        mustRead = true
        guard !isMissing, var lease = observed, lease.record.holder == identity else { return nil }
        // What everybody writes who gives a lease back.
        lease.record.holderIdentity = ""
        lease.record.leaseDurationSeconds = 1
        lease.record.acquireTime = date.text
        lease.record.renewTime = date.text
        return lease
    }

    /// A write may have succeeded without a word.
    mutating func becomeUnsure() {
        isUnsure = true
    }

    // MARK: What comes

    /// The lease was read; `nil` when there is none.
    mutating func read(_ lease: Lease?, sentAt: Duration, at now: Duration) {
        learned()
        if !isOutdated(lease, sentAt: sentAt) {
            if let lease { observe(lease, at: now) } else { isMissing = true }
        }
        // Whoever holds it and has to read it is late already.
        nextTry = observed?.record.holder == identity ? now : now + retryPeriod()
    }

    /// Whether a watch told something newer while the lease was read.
    private func isOutdated(_ lease: Lease?, sentAt: Duration) -> Bool {
        guard let observed, !isMissing, seenAt >= sentAt else { return false }
        guard let lease else { return true }
        return ResourceVersion.is(lease.metadata.resourceVersion, before: observed.metadata.resourceVersion)
    }

    /// The lease cannot be read.
    mutating func readFailed(_ error: APIError, sentAt: Duration, at now: Duration) {
        failed(error, sentAt: sentAt, at: now)
    }

    /// A write succeeded.
    ///
    /// - Parameters:
    ///   - lease: what the server made of it.
    ///   - sentAt: when it was sent.
    mutating func wrote(_ lease: Lease, sentAt: Duration, at now: Duration) {
        learned()
        if !isOutdated(lease, sentAt: sentAt) { observe(lease, at: now) }
        guard observed?.record.holder == identity else { return }
        nextTry = sentAt + configuration.retryPeriod
        let until = sentAt + configuration.renewDeadline
        // An answer that comes too late proves nothing: others may have counted to the end.
        leadsUntil = now < until ? until : nil
    }

    /// A write failed, or nobody knows whether it did.
    mutating func writeFailed(_ error: APIError, sentAt: Duration, at now: Duration) {
        switch error {
        case .conflict: lookAgain(at: now)
        case .notFound where !isMissing: lookAgain(at: now)
        default:
            isUnsure = true
            failed(error, sentAt: sentAt, at: now)
        }
    }

    /// Something has changed: reads at once, but does not go round and round.
    private mutating func lookAgain(at now: Duration) {
        mustRead = true
        nextTry = now
        nextWrite = now + configuration.retryPeriod / 4
    }

    /// A watch tells of the lease; `nil` when it is gone. The watch may lag behind what was read and written.
    mutating func watched(_ lease: Lease?, at now: Duration) {
        guard let lease else {
            if observed != nil { isMissing = true }
            return
        }
        if let observed, !isMissing,
            ResourceVersion.is(lease.metadata.resourceVersion, before: observed.metadata.resourceVersion)
        {
            return
        }
        observe(lease, at: now)
        // As good as a reading for who does not lead; what failed may fail for another reason.
        if failure == nil { mustRead = false }
    }

    private mutating func observe(_ lease: Lease, at now: Duration) {
        isMissing = false
        seenAt = now
        if observed?.record != lease.record { observedAt = now }
        observed = lease
        if lease.record.holder != identity { leadsUntil = nil }
    }

    private mutating func learned() {
        mustRead = false
        isUnsure = false
        failure = nil
    }

    private mutating func failed(_ error: APIError, sentAt: Duration, at now: Duration) {
        failure = error
        mustRead = true
        guard !leads(at: now) else {
            // Who leads has no time to lose, whatever the server asks for.
            nextTry = max(now, sentAt + configuration.retryPeriod)
            return
        }
        nextTry = max(now, sentAt + retryPeriod())
        if case .busy(_, let time?) = error { nextTry = max(nextTry, now + min(time, Backoff.longestRetryAfter)) }
    }

    /// Up to a fifth longer by chance, so that participants do not stay in step.
    private mutating func retryPeriod() -> Duration {
        configuration.retryPeriod * Double.random(in: 1...1.2, using: &random)
    }
}
