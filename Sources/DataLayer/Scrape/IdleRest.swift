import GatewayCore

/// Whether the next look at the metrics page of an idle endpoint may be left out. A pure value beside the page's
/// ``ScrapeSchedule``; the caller passes the time.
///
/// A page that shows no work is good for the idle interval, as long as nothing of the gateway's is in flight at the
/// endpoint. The grid of the schedule stays as it is: when a point of it comes, the ledger's count is read, which is
/// one relaxed load, and nothing is added to the path of a request. So an endpoint that has work is looked at when it
/// would be without any rest, and an idle one no later than the idle interval after its last look.
struct IdleRest: Sendable {
    private let interval: Duration
    private let load: EndpointLoad
    private var end: MonotonicInstant?

    /// A rest that has not begun, of the life of an endpoint whose load is `load`.
    init(interval: Duration, load: EndpointLoad) {
        self.interval = interval
        self.load = load
    }

    /// Takes what the answer to the question of `askedAt` showed; an answer without a page shows no idleness.
    mutating func answered(isIdle: Bool, askedAt: MonotonicInstant) {
        end = isIdle ? askedAt.advanced(by: interval) : nil
    }

    /// Leaves out the look that `schedule` has for `now`, when the one behind it is early enough and there is no work.
    mutating func skip(_ schedule: inout ScrapeSchedule, at now: MonotonicInstant) {
        guard let end, schedule.nextDue <= now else { return }
        var later = schedule
        later.finished(.answered, at: now)
        if load.requests == 0, later.nextDue <= end {
            schedule = later
        } else {
            self.end = nil
        }
    }
}
