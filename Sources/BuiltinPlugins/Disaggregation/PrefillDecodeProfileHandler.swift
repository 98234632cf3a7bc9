import GatewayCore

/// The older handler of disaggregated pools: decode, then prefill where its decider wants it. It does not name the
/// prefill worker to the decode worker; `disagg-headers-handler` does.
struct PrefillDecodeProfileHandler: ProfileHandler, ReferringPlugin {
    static let descriptor = PluginDescriptor(
        type: "pd-profile-handler",
        summary: "Picks a decode worker and, where its decider wants one, a prefill worker.",
        deprecation: "use disagg-profile-handler"
    )

    private static let defaultDecider = PrefixBasedDecider.descriptor.type

    private let name: String
    private let stages: DisaggregatedStages
    private let decider: (any DisaggregationDecider)?
    private let primaryPort: Int?

    /// Reads `decodeProfile` (default `decode`), `prefillProfile` (`prefill`), `deciderPluginName`
    /// (`prefix-based-pd-decider`) and `primaryPort` (0 for none), and accepts `prefixPluginType`, `prefixPluginName`
    /// and `prefixMatchInfoProducerName`, which have no effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        name = context.pluginName
        stages = DisaggregatedStages(
            decode: parameters.profile("decodeProfile", default: "decode"),
            prefill: parameters.profile("prefillProfile", default: SchedulingDecision.conventionalPrefillProfile),
            encode: nil
        )
        if let twice = stages.repeatedProfile { parameters.report("two stages have the profile '\(twice)'") }
        let port = parameters.int("primaryPort", default: 0, in: 0...65_535)
        primaryPort = port == 0 ? nil : port
        let name = parameters.string("deciderPluginName", default: Self.defaultDecider)
        if name.isEmpty { parameters.report("must not be empty", at: "deciderPluginName") }
        decider = parameters.decider(name, at: "deciderPluginName", context: context)
        parameters.acceptWithoutEffect("prefixPluginType", "prefixPluginName", because: "nothing ever read it")
        parameters.acceptWithoutEffect(
            "prefixMatchInfoProducerName", because: "the decider has a parameter of this name")
    }

    static func references(in parameters: ConfigurationValue?) -> [String] {
        let written = parameters?["deciderPluginName"]
        guard let written, !written.isNull else { return [defaultDecider] }
        return written.nonEmptyText.map { [$0] } ?? []
    }

    func objections(to profiles: [String]) -> [ProfileObjection] {
        stages.objections(to: profiles, prefillRuns: true, encodeRuns: false)
    }

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        let indexes = stages.indexes(in: profiles)
        guard let decode = indexes.decode else { return [] }
        guard progress[decode].hasRun else { return [decode] }
        guard let prefill = indexes.prefill, !progress[prefill].hasRun,
            let picked = progress[decode].result?.endpoints[0],
            let decider, decider.disaggregates(context, decode: picked)
        else { return [] }
        return [prefill]
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        let decision = try stages.decision(
            profiles,
            progress,
            isPrefillFirst: false,
            destinationPort: primaryPort,
            handler: (name, Self.descriptor.type)
        )
        if primaryPort != nil {
            context.requestHeaders.overwrite(
                SidecarHeaders.dataParallelRank,
                with: decision.endpoint.address.authority
            )
        }
        return decision
    }
}
