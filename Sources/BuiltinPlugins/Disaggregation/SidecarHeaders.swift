import GatewayCore

/// The request headers that tell the sidecar beside a model server who works for a request too. Each is overwritten or
/// removed by the plugin that it belongs to: who may name a prefill worker may have prompts sent anywhere.
enum SidecarHeaders {
    /// The endpoint that computes the prompt, as `host:port`.
    static let prefiller = "x-prefiller-host-port"
    /// The endpoints that encode media, as `host:port` with commas.
    static let encoders = "x-encoder-hosts-ports"
    /// The data-parallel rank that answers, as `host:port`.
    static let dataParallelRank = "x-data-parallel-host-port"
    /// The endpoint to take cached blocks of the prompt from, as `host:port`.
    static let cacheSource = "x-kv-cache-source-host-port"
}

/// The profiles whose picks the decode worker's sidecar must know.
struct SupportingStages {
    let prefill: String
    let encode: String

    /// Writes the picks of `decision` into `headers`: the first prefill worker and every encode worker.
    func write(_ decision: SchedulingDecision, into headers: inout HeaderMutation) {
        let prefiller = endpoints(of: prefill, in: decision)?.first
        headers.overwrite(SidecarHeaders.prefiller, with: prefiller?.address.authority)
        let encoders = endpoints(of: encode, in: decision)?.map(\.address.authority).joined(separator: ",")
        headers.overwrite(SidecarHeaders.encoders, with: encoders)
    }

    private func endpoints(of profile: String, in decision: SchedulingDecision) -> [EndpointSnapshot]? {
        decision.secondary.first { $0.profile == profile }?.endpoints
    }
}

/// Tells decode workers who computes the prompt and who encodes its media, for profile handlers that do not themselves.
struct DisaggregationHeadersHandler: PreRequest {
    static let descriptor = PluginDescriptor(
        type: "disagg-headers-handler",
        summary: "Names the picked prefill and encode workers in the request's header.",
        deprecation: "disagg-profile-handler sets the headers itself"
    )

    private let stages: SupportingStages

    /// Reads `prefillProfile` (default `prefill`) and `encodeProfile` (`encode`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        stages = SupportingStages(
            prefill: parameters.profile("prefillProfile", default: SchedulingDecision.conventionalPrefillProfile),
            encode: parameters.profile("encodeProfile", default: SchedulingDecision.conventionalEncodeProfile)
        )
        context.refersToProfile(namedAt: "prefillProfile", in: parameters)
        context.refersToProfile(namedAt: "encodeProfile", in: parameters)
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        stages.write(decision, into: &context.requestHeaders)
    }
}
