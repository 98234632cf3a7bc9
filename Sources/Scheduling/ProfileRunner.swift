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
        var record = trace == nil ? nil : SchedulingTrace.ProfileRun(profile)
        defer {
            if let record { trace?.runs.append(record) }
        }
        var candidates = start
        filter(&candidates, context: &context, trace: trace, record: &record)
        if candidates.isEmpty { return nil }

        var buffer = ScoreBuffer(count: candidates.count)
        buffer.add(profile.scorers, candidates: candidates, context: context, trace: trace, record: &record)
        let begun = trace?.now
        let picks = profile.picker.pick(candidates, scores: buffer.sums.span, context: &context)
        let took = begun.flatMap { trace?.nanoseconds(since: $0) }
        let endpoints = try endpoints(picks, of: candidates)
        if let took {
            record?.steps.append(.init(stage: .picker, name: profile.pickerName, nanoseconds: took))
            record?.scored = candidates.positions
            record?.sums = buffer.sums
            record?.picked = endpoints.map(\.id)
        }
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
        trace: SchedulingTrace?,
        record: inout SchedulingTrace.ProfileRun?
    ) {
        for named in profile.filters where !candidates.isEmpty {
            guard let trace else {
                named.filter.filter(&candidates, context: &context)
                continue
            }
            let before = candidates.count
            let begun = trace.now
            named.filter.filter(&candidates, context: &context)
            var step = SchedulingTrace.Step(
                stage: .filter,
                name: named.name,
                nanoseconds: trace.nanoseconds(since: begun),
                left: candidates.positions
            )
            if candidates.count < before { step.rule = named.filter.rule(in: context) }
            record?.steps.append(step)
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
