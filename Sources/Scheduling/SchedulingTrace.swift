package import GatewayCore

/// A record of how a decision came about, for explanations and tests.
///
/// The scheduler fills it only when asked; without it each step of a run costs one branch.
package struct SchedulingTrace: Sendable {
    /// A filter and whom it removed.
    package struct FilterRun: Sendable {
        /// The filter's name.
        package let name: String
        /// The endpoints that it removed, in candidate order.
        package let removed: [EndpointID]
    }

    /// A scorer and what it said.
    package struct ScorerRun: Sendable {
        /// The scorer's name.
        package let name: String
        /// Its weight in the profile.
        package let weight: Double
        /// Its raw scores, neither clamped nor weighted, one per scored endpoint.
        package let scores: [Double]
    }

    /// One run of one profile.
    package struct ProfileRun: Sendable {
        /// The profile's name.
        package let profile: String
        /// The endpoints that the profile started with.
        package let candidates: [EndpointID]
        /// The filters that ran, in order; those behind one that left nobody did not run.
        package internal(set) var filters: [FilterRun] = []
        /// The endpoints that the filters left, in candidate order; ``scorers`` and ``sums`` are in this order.
        package internal(set) var scored: [EndpointID] = []
        /// The scorers in order.
        package internal(set) var scorers: [ScorerRun] = []
        /// The weighted sums, one per scored endpoint.
        package internal(set) var sums: [Double] = []
        /// The picker's name.
        package let picker: String
        /// Whom it picked, best first; empty when the filters left nobody.
        package internal(set) var picked: [EndpointID] = []

        init(_ profile: SchedulingProfile, candidates: Candidates) {
            self.profile = profile.name
            self.candidates = candidates.identifiers
            picker = profile.pickerName
        }
    }

    /// The profile runs, in the order in which they ran.
    package internal(set) var runs: [ProfileRun] = []

    /// Makes an empty record.
    package init() {}
}

extension Candidates {
    /// The names of the candidates that are left, in order.
    var identifiers: [EndpointID] {
        positions.map { all[$0].id }
    }
}
