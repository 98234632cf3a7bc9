import GatewayCore

// Parsers have no parameters and no state: a configuration names the formats that are read, in
// `requestHandler.parsers`, and the formats themselves are read by RequestFormats.

/// The OpenAI API, with vLLM's render paths.
struct OpenAIParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "openai-parser",
        summary: "Reads requests of the OpenAI API and of vLLM's render paths."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// The Anthropic API.
struct AnthropicParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "anthropic-parser",
        summary: "Reads requests of the Anthropic API."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// vLLM's generation from token ids.
struct VLLMHTTPParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "vllmhttp-parser",
        summary: "Reads requests of vLLM's generation from token ids over HTTP."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// SGLang's generation from token ids.
struct SGLangHTTPParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "sglanghttp-parser",
        summary: "Reads requests of SGLang's generation from token ids over HTTP; not a default."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// vLLM's gRPC API.
struct VLLMGRPCParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "vllmgrpc-parser",
        summary: "Reads Generate and Embed requests of vLLM's gRPC API (h2c only); not a default."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// Vertex AI's gRPC API.
struct VertexAIParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "vertexai-parser",
        summary: "Reads OpenAI requests within Vertex AI's gRPC prediction calls (h2c only); not a default."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

/// Everything else.
struct PassthroughParser: RequestParser {
    static let descriptor = PluginDescriptor(
        type: "passthrough-parser",
        summary: "Takes every path that no other parser claims, and reads nothing of the body."
    )

    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}
