package import GatewayCore

/// A record of how a decision came about, for explanations and tests.
///
/// The scheduler fills it only when asked; without it each step of a run costs one branch. With it a decision costs one
/// reading of the clock and a few words for each plugin, and one number for each score: thousands of records are kept,
/// so what they hold is shared with the decision where it can be.
package struct SchedulingTrace: Sendable {
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
        /// How long it took, with what the scheduler did around it.
        package let nanoseconds: Int64
        /// The positions of the candidates that a screener or filter left, ascending; `nil` for other stages.
        package var left: [Int]?
        /// By what rule a screener or filter that removed somebody decides, in words.
        package var rule: String?
        /// A scorer's weight in the profile.
        package var weight = 1.0
        /// Where a scorer's scores stand in ``SchedulingTrace/scores``.
        fileprivate var firstScore = 0
    }

    /// One run of one profile.
    package struct ProfileRun: Sendable {
        /// The profile's name.
        package let profile: String
        /// Where its steps stand in ``SchedulingTrace/steps``: the filters that ran, the scorers, the picker. Filters
        /// behind one that left nobody did not run.
        package fileprivate(set) var steps: Range<Int>
        /// The positions of the candidates that the filters left, ascending; ``sums`` is in this order.
        package fileprivate(set) var scored: [Int] = []
        /// The weighted sums, one per scored candidate.
        package fileprivate(set) var sums: [Double] = []
        /// The places in ``scored`` of those whom the picker chose, best first; empty when the filters left nobody.
        package fileprivate(set) var picks: [Int] = []
    }

    /// Every endpoint that the decision started with; positions refer to it.
    package internal(set) var endpoints: [EndpointSnapshot] = []
    /// What ran, in order; the screeners, producers and admitters stand before the first profile's steps.
    package private(set) var steps: [Step] = []
    /// The profile runs, in the order in which they ran.
    package private(set) var runs: [ProfileRun] = []
    /// The scorers' raw scores, neither clamped nor weighted, one after the other.
    private var scores: [Float] = []
    private let clock: any MonotonicClock
    private var lapStart: MonotonicInstant

    /// Makes an empty record whose times are `clock`'s.
    package init(clock: any MonotonicClock) {
        self.clock = clock
        lapStart = clock.now
    }

    /// The steps outside of profiles.
    package var commonSteps: ArraySlice<Step> { steps[..<(runs.first?.steps.lowerBound ?? steps.count)] }

    /// The raw scores that `scorer` gave in `run`, one per candidate of ``ProfileRun/scored``.
    package func scores(of scorer: Step, in run: ProfileRun) -> ArraySlice<Float> {
        scores[scorer.firstScore..<scorer.firstScore + run.scored.count]
    }

    /// Whom `run` picked, best first.
    package func picked(in run: ProfileRun) -> [EndpointID] {
        run.picks.map { endpoints[run.scored[$0]].id }
    }

    // MARK: - Filling

    /// Makes room for `count` steps.
    mutating func reserve(steps count: Int, scores scoreCount: Int) {
        steps.reserveCapacity(count)
        scores.reserveCapacity(scoreCount)
    }

    /// Begins the time of the next step.
    mutating func beginLap() {
        lapStart = clock.now
    }

    /// Appends a step that began where the last one ended.
    mutating func note(_ stage: Step.Stage, _ name: String, left: [Int]? = nil, rule: String? = nil) {
        let now = clock.now
        let took = now.nanoseconds &- lapStart.nanoseconds
        lapStart = now
        steps.append(Step(stage: stage, name: name, nanoseconds: took, left: left, rule: rule))
    }

    /// Appends a scorer's step with its scores.
    mutating func note(_ scorer: WeightedScorer, scores new: Span<Double>) {
        note(.scorer, scorer.name)
        steps[steps.count - 1].weight = scorer.weight
        steps[steps.count - 1].firstScore = scores.count
        for index in new.indices { scores.append(Float(new[index])) }
    }

    /// Begins the run of a profile.
    mutating func beginRun(of profile: String) {
        runs.append(ProfileRun(profile: profile, steps: steps.count..<steps.count))
        beginLap()
    }

    /// Ends the run with what it found; without arguments, when the filters left nobody or the picker failed.
    mutating func endRun(scored: [Int] = [], sums: [Double] = [], picks: [Int] = []) {
        let last = runs.count - 1
        runs[last].steps = runs[last].steps.lowerBound..<steps.count
        runs[last].scored = scored
        runs[last].sums = sums
        runs[last].picks = picks
    }
}
