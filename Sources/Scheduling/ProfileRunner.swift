import GatewayCore

/// Runs one profile: filters, scorers, picker.
struct ProfileRunner {
    let profile: SchedulingProfile

    /// Narrows, scores and picks.
    ///
    /// - Returns: the result; `nil` when the filters left no candidate.
    /// - Throws: ``Rejection`` when the picker broke its contract.
    func run(
        _ start: Candidates,
        context: inout SchedulingContext,
        trace: inout SchedulingTrace?
    ) throws(Rejection) -> ProfileResult? {
        trace?.beginRun(of: profile.name)
        var candidates = start
        filter(&candidates, context: &context, trace: &trace)
        if candidates.isEmpty {
            trace?.endRun()
            return nil
        }
        var buffer = ScoreBuffer(count: candidates.count)
        buffer.add(profile.scorers, candidates: candidates, context: context, trace: &trace)
        let picks = profile.picker.pick(candidates, scores: buffer.sums.span, context: &context)
        trace?.note(.picker, profile.pickerName)
        let endpoints: [EndpointSnapshot]
        do throws(Rejection) {
            endpoints = try self.endpoints(picks, of: candidates)
        } catch {
            trace?.endRun(scored: candidates.positions, sums: buffer.sums)
            throw error
        }
        trace?.endRun(scored: candidates.positions, sums: buffer.sums, picks: picks)
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
        for named in profile.filters where !candidates.isEmpty {
            let before = candidates.count
            named.filter.filter(&candidates, context: &context)
            if trace != nil {
                let rule = candidates.count < before ? named.filter.rule(in: context) : nil
                trace?.note(.filter, named.name, left: candidates.positions, rule: rule)
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
