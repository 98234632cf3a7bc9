import LoadGenerator

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The line on the terminal that tells how a load goes.
struct BenchProgress: Sendable {
    private static let barWidth = 24
    private static let period = Duration.milliseconds(250)

    private let load: LoadPlan
    private let turns: Int
    private let place: String
    private let start = ContinuousClock.now

    /// A line for a load; `nil` when standard error is no terminal or none is wanted.
    init?(load: LoadPlan, turns: Int, place: String, isQuiet: Bool) {
        guard !isQuiet, isatty(StandardStream.error.rawValue) == 1 else { return nil }
        self.init(load: load, turns: turns, place: place)
    }

    /// A line for a load.
    init(load: LoadPlan, turns: Int, place: String) {
        self.load = load
        self.turns = turns
        self.place = place
    }

    /// Writes the line anew four times a second until the task is cancelled.
    func follow(_ driver: LoadDriver) async throws {
        while !Task.isCancelled {
            if let progress = try await driver.progress() {
                let seconds = start.duration(to: .now) / .seconds(1)
                let text = line(progress.measure, inFlight: progress.inFlight, seconds: seconds)
                StandardStream.error.write("\r\(text)\u{1B}[K")
            }
            do { try await Task.sleep(for: Self.period) } catch { return }
        }
    }

    /// Takes the line away.
    func clear() {
        StandardStream.error.write("\r\u{1B}[K")
    }

    /// The line: a bar, and what was measured so far.
    func line(_ measure: RunMeasure, inFlight: Int, seconds: Double) -> String {
        let done = measure.completed + measure.failed + measure.warmUp
        let byTime = load.seconds.map { seconds / $0 }
        let byCount = load.conversations.map { Double(done) / Double(max(1, $0 * turns)) }
        // The one that is further on ends the load.
        let share = min(1, max(byTime ?? 0, byCount ?? 0))
        let filled = Int(share * Double(Self.barWidth))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.barWidth - filled)
        var parts = ["\(done) done"]
        if measure.failed > 0 { parts.append("\(measure.failed) failed") }
        parts.append("\(inFlight) in flight")
        if seconds > 0.5 {
            parts.append("\((Double(done) / seconds).fixed(1)) req/s")
            parts.append("\((Double(measure.outputTokens) / seconds).fixed(0)) tok/s")
        }
        if let median = measure.timeToFirstToken.quantile(0.5) {
            parts.append("TTFT p50 \((median / 1e6).fixed(1)) ms")
        }
        let front = place.isEmpty ? "" : place + " "
        return "\(front)\(bar) \((share * 100).fixed(0)) %  \(seconds.fixed(0)) s  " + parts.joined(separator: "  ")
    }
}
