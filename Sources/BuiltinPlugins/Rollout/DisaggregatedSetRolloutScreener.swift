import GatewayCore

/// Keeps requests within one revision of a disaggregated deployment while it is rolled out: prefill and decode
/// endpoints of different revisions may not understand each other's KV cache.
///
/// A revision of which a required role has no endpoint gets no traffic. Among the others one is drawn for each request
/// in proportion to its endpoints, unless a strict header names it, and only its endpoints stay. Responses tell in the
/// same headers who served, so that a client can stay with a revision.
///
/// Who is there is judged by the labels of the request's candidates: endpoints are ready by being listed.
struct DisaggregatedSetRolloutScreener: Screener, ResponseHeaderProcessor {
    static let descriptor = PluginDescriptor(
        type: "disaggregatedset-rollout-screener",
        stability: .alpha,
        summary: "Keeps each request within one revision of a disaggregated deployment."
    )

    private let parameters: RolloutParameters

    /// Reads `scope`, `headerSelectors` and `revisionGating`; see ``RolloutParameters``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        self.parameters = RolloutParameters(parameters)
    }

    func screen(_ candidates: inout Candidates, context: inout SchedulingContext) {
        // Counted before the headers narrow the candidates: a header may name what one role alone has.
        let complete = parameters.gating.map { completeRevisions(of: candidates, $0) }
        var isPinned = false
        for selector in parameters.selectors where selector.isStrict {
            guard let wanted = context.request.headers.first(named: selector.header), !wanted.isEmpty else { continue }
            candidates.keep { $0.labels[selector.label] == wanted }
            if selector.label == parameters.revisionLabel { isPinned = true }
        }
        guard var revisions = complete else { return }
        revisions.keepThose(of: candidates, label: parameters.revisionLabel)
        if !isPinned { revisions.draw(&context.random) }
        let label = parameters.revisionLabel
        candidates.keep { endpoint in endpoint.labels[label].map { revisions.contains($0) } ?? false }
    }

    func rule(in context: SchedulingContext) -> String {
        var parts = parameters.selectors.compactMap { selector -> String? in
            guard selector.isStrict, let wanted = context.request.headers.first(named: selector.header),
                !wanted.isEmpty
            else { return nil }
            return "\(selector.label)=\(wanted) by \(selector.header)"
        }
        if let gating = parameters.gating {
            parts.append("one \(parameters.revisionLabel) that has \(gating.roles.joined(separator: ", "))")
        }
        return parts.joined(separator: " and ")
    }

    /// The revisions that have an endpoint of every required role, with their weights.
    private func completeRevisions(
        of candidates: Candidates,
        _ gating: RolloutParameters.Gating
    ) -> WeightedRevisions {
        var counts = RoleCounts(roles: gating.roles)
        for position in candidates.positions {
            let labels = candidates.all[position].labels
            guard parameters.scope.matches(labels), let revision = labels[parameters.revisionLabel],
                let role = labels[parameters.roleLabel], !revision.isEmpty
            else { continue }
            counts.add(revision: revision, role: role)
        }
        return counts.weighted(by: gating.weighting)
    }

    func responseFields(of response: ServedResponse) -> [HeaderMutation.Field] {
        let labels = response.decision.endpoint.labels
        return parameters.selectors.compactMap { selector in
            // Labels are the writer's of an endpoint list, and any text; not every text can be a field.
            guard let value = labels[selector.label], !value.isEmpty, FieldValueFault(value) == nil else { return nil }
            return HeaderMutation.Field(name: selector.header, value: value)
        }
    }
}

/// How many endpoints of each required role each revision has. Few of both exist at a time, so lists are searched from
/// the front.
private struct RoleCounts {
    private let roles: [String]
    private var revisions: [(name: String, counts: [Int])] = []

    init(roles: [String]) {
        self.roles = roles
    }

    mutating func add(revision: String, role: String) {
        guard let role = roles.firstIndex(of: role) else { return }
        guard let known = revisions.firstIndex(where: { $0.name == revision }) else {
            var counts = [Int](repeating: 0, count: roles.count)
            counts[role] = 1
            revisions.append((revision, counts))
            return
        }
        revisions[known].counts[role] += 1
    }

    /// The revisions that lack no role. Of roles with equal totals the first one listed is the largest.
    func weighted(by weighting: RolloutParameters.Weighting) -> WeightedRevisions {
        let whole = revisions.filter { !$0.counts.contains(0) }
        let totals = roles.indices.map { role in whole.reduce(0) { $0 + $1.counts[role] } }
        let largest = totals.firstIndex(of: totals.max() ?? 0)
        return WeightedRevisions(
            whole.map { revision in
                let weight =
                    switch weighting {
                    case .sum: revision.counts.reduce(0, +)
                    case .largestRole: largest.map { revision.counts[$0] } ?? 0
                    }
                return (revision.name, weight)
            }
        )
    }
}

/// Revisions, each with its share of the traffic.
private struct WeightedRevisions {
    private var revisions: [(name: String, weight: Int)]

    /// Sorted by name, so that equal seeds draw equally whatever the order of the endpoints.
    init(_ revisions: [(name: String, weight: Int)]) {
        self.revisions = revisions.sorted { $0.name < $1.name }
    }

    func contains(_ name: String) -> Bool {
        revisions.contains { $0.name == name }
    }

    /// Keeps the revisions that a candidate has.
    mutating func keepThose(of candidates: Candidates, label: String) {
        revisions.removeAll { revision in
            !candidates.positions.contains { candidates.all[$0].labels[label] == revision.name }
        }
    }

    /// Keeps one, with a probability in proportion to its weight.
    mutating func draw(_ random: inout RandomSource) {
        guard revisions.count > 1 else { return }
        var lot = Int.random(in: 0..<revisions.reduce(0) { $0 + $1.weight }, using: &random)
        for revision in revisions {
            if lot < revision.weight {
                revisions = [revision]
                return
            }
            lot -= revision.weight
        }
    }
}
