import GatewayCore

/// The scores of one profile run: a weighted sum per candidate, and one buffer that the scorers write into in turn.
///
/// Only the sums are allocated; they end as the result's ``ProfileResult/weightedSums``. The buffer stands on the stack
/// for up to 128 candidates.
struct ScoreBuffer {
    /// One weighted sum per candidate.
    private(set) var sums: [Double]

    /// Makes sums of zero for `count` candidates.
    init(count: Int) {
        sums = [Double](repeating: 0, count: count)
    }

    /// Runs `scorers` in order and adds each score, clamped to 0 ... 1 and with NaN as 0, times its weight.
    ///
    /// - Parameters:
    ///   - scorers: what scores.
    ///   - number: the first scorer's number in a ``TraceOutline``.
    ///   - candidates: as many as this buffer was made for.
    ///   - context: the request.
    ///   - trace: where the raw scores go too, for an explanation; `nil` costs one branch per scorer.
    mutating func add(
        _ scorers: [WeightedScorer],
        from number: Int,
        candidates: Candidates,
        context: SchedulingContext,
        trace: inout SchedulingTrace?
    ) {
        let count = sums.count
        withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { buffer in
            for index in scorers.indices {
                let scorer = scorers[index]
                buffer.initialize(repeating: 0)
                var scores = buffer.mutableSpan
                scorer.scorer.score(candidates, context: context, into: &scores)
                trace?.note(number + index, scores: scores.span)
                accumulate(scores.span, weight: scorer.weight)
            }
        }
    }

    private mutating func accumulate(_ scores: Span<Double>, weight: Double) {
        var sums = sums.mutableSpan
        for index in sums.indices {
            sums[index] += Self.clamped(scores[index]) * weight
        }
    }

    /// The score that counts: in 0 ... 1. A comparison with NaN is false, so NaN takes the 0.
    @inline(__always)
    static func clamped(_ score: Double) -> Double {
        score > 0 ? (score < 1 ? score : 1) : 0
    }
}
