import GatewayCore

/// The stages of disaggregated serving, as far as a profile handler has them: which profile is which, and what their
/// results mean together.
struct DisaggregatedStages {
    /// The profile of the endpoint that answers.
    let decode: String
    /// The profile of the endpoint that computes the prompt.
    let prefill: String
    /// The profile of the endpoints that encode media; `nil` where the handler has no such stage.
    let encode: String?

    /// A profile that two stages have; `nil` when all differ.
    var repeatedProfile: String? {
        if decode == prefill || decode == encode { return decode }
        return prefill == encode ? prefill : nil
    }

    /// Where the stages stand among `profiles`; `nil` for one without a profile.
    func indexes(in profiles: [String]) -> (decode: Int?, prefill: Int?, encode: Int?) {
        (profiles.firstIndex(of: decode), profiles.firstIndex(of: prefill), encode.flatMap(profiles.firstIndex(of:)))
    }

    /// The decision when all stages ran that should. A missing helper is no fault: the decode worker does its work.
    ///
    /// - Parameters:
    ///   - isPrefillFirst: whether prefill ran before encode.
    ///   - destinationPort: the port that every decode worker is reached at; `nil` for their own.
    ///   - handler: the handler's name and type.
    /// - Throws: ``Rejection`` `saturated` without a decode worker.
    func decision(
        _ profiles: [String],
        _ progress: [ProfileProgress],
        isPrefillFirst: Bool,
        destinationPort: Int? = nil,
        handler: (name: String, type: String)
    ) throws(Rejection) -> SchedulingDecision {
        let indexes = indexes(in: profiles)
        guard let primary = indexes.decode.flatMap({ progress[$0].result }) else {
            throw Rejection(
                .saturated,
                "failed to find available decode workers: the profile '\(decode)' left no endpoint"
            )
        }
        let prefill = indexes.prefill.flatMap { progress[$0].result }
        let encode = indexes.encode.flatMap { progress[$0].result }
        let kind = [encode.map { _ in "encode" }, prefill.map { _ in "prefill" }].compactMap(\.self)
        return SchedulingDecision(
            primary: primary,
            secondary: (isPrefillFirst ? [prefill, encode] : [encode, prefill]).compactMap(\.self),
            destinationPort: destinationPort,
            prefillProfile: self.prefill,
            encodeProfile: self.encode ?? SchedulingDecision.conventionalEncodeProfile,
            kind: DecisionKind(
                pluginName: handler.name,
                pluginType: handler.type,
                name: kind.isEmpty ? "decode-only" : (kind + ["decode"]).joined(separator: "-")
            )
        )
    }

    /// What is wrong with `profiles`.
    ///
    /// - Parameters:
    ///   - prefillRuns: whether anything lets prefill run.
    ///   - encodeRuns: whether anything lets encode run.
    func objections(to profiles: [String], prefillRuns: Bool, encodeRuns: Bool) -> [ProfileObjection] {
        var found: [ProfileObjection] = []
        if !profiles.contains(decode) {
            let known = profiles.map { "'\($0)'" }.joined(separator: ", ")
            found.append(.error("there is no scheduling profile '\(decode)' for decode workers; there are \(known)"))
        }
        for (stage, name, runs) in [("prefill", prefill, prefillRuns), ("encode", encode, encodeRuns)] {
            guard let name, profiles.contains(name) != runs else { continue }
            found.append(
                .warning(
                    runs
                        ? "the decider for \(stage) has no effect: there is no scheduling profile '\(name)'"
                        : "the scheduling profile '\(name)' never runs: no decider for \(stage) is named"
                )
            )
        }
        for name in profiles where name != decode && name != prefill && name != encode {
            found.append(.warning("the scheduling profile '\(name)' never runs: it is none of a stage"))
        }
        return found
    }
}

extension ParameterDecoder {
    /// The decider called `name`, which stands at `key`; `nil` without a name. A name that belongs to no plugin was
    /// reported by the builder; one that belongs to another kind of plugin is reported here.
    func decider(
        _ name: String?,
        at key: String,
        context: PluginContext
    ) -> (any DisaggregationDecider)? {
        guard let name else { return nil }
        let decider: (any DisaggregationDecider)? = context.plugin(named: name)
        let other: (any Plugin)? = context.plugin(named: name)
        if decider == nil, other != nil { report("the plugin '\(name)' is not a decider", at: key) }
        return decider
    }
}
