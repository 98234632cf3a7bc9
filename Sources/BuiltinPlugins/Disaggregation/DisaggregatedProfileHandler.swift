import GatewayCore

/// Divides requests among workers for decode, prefill and encode, each of which is a profile.
///
/// Decode first: the decode worker is picked, then deciders say whether the prompt goes to a prefill worker and its
/// media to encode workers. Prefill first: the prefill worker is picked whenever there is a profile for it, the decode
/// worker last, which may then be chosen near to it. Either way the pick that comes first is the peer of the later
/// ones, and a stage that finds nobody is left to the decode worker.
struct DisaggregatedProfileHandler: ProfileHandler, PreRequest, ReferringPlugin {
    static let descriptor = PluginDescriptor(
        type: "disagg-profile-handler",
        summary: "Picks a decode worker and, where it pays, workers that compute the prompt and encode its media."
    )

    private let name: String
    private let parameters: DisaggregationParameters
    private let peer: DataWriter<EndpointSnapshot>
    private let headers: SupportingStages

    private var stages: DisaggregatedStages { parameters.stages }

    /// Reads `stageOrder`, `profiles` and `deciders`; see ``DisaggregationParameters``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        name = context.pluginName
        self.parameters = DisaggregationParameters(parameters, context: context)
        peer = context.produce(PeerEndpoint.key, as: PeerEndpoint.producer)
        let stages = self.parameters.stages
        headers = SupportingStages(prefill: stages.prefill, encode: stages.encode ?? "")
    }

    static func references(in parameters: ConfigurationValue?) -> [String] {
        DisaggregationParameters.references(in: parameters)
    }

    func objections(to profiles: [String]) -> [ProfileObjection] {
        let hasPrefill = profiles.contains(stages.prefill)
        return stages.objections(
            to: profiles,
            prefillRuns: parameters.isPrefillFirst ? hasPrefill : parameters.prefillDecider != nil,
            encodeRuns: parameters.encodeDecider != nil
        )
    }

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        let indexes = stages.indexes(in: profiles)
        guard let decode = indexes.decode else { return [] }
        // A retry is scheduled again: the peer of the attempt before says nothing of this one.
        if !progress.contains(where: \.hasRun) { context.scratch[peer] = nil }
        return parameters.isPrefillFirst
            ? nextPrefillFirst(decode, indexes.prefill, indexes.encode, progress, &context)
            : nextDecodeFirst(decode, indexes.prefill, indexes.encode, progress, &context)
    }

    /// Decode, then encode and prefill in one round.
    private func nextDecodeFirst(
        _ decode: Int,
        _ prefill: Int?,
        _ encode: Int?,
        _ progress: [ProfileProgress],
        _ context: inout SchedulingContext
    ) -> [Int] {
        guard progress[decode].hasRun else { return [decode] }
        let hasDecided = [encode, prefill].contains { $0.map { progress[$0].hasRun } ?? false }
        guard !hasDecided, let picked = progress[decode].result?.endpoints[0] else { return [] }
        var next: [Int] = []
        if let encode, runs(parameters.encodeDecider, context, decode: picked) { next.append(encode) }
        if let prefill, runs(parameters.prefillDecider, context, decode: picked) { next.append(prefill) }
        context.scratch[peer] = picked
        return next
    }

    /// Prefill, then encode and decode in one round.
    private func nextPrefillFirst(
        _ decode: Int,
        _ prefill: Int?,
        _ encode: Int?,
        _ progress: [ProfileProgress],
        _ context: inout SchedulingContext
    ) -> [Int] {
        guard !progress[decode].hasRun else { return [] }
        if let prefill, !progress[prefill].hasRun { return [prefill] }
        context.scratch[peer] = prefill.flatMap { progress[$0].result?.endpoints[0] }
        if let encode, runs(parameters.encodeDecider, context, decode: nil) { return [encode, decode] }
        return [decode]
    }

    private func runs(
        _ decider: (any DisaggregationDecider)?,
        _ context: SchedulingContext,
        decode: EndpointSnapshot?
    ) -> Bool {
        decider?.disaggregates(context, decode: decode) ?? false
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        try stages.decision(
            profiles,
            progress,
            isPrefillFirst: parameters.isPrefillFirst,
            handler: (name, Self.descriptor.type)
        )
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        headers.write(decision, into: &context.requestHeaders)
    }
}
