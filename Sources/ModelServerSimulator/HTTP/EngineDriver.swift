import NIOCore

/// Hears what happens to the requests it submitted. All calls come on the driver's event loop.
protocol EngineObserver: AnyObject {
    /// Takes one event.
    func receive(_ event: EngineEvent)

    /// Called once after the events of one moment, to write what they amount to.
    func eventsEnded()
}

/// Lets an engine live in the time of the clock: submits what arrives and wakes up for what happens next.
///
/// Confined to one event loop, as everything behind the sockets of a simulated server is; so it needs no lock.
final class EngineDriver {
    private(set) var engine: SimulatedEngine
    private let loop: any EventLoop
    private let start: NIODeadline
    private let timeScale: Double
    private var observers: [SimulatedRequestID: any EngineObserver] = [:]
    private var wakeUp: (time: SimulatedTime, task: Scheduled<Void>)?
    private var isDriving = false
    private var mustDriveAgain = false

    /// Called when the requests in the engine may be others than before: after a submission, and after each moment with
    /// events.
    var onChange: (() -> Void)?

    init(engine: SimulatedEngine, loop: any EventLoop, timeScale: Double) {
        self.engine = engine
        self.loop = loop
        self.start = .now()
        self.timeScale = timeScale
    }

    /// The virtual time of this moment.
    var now: SimulatedTime {
        let elapsed = Double((NIODeadline.now() - start).nanoseconds) * timeScale
        return SimulatedTime(nanoseconds: Int64(min(elapsed, 9e18)))
    }

    /// Requests submitted and not ended.
    var activeCount: Int {
        observers.count
    }

    /// Submits a request; `drive()` must follow.
    func submit(
        _ request: SimulatedRequest,
        observer: any EngineObserver
    ) throws(SimulatedRejection) -> SimulatedRequestID {
        let id = try engine.submit(request, now: now)
        observers[id] = observer
        onChange?()
        return id
    }

    /// Cancels a request; its observer hears nothing more. A request that has ended stays ended.
    func cancel(_ id: SimulatedRequestID) {
        guard observers.removeValue(forKey: id) != nil else {
            return
        }
        _ = engine.cancel(id, now: now)
    }

    /// Changes the engine, such as its speed.
    func withEngine(_ change: (inout SimulatedEngine) -> Void) {
        change(&engine)
    }

    /// Lets happen what is due, tells the observers, and sets the alarm for what comes next.
    func drive() {
        // An observer may submit the next request of its connection. That request is driven by the loop here, not by a
        // call within the call, or a long pipeline would exhaust the stack.
        guard !isDriving else {
            mustDriveAgain = true
            return
        }
        isDriving = true
        repeat {
            mustDriveAgain = false
            deliver(engine.advance(to: now))
        } while mustDriveAgain
        isDriving = false
        setAlarm()
    }

    /// Forgets everything and wakes up no more.
    func stop() {
        wakeUp?.task.cancel()
        wakeUp = nil
        for id in observers.keys {
            _ = engine.cancel(id, now: now)
        }
        observers.removeAll()
    }

    private func deliver(_ events: [EngineEvent]) {
        guard !events.isEmpty else {
            return
        }
        var touched: [ObjectIdentifier: any EngineObserver] = [:]
        var order: [any EngineObserver] = []
        for event in events {
            guard let observer = observers[event.id] else {
                continue
            }
            if case .finished = event.kind {
                observers[event.id] = nil
            }
            observer.receive(event)
            if touched.updateValue(observer, forKey: ObjectIdentifier(observer)) == nil {
                order.append(observer)
            }
        }
        onChange?()
        for observer in order {
            observer.eventsEnded()
        }
    }

    private func setAlarm() {
        guard let next = engine.nextEventTime() else {
            wakeUp?.task.cancel()
            wakeUp = nil
            return
        }
        if let wakeUp, wakeUp.time <= next {
            return
        }
        wakeUp?.task.cancel()
        // Rounded up, so that at the alarm the event is due.
        let nanoseconds = min((Double(next.nanoseconds) / timeScale).rounded(.up) + 1, 9e18)
        let deadline = start + .nanoseconds(Int64(nanoseconds))
        let task = loop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.wakeUp = nil
            self.drive()
        }
        wakeUp = (next, task)
    }
}
