/// Something that was arranged for later and can be called off.
public protocol Cancellable: Sendable {
    /// Calls it off: from then on its callback does not begin. Does nothing when it is over. Safe from any thread.
    func cancel()
}

/// Runs work at an instant of its clock without a task that waits for it.
///
/// For work that is due many times a second: waking a task costs several times what the work itself does. Production
/// uses an event loop's thread; tests step a manual clock.
public protocol CallbackTimer: Sendable {
    /// Calls `work` once, when `instant` has come; soon, when it has passed already. Safe from any thread.
    ///
    /// - Parameters:
    ///   - instant: on the time line of the clock that goes with the timer.
    ///   - work: must not block; begins after this returned or on another thread, never inside the call.
    /// - Returns: what calls it off.
    func schedule(at instant: MonotonicInstant, _ work: @escaping @Sendable () -> Void) -> any Cancellable
}
