import GatewayCore
import NIOCore

/// Runs work on an event loop at instants of a clock.
struct EventLoopTimer: CallbackTimer {
    /// A work's place in the event loop's queue.
    private struct Place: Cancellable {
        let task: Scheduled<Void>

        func cancel() {
            task.cancel()
        }
    }

    /// Nothing is arranged for later than this: far instants would not fit the event loop's time line.
    private static let delayMax = Duration.seconds(365 * 86_400)

    let loop: any EventLoop
    let clock: any MonotonicClock

    func schedule(at instant: MonotonicInstant, _ work: @escaping @Sendable () -> Void) -> any Cancellable {
        let delay = min(max(instant.since(clock.now), .zero), Self.delayMax)
        return Place(task: loop.scheduleTask(in: .nanoseconds(delay.wholeNanoseconds), work))
    }
}
