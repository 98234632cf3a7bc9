package import GatewayCore

/// A record of how a decision came about, for explanations and tests.
///
/// The scheduler fills it only when asked; without it each step of a run costs one branch. With it a step costs two
/// readings of the clock and, where it narrows or scores, one copy of what it left.
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
        /// How long it took.
        package let nanoseconds: Int64
        /// The positions of the candidates that a screener or filter left, ascending; `nil` for other stages.
        package var left: [Int]?
        /// By what rule a screener or filter that removed somebody decides, in words.
        package var rule: String?
        /// A scorer's weight in the profile.
        package var weight = 1.0
        /// A scorer's raw scores, neither clamped nor weighted, one per candidate of the run's ``ProfileRun/scored``.
        package var scores: [Double] = []
    }

    /// One run of one profile.
    package struct ProfileRun: Sendable {
        /// The profile's name.
        package let profile: String
        /// The filters that ran, the scorers, and the picker, in order; those behind a filter that left nobody did not
        /// run.
        package internal(set) var steps: [Step] = []
        /// The positions of the candidates that the filters left, ascending; ``sums`` is in this order.
        package internal(set) var scored: [Int] = []
        /// The weighted sums, one per scored candidate.
        package internal(set) var sums: [Double] = []
        /// Whom the picker chose, best first; empty when the filters left nobody.
        package internal(set) var picked: [EndpointID] = []

        init(_ profile: SchedulingProfile) {
            self.profile = profile.name
        }
    }

    /// Every endpoint that the decision started with; positions refer to it.
    package internal(set) var endpoints: [EndpointSnapshot] = []
    /// The screeners, producers and admitters that ran, in order.
    package internal(set) var steps: [Step] = []
    /// The profile runs, in the order in which they ran.
    package internal(set) var runs: [ProfileRun] = []
    private let clock: any MonotonicClock

    /// Makes an empty record whose times are `clock`'s.
    package init(clock: any MonotonicClock) {
        self.clock = clock
    }

    /// The present instant.
    var now: MonotonicInstant { clock.now }

    /// The nanoseconds from `start` to now.
    func nanoseconds(since start: MonotonicInstant) -> Int64 {
        clock.now.nanoseconds &- start.nanoseconds
    }

    /// Appends a step outside of profiles that began at `start` and ends now.
    mutating func note(
        _ stage: Step.Stage,
        _ name: String,
        since start: MonotonicInstant,
        left: [Int]? = nil,
        rule: String? = nil
    ) {
        let nanoseconds = nanoseconds(since: start)
        steps.append(Step(stage: stage, name: name, nanoseconds: nanoseconds, left: left, rule: rule))
    }
}
