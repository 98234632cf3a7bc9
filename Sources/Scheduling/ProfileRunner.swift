import GatewayCore

/// Runs one profile: filters, scorers, picker.
struct ProfileRunner {
    let profile: SchedulingProfile
    /// The profile's number in a ``TraceOutline``.
    let number: Int
    /// The number of its first plugin there.
    let firstPlugin: Int

    /// Narrows, scores and picks.
    ///
    /// - Returns: the result; `nil` when the filters left no candidate.
    /// - Throws: ``Rejection`` when the picker broke its contract.
    func run(
        _ start: Candidates,
        context: inout SchedulingContext,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> ProfileResult? {
        trace?.beginRun(of: number)
        var candidates = start
        filter(&candidates, context: &context, trace: &trace)
        if candidates.isEmpty {
            trace?.endRun()
            return nil
        }
        var buffer = ScoreBuffer(count: candidates.count)
        let firstScorer = firstPlugin + profile.filters.count
        buffer.add(profile.scorers, from: firstScorer, candidates: candidates, context: context, trace: &trace)
        let picks = profile.picker.pick(candidates, scores: buffer.sums.span, context: &context)
        trace?.note(firstScorer + profile.scorers.count)
        let endpoints: [EndpointSnapshot]
        do throws(Rejection) {
            endpoints = try self.endpoints(picks, of: candidates)
        } catch {
            trace?.endRun(picks: [])
            throw error
        }
        trace?.endRun(picks: picks)
        return ProfileResult(
            profile: profile.name,
            endpoints: endpoints,
            candidates: candidates,
            weightedSums: profile.scorers.isEmpty ? [] : buffer.sums
        )
    }

    /// Runs the filters until none or nobody is left.
    private func filter(
        _ candidates: inout Candidates,
        context: inout SchedulingContext,
        trace: inout SchedulingTrace?
    ) {
        for index in profile.filters.indices where !candidates.isEmpty {
            let before = candidates.count
            let filter = profile.filters[index].filter
            filter.filter(&candidates, context: &context)
            if candidates.count == before {
                trace?.note(firstPlugin + index)
            } else {
                trace?.note(firstPlugin + index, left: candidates.positions, rule: filter.rule(in: context))
            }
        }
    }

    /// The endpoints at `picks`. A picker may be foreign code, so its answer is checked instead of trusted.
    private func endpoints(_ picks: [Int], of candidates: Candidates) throws(Rejection) -> [EndpointSnapshot] {
        guard !picks.isEmpty else {
            throw Rejection(
                .internalError,
                "picker '\(profile.pickerName)' picked none of \(candidates.count) candidates"
            )
        }
        var endpoints: [EndpointSnapshot] = []
        endpoints.reserveCapacity(picks.count)
        for pick in picks {
            guard pick >= 0, pick < candidates.count else {
                throw Rejection(
                    .internalError,
                    "picker '\(profile.pickerName)' picked candidate \(pick) of \(candidates.count)"
                )
            }
            endpoints.append(candidates[pick])
        }
        return endpoints
    }
}
