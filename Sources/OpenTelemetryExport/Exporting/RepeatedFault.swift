import NIOCore

/// Says when a fault that comes again and again is worth a line: at once, and then not more often than once a minute.
struct RepeatedFault {
    private static let pause = TimeAmount.seconds(60)
    private var lastTold: NIODeadline?
    private var untold = 0

    /// Whether the last thing that happened was the fault.
    private(set) var isPresent = false

    /// The fault came. Returns how often it came without a line, if there is to be one now.
    mutating func came(at now: NIODeadline) -> Int? {
        isPresent = true
        if let lastTold, now - lastTold < Self.pause {
            untold += 1
            return nil
        }
        defer { untold = 0 }
        lastTold = now
        return untold
    }

    /// All is well. Returns whether it was not before.
    mutating func ended() -> Bool {
        defer { isPresent = false }
        return isPresent
    }
}
