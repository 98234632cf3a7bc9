package import GatewayCore

/// A record of how a decision came about, for explanations and tests.
///
/// The scheduler fills it only when asked; without it each step of a run costs one branch. With it a decision costs one
/// reading of the clock and four words for each plugin, and one number for each score. Thousands of records are kept,
/// and writing to memory that no processor has at hand is most of what that costs, so a record is one list of words
/// that only grows. What people read is made of it when they ask: ``commonSteps``, ``runs``.
package struct SchedulingTrace: Sendable {
    /// Whom a screener or filter left, and why.
    private struct Narrowing {
        let left: [Int]
        let rule: String
    }

    /// The first words of what stands in the log.
    private enum Tag {
        /// A profile begins, whose number is in the other bits. A word without a tag is a plugin's number: a step.
        static let run: UInt32 = 1 << 31
        /// A profile ends: whether its candidates were scored is in the other bits.
        static let end: UInt32 = 1 << 30
    }

    /// Every endpoint that the decision started with; positions refer to it.
    package internal(set) var endpoints: [EndpointSnapshot] = []
    /// When the last step ended.
    package private(set) var lastInstant: MonotonicInstant
    private let outline: TraceOutline
    private let clock: any MonotonicClock
    private var narrowings: [Narrowing] = []
    /// One behind the other:
    ///
    /// - a step: the plugin's number; a detail; its nanoseconds in two words, the low one first. The detail of a scorer
    ///   is how many scores follow, neither clamped nor weighted, in single precision; that of a screener or filter
    ///   is 1 more than its place in `narrowings`, or 0 when it removed nobody.
    /// - the begin of a profile's run: its tag.
    /// - the end: its tag, how many the picker picked, and their places among those who were scored.
    private var log: [UInt32] = []

    init(outline: TraceOutline, clock: any MonotonicClock, begunAt: MonotonicInstant) {
        self.outline = outline
        self.clock = clock
        lastInstant = begunAt
    }

    // MARK: - Filling

    /// Begins the time of the first step, and makes room.
    mutating func begin(_ candidates: Candidates) {
        endpoints = candidates.all
        let wordsOfRuns = outline.profiles.count * 4
        log.reserveCapacity(outline.entries.count * 4 + wordsOfRuns + outline.scorerCount * candidates.count)
        lastInstant = clock.now
    }

    /// Appends the step of the plugin with this number, which began where the last one ended.
    mutating func note(_ plugin: Int) {
        appendStep(plugin, detail: 0)
    }

    /// Appends the step of a screener or filter that removed somebody.
    ///
    /// - Parameters:
    ///   - plugin: its number.
    ///   - left: the positions that it left, ascending.
    ///   - rule: by what rule, in words.
    mutating func note(_ plugin: Int, left: [Int], rule: String) {
        narrowings.append(Narrowing(left: left, rule: rule))
        appendStep(plugin, detail: narrowings.count)
    }

    /// Appends a scorer's step with its scores.
    mutating func note(_ plugin: Int, scores: Span<Double>) {
        appendStep(plugin, detail: scores.count)
        log.append(addingCapacity: scores.count) { output in
            output.withUnsafeMutableBufferPointer { free, count in
                // Without an addition that could overflow, so that several numbers are converted at once.
                let rest = UnsafeMutableBufferPointer(rebasing: free[count...])
                scores.withUnsafeBufferPointer { scores in
                    for index in scores.indices {
                        rest.initializeElement(at: index, to: Float(scores[index]).bitPattern)
                    }
                }
                count += scores.count
            }
        }
    }

    /// Begins the run of the profile with this number.
    mutating func beginRun(of profile: Int) {
        log.append(Tag.run | UInt32(truncatingIfNeeded: profile))
    }

    /// Ends a run whose filters left nobody.
    mutating func endRun() {
        log.append(Tag.end)
        log.append(0)
    }

    /// Ends a run whose candidates were scored; without picks when the picker failed.
    mutating func endRun(picks: [Int]) {
        log.append(Tag.end | 1)
        log.append(UInt32(truncatingIfNeeded: picks.count))
        for pick in picks { log.append(UInt32(truncatingIfNeeded: pick)) }
    }

    private mutating func appendStep(_ plugin: Int, detail: Int) {
        let now = clock.now
        let nanoseconds = UInt64(bitPattern: now.nanoseconds &- lastInstant.nanoseconds)
        lastInstant = now
        log.append(UInt32(truncatingIfNeeded: plugin))
        log.append(UInt32(truncatingIfNeeded: detail))
        log.append(UInt32(truncatingIfNeeded: nanoseconds))
        log.append(UInt32(truncatingIfNeeded: nanoseconds >> 32))
    }
}

// MARK: - Reading

