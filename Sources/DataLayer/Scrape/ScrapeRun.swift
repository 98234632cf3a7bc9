package import GatewayCore
import Synchronization
package import Telemetry

/// One run of a ``Scraper``: sends what the agenda finds due, and writes what comes back into the store.
///
/// All of it happens in callbacks of the timer and of the transport. One timer is set, for whatever is due first; the
/// endpoints of a group are due at the same instant and are asked in one go. Safe from any thread: findings are written
/// under the run's lock, so that nothing is written any more when ``stop()`` has returned.
package final class ScrapeRun: Sendable {
    private struct Alarm {
        let due: MonotonicInstant
        let place: any Cancellable
    }

    private struct State {
        var agenda: ScrapeAgenda
        var alarm: Alarm?
        var isStopped = false
    }

    /// The time between two looks when more is due than is asked at once.
    private static let pause = Duration.milliseconds(5)

    private let store: EndpointStore
    private let http: any OutboundHTTP
    private let timer: any CallbackTimer
    private let clock: any MonotonicClock
    private let metrics: DataLayerMetrics?
    private let state: Mutex<State>

    /// Makes a run that asks nobody yet.
    ///
    /// - Parameters:
    ///   - store: whose endpoints to ask, and where the answers go.
    ///   - http: asks.
    ///   - timer: tells when the next question is due; runs its work where `http` runs its completions.
    ///   - clock: the same clock as the store's and the timer's.
    ///   - configuration: what to ask, and how often.
    ///   - metrics: counts; `nil` counts nothing.
    package init(
        store: EndpointStore,
        http: any OutboundHTTP,
        timer: any CallbackTimer,
        clock: any MonotonicClock,
        configuration: ScrapeConfiguration,
        metrics: DataLayerMetrics?
    ) {
        self.store = store
        self.http = http
        self.timer = timer
        self.clock = clock
        self.metrics = metrics
        state = Mutex(State(agenda: ScrapeAgenda(configuration: configuration)))
    }

    /// Looks which endpoints the store has now: new ones are asked at once, and gone ones are asked nothing more.
    package func followMembership() {
        let now = clock.now
        let gone: [any Cancellable] = state.withLock { state in
            if state.isStopped { return [] }
            let gone = state.agenda.watch(store.current.endpoints, at: now)
            setAlarm(for: state.agenda.nextDue, &state)
            return gone
        }
        for call in gone { call.cancel() }
    }

    /// Calls everything off. Nothing is asked or written from then on; does nothing when called again.
    package func stop() {
        let (alarm, calls) = state.withLock { state in
            state.isStopped = true
            defer { state.alarm = nil }
            return (state.alarm, state.agenda.watch([], at: MonotonicInstant(nanoseconds: 0)))
        }
        alarm?.place.cancel()
        for call in calls { call.cancel() }
    }

    private func askWhatIsDue() {
        let now = clock.now
        let questions: [ScrapeAgenda.Question] = state.withLock { state in
            if state.isStopped { return [] }
            // A later one was set while this one was on its way.
            if let alarm = state.alarm, alarm.due <= now { state.alarm = nil }
            return state.agenda.takeDue(at: now, from: store)
        }
        for question in questions { ask(question) }
        state.withLock { state in
            if state.isStopped { return }
            let next = state.agenda.nextDue
            // What was left for later is due already. The transport gets a moment in between: it looks at its
            // connections only when nothing is due at once, and they would all be open together.
            let isLeft = next.map { $0 <= now } ?? false
            setAlarm(for: isLeft ? clock.now.advanced(by: Self.pause) : next, &state)
        }
    }

    private func ask(_ question: ScrapeAgenda.Question) {
        let call = http.get(question.request) { result in self.take(result, to: question) }
        let isWanted = state.withLock { !$0.isStopped && $0.agenda.note(call, of: question) }
        if !isWanted { call.cancel() }
    }

    private func take(_ result: Result<OutboundResponse, OutboundFailure>, to question: ScrapeAgenda.Question) {
        let now = clock.now
        state.withLock { state in
            guard !state.isStopped, let answer = state.agenda.take(result, to: question, at: now) else { return }
            write(answer.finding, of: question.life, at: now)
            count(answer.finding)
            setAlarm(for: answer.nextDue, &state)
        }
    }

    /// Sees to it that the agenda is looked at when `due` has come.
    private func setAlarm(for due: MonotonicInstant?, _ state: inout State) {
        guard let due else { return }
        if let alarm = state.alarm {
            if alarm.due <= due { return }
            alarm.place.cancel()
        }
        state.alarm = Alarm(due: due, place: timer.schedule(at: due) { [weak self] in self?.askWhatIsDue() })
    }

    private func write(_ finding: ScrapeFinding, of life: EndpointLife, at now: MonotonicInstant) {
        switch finding.reach {
        case .unknown: break
        case .answered: store.scrapeAnswered(life, startedAt: finding.startedAt)
        case .refused(let detail): store.scrapeRefused(life, detail: detail, startedAt: finding.startedAt)
        }
        if let found = finding.metrics {
            store.record(
                metrics: found, attributes: finding.attributes, for: life, at: now, requests: finding.requests
            )
        } else if !finding.attributes.isEmpty {
            store.record(attributes: finding.attributes, for: life)
        }
        if let models = finding.models { store.record(models: models, for: life) }
        store.record(faults: finding.faults, from: finding.source, for: life)
    }

    private func count(_ finding: ScrapeFinding) {
        guard let metrics else { return }
        if finding.isPollError { metrics.pollErrors.child(finding.source).increment() }
        if let extractor = finding.failedExtractor {
            metrics.extractErrors.child(finding.source, extractor).increment()
        }
        for fault in finding.faults { metrics.faults(fault.field, fault.reason).increment() }
        guard let result = finding.result else { return }
        metrics.scrapes(result).increment()
        metrics.scrapeDuration.observe(clock.now.since(finding.startedAt).fractionalSeconds)
    }
}
