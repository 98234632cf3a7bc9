import Testing

@testable import RequestFormats

@Suite struct RequestParserSetTests {
    @Test(
        arguments: [
            ("/v1/chat/completions", .chatCompletions), ("/v1/chat/completions?x=/messages", .chatCompletions),
            ("/v1/chat/completions/", .chatCompletions), ("/v1/chat/completions//?a", .chatCompletions),
            ("/v1/completions", .completions), ("completions", .completions), ("/completions", .completions),
            ("/v1/chat/completions/render", .chatCompletionsRender), ("/v1/completions/render", .completionsRender),
            ("/v1/embeddings", .embeddings), ("/v1/responses", .responses), ("/v1/conversations", .conversations),
            ("/openai/v1/images/generations", .images), ("/v1/audio/transcriptions", .audio),
            ("/v1/audio/translations/?x", .audio), ("/v1/audio/speech", .passthrough), ("/v1/messages", .messages),
            ("/anthropic/v1/messages", .messages),
            ("/v1/messages/count_tokens", .messagesCountTokens), ("/inference/v1/generate", .vllmGenerate),
            ("/x/inference/v1/generate", .vllmGenerate),
            ("/generate", .passthrough), ("/v1/models", .passthrough), ("/", .passthrough), ("", .passthrough),
            ("?x", .passthrough), ("/v1/autocompletions", .passthrough), ("/v1/chat/completions/batch", .passthrough),
            ("/v1/responses/resp_1/cancel", .passthrough), ("/v1/CHAT/COMPLETIONS", .passthrough),
            ("/generations", .passthrough),
            ("/v1/chat-completions", .passthrough), ("/é/v1/completions", .completions),
        ] as [(String, InferenceAPI)]
    )
    func `paths resolve with the standard parsers`(path: String, api: InferenceAPI) {
        #expect(RequestParserSet.standard.api(forPath: path) == api)
    }

    @Test func `without the fallback a foreign path has no API`() {
        let parsers = RequestParserSet([.anthropic, .openAI])
        #expect(parsers.api(forPath: "/v1/messages") == .messages)
        #expect(parsers.api(forPath: "/v1/models") == nil)
        #expect(
            FormatError.unknownPath("/v1/models").message == "no parser registered matching path suffix for: /v1/models"
        )
    }

    @Test func `SGLang takes its path only as a whole`() {
        let parsers = RequestParserSet([.sglangHTTP, .vllmHTTP])
        #expect(parsers.api(forPath: "/generate") == .sglangGenerate)
        #expect(parsers.api(forPath: "/generate/?stream=1") == .sglangGenerate)
        #expect(parsers.api(forPath: "/v1/generate") == nil)
        #expect(parsers.api(forPath: "/inference/v1/generate") == .vllmGenerate)
    }

    @Test(
        arguments: [
            ("/vllm.grpc.engine.VllmEngine/Generate", .vllmGRPCGenerate),
            ("/vllm.grpc.engine.VllmEngine/Embed", .vllmGRPCEmbed),
            ("/behind/vllm.grpc.engine.VllmEngine/Generate", .vllmGRPCGenerate),
            ("/vllm.grpc.engine.VllmEngine/Abort", .passthrough),
            ("/vllm.grpc.engine.VllmEngine/", nil), ("/vllm.grpc.engine.VllmEngine", nil),
            ("/vllm.grpc.engine.VllmEngine/a/b", nil), ("/xvllm.grpc.engine.VllmEngine/Generate", nil),
            ("/google.cloud.aiplatform.v1beta1.PredictionService/ChatCompletions", .vertexChatCompletions),
            ("/google.cloud.aiplatform.v1.PredictionService/StreamRawPredict", .vertexRawPredict),
            ("/PredictionService/RawPredict", .vertexRawPredict),
            ("/google.cloud.aiplatform.v1.PredictionService/Predict", .passthrough),
            ("/google.cloud.aiplatform.v1.XPredictionService/RawPredict", nil), ("/v1/completions", nil), ("", nil),
            ("generate", nil),
        ] as [(String, InferenceAPI?)]
    )
    func `methods of gRPC services resolve with their parsers alone`(path: String, api: InferenceAPI?) {
        #expect(RequestParserSet([.vllmGRPC, .vertexAI]).api(forPath: path) == api)
        let standard: InferenceAPI = path.hasPrefix("/v1/completions") ? .completions : .passthrough
        #expect(RequestParserSet.standard.api(forPath: path) == standard)
    }

    @Test func `parsers behind the fallback and repeated ones are set aside`() {
        let parsers = RequestParserSet([.openAI, .openAI, .passthrough, .anthropic])
        #expect(parsers.kinds == [.openAI, .passthrough])
        #expect(parsers.ignored == [.openAI, .anthropic])
        #expect(parsers.api(forPath: "/v1/messages") == .passthrough)
        #expect(RequestParserSet.standard.ignored.isEmpty)
    }

    @Test func `parser kinds carry the names of the configuration`() {
        let names = [
            "openai-parser", "anthropic-parser", "vllmhttp-parser", "sglanghttp-parser", "vllmgrpc-parser",
            "vertexai-parser", "passthrough-parser",
        ]
        #expect(RequestParserKind.allCases.map(\.rawValue) == names)
    }
}
