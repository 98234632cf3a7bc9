import GatewayCore

/// The stages of a request that an endpoint serves, as the label `llm-d.ai/role` tells.
private enum EndpointRole: String {
    case encode
    case prefill
    case decode
    case encodePrefill = "encode-prefill"
    case prefillDecode = "prefill-decode"
    /// The older name of ``prefillDecode``.
    case both
    case encodePrefillDecode = "encode-prefill-decode"

    static func label(_ roles: [EndpointRole], allowsAbsence: Bool = false) -> LabelValues {
        LabelValues(key: "llm-d.ai/role", values: Set(roles.map(\.rawValue)), allowsAbsence: allowsAbsence)
    }
}

/// Keeps the endpoints that generate. Those without a role do everything.
struct DecodeFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "decode-filter",
        summary: "Keeps endpoints whose role includes decode, and those without a role."
    )

    private let role = EndpointRole.label([.decode, .prefillDecode, .both, .encodePrefillDecode], allowsAbsence: true)

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep { role.accepts($0.labels) }
    }

    func rule(in context: SchedulingContext) -> String { role.rule }
}

/// Keeps the endpoints that compute prompts.
struct PrefillFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "prefill-filter",
        summary: "Keeps endpoints whose role includes prefill."
    )

    private let role = EndpointRole.label([.prefill, .encodePrefill, .prefillDecode, .both, .encodePrefillDecode])

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep { role.accepts($0.labels) }
    }

    func rule(in context: SchedulingContext) -> String { role.rule }
}

/// Keeps the endpoints that encode media.
struct EncodeFilter: Filter {
    static let descriptor = PluginDescriptor(
        type: "encode-filter",
        summary: "Keeps endpoints whose role includes encode."
    )

    private let role = EndpointRole.label([.encode, .encodePrefill, .encodePrefillDecode])

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep { role.accepts($0.labels) }
    }

    func rule(in context: SchedulingContext) -> String { role.rule }
}