extension SchedulingTrace {
    /// Tells the number and the nanoseconds of each step, without making anything that people read.
    func forEachStep(_ body: (_ plugin: Int, _ nanoseconds: Int64) -> Void) {
        var place = 0
        while place < log.count {
            let word = log[place]
            if word & Tag.run != 0 {
                place += 1
            } else if word & Tag.end != 0 {
                place += 2 + Int(log[place + 1])
            } else {
                let plugin = Int(word)
                body(plugin, Int64(bitPattern: UInt64(log[place + 3]) << 32 | UInt64(log[place + 2])))
                place += 4
                if outline.entries[plugin].stage == .scorer { place += Int(log[place - 3]) }
            }
        }
    }

    /// What a plugin did.
    package struct Step: Sendable {
        /// The plugin's place in the pipeline.
        package enum Stage: String, Sendable {
            case screener, producer, admitter, filter, scorer, picker
        }

        /// The plugin's place.
        package let stage: Stage
        /// The plugin's name.
        package let name: String
        /// The plugin's type.
        package let type: String
        /// How long it took, with what the scheduler did around it.
        package let nanoseconds: Int64
        /// The positions of the candidates that a screener or filter left, ascending; `nil` for other stages.
        package let left: [Int]?
        /// By what rule a screener or filter that removed somebody decides, in words.
        package let rule: String?
        /// A scorer's weight in the profile.
        package let weight: Double
        /// A scorer's raw scores, neither clamped nor weighted, one per candidate of ``ProfileRun/scored``; empty for
        /// other stages.
        package let scores: [Float]
    }

    /// One run of one profile.
    package struct ProfileRun: Sendable {
        /// The profile's name.
        package let profile: String
        /// The filters that ran, the scorers, the picker. Filters behind one that left nobody did not run.
        package fileprivate(set) var steps: [Step] = []
        /// The positions of the candidates that were scored, ascending; ``sums`` is in this order. Empty when the
        /// filters left nobody.
        package fileprivate(set) var scored: [Int] = []
        /// The weighted sums, one per scored candidate.
        package fileprivate(set) var sums: [Float] = []
        /// The places in ``scored`` of those whom the picker chose, best first; empty when the filters left nobody.
        package fileprivate(set) var picks: [Int] = []
    }

    /// What ran before the first profile: screeners, producers and admitters.
    package var commonSteps: [Step] { steps().common }

    /// The profile runs, in the order in which they ran.
    package var runs: [ProfileRun] { steps().runs }

    /// Whom `run` picked, best first.
    package func picked(in run: ProfileRun) -> [EndpointID] {
        run.picks.map { endpoints[run.scored[$0]].id }
    }

    /// ``commonSteps`` and ``runs`` at once, for whoever needs both.
    package func steps() -> (common: [Step], runs: [ProfileRun]) {
        var common: [Step] = []
        var runs: [ProfileRun] = []
        var start = Array(endpoints.indices)
        var left = start
        var rest = log[...]
        while let word = rest.first {
            if word & Tag.run != 0 {
                rest.removeFirst()
                if runs.isEmpty { start = left }
                left = start
                runs.append(ProfileRun(profile: outline.profiles[Int(word & ~Tag.run)]))
            } else if word & Tag.end != 0 {
                let picks = rest.dropFirst(2).prefix(Int(rest[rest.startIndex + 1]))
                rest = rest[picks.endIndex...]
                if word & ~Tag.end != 0 { runs[runs.count - 1].finish(scored: left, picks: picks.map { Int($0) }) }
            } else {
                let step = readStep(&rest, &left)
                if runs.isEmpty { common.append(step) } else { runs[runs.count - 1].steps.append(step) }
            }
        }
        return (common, runs)
    }

    /// Takes a step from the front of `rest`; `left` has the positions before it, and those that it left afterwards.
    private func readStep(_ rest: inout ArraySlice<UInt32>, _ left: inout [Int]) -> Step {
        let words = Array(rest.prefix(4))
        rest.removeFirst(4)
        let entry = outline.entries[Int(words[0])]
        var scores: [Float] = []
        if entry.stage == .scorer {
            scores = rest.prefix(Int(words[1])).map { Float(bitPattern: $0) }
            rest.removeFirst(scores.count)
        }
        let narrows = entry.stage == .screener || entry.stage == .filter
        let narrowing = narrows && words[1] > 0 ? narrowings[Int(words[1]) - 1] : nil
        if let narrowing { left = narrowing.left }
        return Step(
            stage: entry.stage,
            name: entry.name,
            type: entry.type,
            nanoseconds: Int64(bitPattern: UInt64(words[3]) << 32 | UInt64(words[2])),
            left: narrows ? left : nil,
            rule: narrowing?.rule,
            weight: entry.weight,
            scores: scores
        )
    }
}

extension SchedulingTrace.ProfileRun {
    /// Takes what the run ended with. The sums are made of the scores as ``ScoreBuffer`` makes them.
    fileprivate mutating func finish(scored: [Int], picks: [Int]) {
        self.scored = scored
        self.picks = picks
        sums = scored.indices.map { place in
            Float(
                steps.reduce(0.0) { sum, step in
                    step.scores.isEmpty ? sum : sum + ScoreBuffer.clamped(Double(step.scores[place])) * step.weight
                }
            )
        }
    }
}
