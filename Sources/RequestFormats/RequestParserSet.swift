/// The parsers that a configuration can name. Raw values are the plugin types of `EndpointPickerConfig`.
package enum RequestParserKind: String, Hashable, Sendable, CaseIterable {
    /// The OpenAI API, with vLLM's render paths.
    case openAI = "openai-parser"
    /// The Anthropic API.
    case anthropic = "anthropic-parser"
    /// vLLM's generation from token ids over HTTP.
    case vllmHTTP = "vllmhttp-parser"
    /// SGLang's generation from token ids over HTTP. Not a default: its path is too general.
    case sglangHTTP = "sglanghttp-parser"
    /// vLLM's gRPC API. Not a default: its servers speak h2c only.
    case vllmGRPC = "vllmgrpc-parser"
    /// Vertex AI's gRPC API. Not a default: its servers speak h2c only.
    case vertexAI = "vertexai-parser"
    /// Takes every path that no other parser claims and reads nothing.
    case passthrough = "passthrough-parser"

    /// Whether it can read what servers without HTTP/2 speak (`appProtocol: http`); all read `kubernetes.io/h2c`.
    package var readsHTTP1: Bool {
        switch self {
        case .openAI, .anthropic, .vllmHTTP, .sglangHTTP, .passthrough: true
        case .vllmGRPC, .vertexAI: false
        }
    }

    /// The paths that the parser claims, without slashes around them; none for the fallback.
    fileprivate var claims: [PathClaim] {
        switch self {
        case .openAI:
            [
                PathClaim("completions", .completions),
                PathClaim("completions/render", .completionsRender),
                PathClaim("chat/completions", .chatCompletions),
                PathClaim("chat/completions/render", .chatCompletionsRender),
                PathClaim("embeddings", .embeddings),
                PathClaim("responses", .responses),
                PathClaim("conversations", .conversations),
                PathClaim("images/generations", .images),
                PathClaim("audio/transcriptions", .audio),
                PathClaim("audio/translations", .audio),
            ]
        case .anthropic:
            [PathClaim("messages", .messages), PathClaim("messages/count_tokens", .messagesCountTokens)]
        case .vllmHTTP:
            [PathClaim("inference/v1/generate", .vllmGenerate)]
        case .sglangHTTP:
            [PathClaim("generate", .sglangGenerate, .wholePath)]
        case .vllmGRPC:
            [
                PathClaim("vllm.grpc.engine.VllmEngine/Generate", .vllmGRPCGenerate),
                PathClaim("vllm.grpc.engine.VllmEngine/Embed", .vllmGRPCEmbed),
                PathClaim("vllm.grpc.engine.VllmEngine", .passthrough, .service),
            ]
        case .vertexAI:
            [
                PathClaim("PredictionService/ChatCompletions", .vertexChatCompletions, .qualifiedName),
                PathClaim("PredictionService/StreamRawPredict", .vertexRawPredict, .qualifiedName),
                PathClaim("PredictionService/RawPredict", .vertexRawPredict, .qualifiedName),
                PathClaim("PredictionService", .passthrough, .service),
            ]
        case .passthrough:
            []
        }
    }
}

/// One path of a parser.
private struct PathClaim: Sendable {
    /// What may stand around the suffix.
    enum Place: Sendable {
        /// Whole segments in front of it.
        case segments
        /// Nothing: the path is exactly the suffix.
        case wholePath
        /// Whole segments, or the package of a gRPC service, which ends with a dot.
        case qualifiedName
        /// As with ``qualifiedName``, and any one segment behind it: the methods that have no claim of their own.
        case service
    }

    let suffix: StaticString
    let api: InferenceAPI
    let place: Place

    init(_ suffix: StaticString, _ api: InferenceAPI, _ place: Place = .segments) {
        self.suffix = suffix
        self.api = api
        self.place = place
    }

    /// Whether the first `end` bytes of `path` end with the suffix, at its place.
    func matches(_ path: RawSpan, end: Int) -> Bool {
        guard let end = place == .service ? path.startOfLastSegment(end: end) : end else { return false }
        let start = end - suffix.utf8CodeUnitCount
        guard path.matches(suffix, at: start) else { return false }
        guard start > 0 else { return true }
        let before = path.byte(at: start - 1)
        switch place {
        case .segments: return before == UInt8(ascii: "/")
        case .wholePath: return before == UInt8(ascii: "/") && start == 1
        case .qualifiedName, .service: return before == UInt8(ascii: "/") || before == UInt8(ascii: ".")
        }
    }
}

extension RawSpan {
    /// The offset of the slash in front of the last segment of a path with `end` bytes; `nil` when it has no slash.
    fileprivate func startOfLastSegment(end: Int) -> Int? {
        (0..<end).last { byte(at: $0) == UInt8(ascii: "/") }
    }
}

/// The parsers of one pipeline: which API a path belongs to.
///
/// The longest claimed suffix wins, and suffixes match whole segments: `/v1/completions` matches `completions`,
/// `/v1/autocompletions` does not. Of a gRPC service that a parser knows, the methods that it does not read are passed
/// on. The order of the parsers decides nothing else than who comes behind the fallback.
package struct RequestParserSet: Sendable {
    /// The parsers that are used when a configuration names none.
    package static let standard = RequestParserSet([.openAI, .anthropic, .vllmHTTP, .passthrough])

    /// The parsers in use, in their order.
    package let kinds: [RequestParserKind]
    /// Parsers of the configured list that have no effect: repetitions, and all behind the fallback. Worth a warning.
    package let ignored: [RequestParserKind]
    /// The claims of all parsers, longest suffix first.
    private let claims: [PathClaim]

    /// Makes a set from an ordered list.
    package init(_ configured: [RequestParserKind]) {
        var kinds: [RequestParserKind] = []
        var ignored: [RequestParserKind] = []
        for kind in configured {
            if kinds.contains(kind) || kinds.contains(.passthrough) {
                ignored.append(kind)
            } else {
                kinds.append(kind)
            }
        }
        self.kinds = kinds
        self.ignored = ignored
        // What matches a method is longer than what matches its service.
        claims = kinds.flatMap(\.claims).sorted { $0.suffix.utf8CodeUnitCount > $1.suffix.utf8CodeUnitCount }
    }

    /// The API of a request.
    /// - Parameter path: the request's path; a query is cut off and slashes at the end do not count.
    /// - Returns: the API, or `nil` when no parser claims the path and there is no fallback: answer that with
    ///   ``FormatError/unknownPath(_:)``.
    package func api(forPath path: String) -> InferenceAPI? {
        let bytes = path.utf8Span.span.bytes
        var end = 0
        while end < bytes.byteCount, bytes.byte(at: end) != UInt8(ascii: "?") {
            end += 1
        }
        while end > 0, bytes.byte(at: end - 1) == UInt8(ascii: "/") {
            end -= 1
        }
        if let claim = claims.first(where: { $0.matches(bytes, end: end) }) { return claim.api }
        return kinds.contains(.passthrough) ? .passthrough : nil
    }
}
