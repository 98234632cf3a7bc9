import GatewayCore

/// The parameters of `disagg-profile-handler`, in their own form or in the older flat one.
struct DisaggregationParameters {
    let isPrefillFirst: Bool
    let stages: DisaggregatedStages
    let prefillDecider: (any DisaggregationDecider)?
    let encodeDecider: (any DisaggregationDecider)?

    /// The keys of one form.
    private struct Form {
        let decode: String
        let prefill: String
        let encode: String
        let prefillDecider: String
        let encodeDecider: String

        /// The names stand in `profiles` and `deciders`.
        static let nested = Form(
            decode: "decode", prefill: "prefill", encode: "encode", prefillDecider: "prefill", encodeDecider: "encode"
        )

        /// The names stand beside each other.
        static func flat(_ parameters: ParameterDecoder) -> Form {
            let isAlias = !parameters.contains("prefillDeciderPluginName")
            return Form(
                decode: "decodeProfile",
                prefill: "prefillProfile",
                encode: "encodeProfile",
                prefillDecider: isAlias ? "deciderPluginName" : "prefillDeciderPluginName",
                encodeDecider: "encodeDeciderPluginName"
            )
        }
    }

    /// The keys of the flat form, with what is written instead.
    private static let flatKeys = [
        ("decodeProfile", "profiles.decode"), ("prefillProfile", "profiles.prefill"),
        ("encodeProfile", "profiles.encode"), ("prefillDeciderPluginName", "deciders.prefill"),
        ("deciderPluginName", "deciders.prefill"), ("encodeDeciderPluginName", "deciders.encode"),
    ]
    private static let ownKeys = ["stageOrder", "profiles", "deciders"]

    /// Reads `stageOrder` (`decode-first` or `prefill-first`), `profiles` and `deciders` with a name for each stage, or
    /// the flat keys. Problems are the decoder's.
    init(_ parameters: ParameterDecoder, context: PluginContext) {
        let flat = Self.flatKeys.filter { parameters.contains($0.0) }
        for (key, replacement) in flat { parameters.warn("is deprecated: use \(replacement)", at: key) }
        if let key = flat.first?.0, let own = Self.ownKeys.first(where: parameters.contains) {
            parameters.report("'\(key)' is of the parameters' older form and cannot stand beside '\(own)'", at: key)
        }
        isPrefillFirst = Self.isPrefillFirst(parameters)
        let isFlat = !flat.isEmpty
        let form = isFlat ? Form.flat(parameters) : .nested
        stages = Self.stages(isFlat ? parameters : parameters.object("profiles"), form)
        if let twice = stages.repeatedProfile {
            parameters.report("two stages have the profile '\(twice)'", at: isFlat ? nil : "profiles")
        }
        let deciders = isFlat ? parameters : parameters.object("deciders")
        let prefill = Self.name(deciders, form.prefillDecider)
        prefillDecider = deciders?.decider(prefill, at: form.prefillDecider, context: context)
        let encode = Self.name(deciders, form.encodeDecider)
        encodeDecider = deciders?.decider(encode, at: form.encodeDecider, context: context)
        if isPrefillFirst, let prefill {
            let why = "with prefill-first every prompt has a prefill worker"
            deciders?.report("'\(prefill)' cannot decide: \(why)", at: form.prefillDecider)
        }
    }

    /// The names of the deciders that `parameters` refer to.
    static func references(in parameters: ConfigurationValue?) -> [String] {
        let deciders = parameters?["deciders"]
        return [
            deciders?["prefill"], deciders?["encode"], parameters?["prefillDeciderPluginName"],
            parameters?["deciderPluginName"], parameters?["encodeDeciderPluginName"],
        ].compactMap { $0?.nonEmptyText }
    }

    private static func stages(_ names: ParameterDecoder?, _ form: Form) -> DisaggregatedStages {
        DisaggregatedStages(
            decode: name(names, form.decode) ?? "decode",
            prefill: name(names, form.prefill) ?? SchedulingDecision.conventionalPrefillProfile,
            encode: name(names, form.encode) ?? SchedulingDecision.conventionalEncodeProfile
        )
    }

    private static func isPrefillFirst(_ parameters: ParameterDecoder) -> Bool {
        let text = parameters.string("stageOrder", default: "")
        switch text.lowercased().filter({ $0 != "-" && $0 != "_" }) {
        case "", "decode", "decodefirst":
            return false
        case "prefill", "prefillfirst":
            return true
        default:
            parameters.report(
                "'\(text)' is not one of decode-first, prefill-first",
                at: "stageOrder",
                candidates: ["decode-first", "prefill-first"],
                name: text
            )
            return false
        }
    }

    private static func name(_ parameters: ParameterDecoder?, _ key: String) -> String? {
        guard let name = parameters?.string(key), !name.isEmpty else { return nil }
        return name
    }
}

extension ConfigurationValue {
    /// The text that this is; `nil` when it is none or empty.
    var nonEmptyText: String? {
        if case .string(let text) = content, !text.isEmpty { text } else { nil }
    }
}
