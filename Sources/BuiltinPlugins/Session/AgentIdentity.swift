import GatewayCore

/// Tells for which agent a request is, by the session headers that coding agents send. Requests without a fairness id
/// of their own are kept fair between agents.
struct AgentIdentity: AgentIdentifier, DataProducer {
    static let descriptor = PluginDescriptor(
        type: "agent-identity",
        stability: .alpha,
        summary: "Tells by the session headers of coding agents for which agent a request is."
    )

    /// The key. It is read without the name of a producer: who knows the agent makes no difference.
    static let key = DataKey<String>("agent-identity")

    /// The headers of Claude Code, OpenCode, Codex, and Codex before version 0.131.
    private static let knownHeaders = ["x-claude-code-session-id", "x-session-affinity", "session-id", "session_id"]

    private let headers: [String]
    private let identity: DataWriter<String>

    /// Reads `additionalSessionHeaders`: headers that are looked at before the known ones.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        headers = parameters.headerNames("additionalSessionHeaders") + Self.knownHeaders
        identity = context.produce(Self.key, as: "")
    }

    func agent(in headers: HeaderMap) -> String? {
        self.headers.lazy.compactMap { headers.first(named: $0) }.first { !$0.isEmpty }
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        context.scratch[identity] = agent(in: context.request.headers)
    }
}
