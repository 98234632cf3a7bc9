import GatewayCore
import Scheduling
import Telemetry

// The spans of a decision, made of what explanations are made of: the scheduler itself knows nothing of spans.
extension RequestSpans {
    /// Adds the spans of a decision under that of the gateway's own work.
    mutating func addDecision(_ decision: RequestTrace.Decision, under parent: UInt64) {
        let record = decision.record
        let (commonSteps, runs) = record.trace.steps()
        let whole = runs.reduce(commonSteps.nanoseconds) { $0 &+ $1.steps.nanoseconds }
        // Steps follow each other without a gap, and the time of the last one's end is known.
        let last = record.trace.lastInstant
        var time = MonotonicInstant(nanoseconds: last.nanoseconds &- whole &+ commonSteps.nanoseconds)
        let candidates = commonSteps.last { $0.left != nil }?.left?.count ?? record.trace.endpoints.count
        for run in runs { add(run, candidates, record, from: &time, under: parent) }
        guard let made = decision.decision else { return }
        let decided = MonotonicInstant(nanoseconds: record.begunAt.nanoseconds &+ record.nanoseconds)
        if let kind = made.kind {
            add(
                "pick_disagg_profile", under: parent, from: last, to: max(last, decided),
                common + [
                    SpanAttribute("llm_d.epp.profile_handler.decision", "complete_\(kind.name)"),
                    SpanAttribute("llm_d.epp.profile_handler.executed_profiles", runs.count),
                ]
            )
        }
        addPreparation(made, from: max(last, decided), to: decision.preparedAt, under: parent)
    }

    private mutating func addPreparation(
        _ decision: SchedulingDecision,
        from start: MonotonicInstant,
        to end: MonotonicInstant?,
        under parent: UInt64
    ) {
        guard let end, decision.prefill != nil || decision.encode != nil else { return }
        var attributes = common
        attributes.append(SpanAttribute("llm_d.epp.pd.disaggregation_used", .boolean(decision.prefill != nil)))
        if let prefill = decision.prefill?.endpoints.first {
            attributes.append(SpanAttribute("llm_d.epp.pd.prefill_pod_address", prefill.address.host))
            attributes.append(SpanAttribute("llm_d.epp.pd.prefill_pod_port", String(prefill.address.port)))
        }
        attributes.append(SpanAttribute("llm_d.epp.encode.disaggregation_used", .boolean(decision.encode != nil)))
        if let encode = decision.encode {
            let addresses = encode.endpoints.map(\.address.authority)
            attributes.append(SpanAttribute("llm_d.epp.encode.endpoints", .texts(addresses)))
        }
        add("prepare_disaggregation", under: parent, from: start, to: end, attributes)
    }

    /// Adds one profile's run. `time` is its begin, and then its end.
    private mutating func add(
        _ run: SchedulingTrace.ProfileRun,
        _ candidates: Int,
        _ record: DecisionRecord,
        from time: inout MonotonicInstant,
        under parent: UInt64
    ) {
        let start = time
        let end = start.after(run.steps.nanoseconds)
        let id = add(
            "run_scheduler_profile", under: parent, from: start, to: end,
            common + [SpanAttribute("llm_d.epp.scheduling.profile.name", run.profile)]
        )
        let filters = run.steps.filter { $0.stage == .filter }
        let filtered = start.after(filters.nanoseconds)
        if !filters.isEmpty {
            let left = filters.last?.left?.count ?? candidates
            add(
                "filter_endpoints", under: id, from: start, to: filtered,
                common + [
                    SpanAttribute("llm_d.epp.filter.candidate_endpoints", candidates),
                    SpanAttribute("llm_d.epp.filter.filtered_endpoints", left),
                ]
            )
        }
        let scorers = run.steps.filter { $0.stage == .scorer }
        add(scorers, of: run, from: filtered, under: id)
        if run.steps.contains(where: { $0.stage == .picker }) {
            let scored = run.scored.isEmpty ? candidates : run.scored.count
            add(
                "pick_endpoints", under: id, from: filtered.after(scorers.nanoseconds), to: end,
                common + [
                    SpanAttribute("llm_d.epp.picker.candidate_endpoints", scored),
                    SpanAttribute("llm_d.epp.picker.top_endpoints", .texts(record.trace.picked(in: run).map(\.name))),
                    SpanAttribute("llm_d.epp.picker.top_scores", .numbers(run.picks.map { Double(run.sums[$0]) })),
                ]
            )
        }
        time = end
    }

    private mutating func add(
        _ scorers: [SchedulingTrace.Step],
        of run: SchedulingTrace.ProfileRun,
        from start: MonotonicInstant,
        under parent: UInt64
    ) {
        guard !scorers.isEmpty else { return }
        let candidates = scorers[0].scores.count
        let id = add(
            "llm_d.epp.scoring", under: parent, from: start, to: start.after(scorers.nanoseconds),
            common + [
                SpanAttribute("llm_d.epp.scorer.count", scorers.count),
                SpanAttribute("llm_d.epp.scoring.candidate_endpoints", candidates),
            ]
        )
        var time = start
        for scorer in scorers {
            let end = time.after(scorer.nanoseconds)
            var attributes =
                common + [
                    SpanAttribute("llm_d.epp.scorer.type", scorer.type),
                    SpanAttribute("llm_d.epp.scorer.name", scorer.name),
                    SpanAttribute("llm_d.epp.scorer.weight", .number(scorer.weight)),
                    SpanAttribute("llm_d.epp.scorer.candidate_endpoints", candidates),
                    SpanAttribute("llm_d.epp.scorer.endpoints_scored", scorer.scores.count),
                ]
            if let highest = scorer.scores.max() {
                let sum = scorer.scores.reduce(0.0) { $0 + Double($1) }
                let average = sum / Double(scorer.scores.count)
                attributes.append(SpanAttribute("llm_d.epp.scorer.score.max", .number(Double(highest))))
                attributes.append(SpanAttribute("llm_d.epp.scorer.score.avg", .number(average)))
            }
            add("llm_d.epp.scorer.\(scorer.type)", under: id, from: time, to: end, attributes)
            time = end
        }
    }
}

extension [SchedulingTrace.Step] {
    /// How long they took together.
    fileprivate var nanoseconds: Int64 { reduce(0) { $0 &+ $1.nanoseconds } }
}

extension MonotonicInstant {
    /// The instant this many nanoseconds later.
    fileprivate func after(_ nanoseconds: Int64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: self.nanoseconds &+ nanoseconds)
    }
}
