import DataLayer
import FlowControl
import GatewayCore
import RequestControl
import Scheduling
import Synchronization

// The queue in front of the endpoints: who is woken, when time alone changes something, and what must hold.
extension GatewaySimulation {
    /// The queue of a configuration that has one.
    static func flowController(
        of store: EndpointStore,
        _ scheduler: Scheduler,
        _ configuration: SimulationConfiguration,
        _ clock: any MonotonicClock
    ) -> FlowController? {
        guard let settings = scheduler.flowControl, let detector = scheduler.saturationDetector else { return nil }
        let controller = FlowController(
            settings: settings,
            rooms: PoolRooms(endpoints: store, detector: detector),
            evictionGrace: detector.metricsLifetime == nil
                ? .milliseconds(10) : configuration.scrape.interval + .milliseconds(250),
            clock: clock,
            timer: nil
        )
        controller.setPriorities(Set(configuration.priorities.values))
        return controller
    }

    /// Takes what exchanges asked for, in its order: it happens at this instant, behind what happens already.
    ///
    /// - Returns: whether there was anything.
    @discardableResult
    func takeWakes() -> Bool {
        var isAnyone = false
        for (number, wake) in wakes.takeAll() {
            isAnyone = true
            if wake == .resume, let run = runs[number] {
                let isDispatched = run.exchange.admission?.outcome == .dispatched
                find(queueCheck.decide(number, isDispatched: isDispatched))
            }
            queue.schedule(.wake(number: number, wake), at: now)
        }
        return isAnyone
    }

    /// Does what an exchange asked for.
    func wakeUp(_ number: Int, _ wake: RequestExchange.Wake) {
        guard let run = runs[number] else { return }
        switch wake {
        case .resume:
            note(12, number)
            queueCheck.told(number)
            let first = run.exchange.resume()
            if configuration.breakage == .answersTwice, number % 7 == 0 { perform(run.exchange.resume(), number) }
            perform(first, number)
        case .evict:
            note(13, number)
            let isRelaying = run.isRelaying
            queueCheck.ends(number, cost: nil)
            guard let reply = run.exchange.evict() else { return }
            closeAttempt(number) { attempt in
                endpoints[attempt.endpoint].abandon(attempt.submission.id, at: now)
            }
            end(number, isRelaying ? .brokenOff : .refused(status: reply.status))
        }
    }

    /// Sees to it that the queue is looked at when it wants to be.
    func setQueueAlarm() {
        guard let due = flowControl?.nextWake, due < nextAlarm ?? due.advanced(by: .nanoseconds(1)) else { return }
        nextAlarm = due
        queue.schedule(.queueAlarm, at: max(due, now))
    }

    /// What of the queue does not hold now; `nil` when all does.
    var queueFault: String? {
        guard let flowControl else { return nil }
        let statistics = flowControl.statistics()
        for band in statistics.bands {
            if band.requests > band.maxRequests || band.bytes > band.maxBytes {
                return "\(band.requests) requests of \(band.bytes) bytes wait in the priority \(band.priority)"
            }
        }
        if let limit = statistics.maxRequests, statistics.requests > limit {
            return "\(statistics.requests) requests wait, and \(limit) may"
        }
        if let limit = statistics.maxBytes, statistics.bytes > limit {
            return "\(statistics.bytes) bytes wait, and \(limit) may"
        }
        if statistics.requests + queueCheck.decided.count != queueCheck.count {
            return "the gateway has \(statistics.requests) requests in its queue, and \(queueCheck.count) wait"
        }
        return idleRoom
    }

    /// That somebody waits while an endpoint has room, if it is so.
    private var idleRoom: String? {
        guard promises.conservesWork, queueCheck.isAnyoneWaiting, queueCheck.decided.isEmpty, queue.nextTime != now,
            let detector
        else { return nil }
        let available = store.current.available
        let known = available.compactMap { endpoint in
            detector.fullness(of: endpoint, adding: .none, now: now).map { (endpoint, $0) }
        }
        if !available.isEmpty, known.isEmpty { return "requests wait, and nothing is known that speaks against them" }
        guard let free = known.first(where: { $0.1 < 1 }) else { return nil }
        return "requests wait, and \(free.0.id.name) has room: it is \(free.1) full"
    }

    /// Keeps the first thing that was found wrong.
    func find(_ what: String?) {
        if finding == nil { finding = what }
    }
}

/// What exchanges ask for while the simulation does something else.
final class WakeInbox: Sendable {
    private let wakes = Mutex<[(number: Int, wake: RequestExchange.Wake)]>([])

    func add(_ number: Int, _ wake: RequestExchange.Wake) {
        wakes.withLock { $0.append((number, wake)) }
    }

    func takeAll() -> [(number: Int, wake: RequestExchange.Wake)] {
        wakes.withLock { wakes in
            defer { wakes = [] }
            return wakes
        }
    }
}
