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
    /// Takes every path that no other parser claims and reads nothing.
    case passthrough = "passthrough-parser"

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
            [PathClaim("generate", .sglangGenerate, isWholePath: true)]
        case .passthrough:
            []
        }
    }
}

/// One path of a parser.
private struct PathClaim: Sendable {
    let suffix: StaticString
    let api: InferenceAPI
    /// Whether the path must be exactly the suffix, without a prefix in front.
    let isWholePath: Bool

    init(_ suffix: StaticString, _ api: InferenceAPI, isWholePath: Bool = false) {
        self.suffix = suffix
        self.api = api
        self.isWholePath = isWholePath
    }

    /// Whether the first `end` bytes of `path` end with the suffix, at the border of a segment.
    func matches(_ path: RawSpan, end: Int) -> Bool {
        let start = end - suffix.utf8CodeUnitCount
        guard path.matches(suffix, at: start) else { return false }
        guard start > 0 else { return true }
        return path.byte(at: start - 1) == UInt8(ascii: "/") && (start == 1 || !isWholePath)
    }
}

/// The parsers of one pipeline: which API a path belongs to.
///
/// The longest claimed suffix wins, and suffixes match whole segments: `/v1/completions` matches `completions`,
/// `/v1/autocompletions` does not. The order of the parsers decides nothing else than who comes behind the fallback.
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
