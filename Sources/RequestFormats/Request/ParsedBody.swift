/// What the gateway reads of a request's body. The body itself stays where it is: ranges refer to its bytes.
package struct ParsedBody: Hashable, Sendable {
    /// The body's format.
    package private(set) var api: InferenceAPI
    /// The model that the client asked for, with escapes resolved; `nil` when `model` is absent or `null`. It may be
    /// the empty string.
    package internal(set) var model: String?
    /// The bytes of the value of `model` with its quotes; `nil` when ``model`` is.
    package internal(set) var modelRange: Range<Int>?
    /// Whether the client asked for a stream of events.
    package internal(set) var stream = false
    /// Whether the client asked for usage at the end of the stream (`stream_options.include_usage`).
    package internal(set) var includeUsage = false
    /// The most tokens that the response may have; `nil` when the client set no valid bound.
    package internal(set) var maxOutputTokens: Int?
    /// The client's salt for prefix caching; `nil` without one.
    package internal(set) var cacheSalt: String?
    /// The prompt, as ranges of the body. A prompt that is one string is given without its quotes, lists and messages
    /// with their brackets.
    package internal(set) var prompt = PromptRanges()
    /// The number of tokens of a prompt that is made of token ids, or that a plugin counted; `nil` for a text.
    package internal(set) var tokenIDCount: Int?

    /// The number of bytes of the prompt.
    package var promptBytes: Int { prompt.byteCount }

    /// The number of tokens of the prompt: exact for token ids, else an estimate of four bytes each, rounded up.
    package var inputTokenEstimate: Int { tokenIDCount ?? (promptBytes + 3) / 4 }

    /// A body of which nothing is known yet but its format.
    package init(api: InferenceAPI) {
        self.api = api
    }

    /// What a plugin read of a body of a format that only it knows.
    /// - Parameters:
    ///   - model: the model; `nil` for none.
    ///   - modelRange: the bytes that another name may take the place of, as a JSON string.
    ///   - isStreaming: whether the client asks for a stream.
    ///   - maxOutputTokens: the bound on the response.
    ///   - cacheSalt: the salt for prefix caching.
    ///   - prompt: the prompt.
    ///   - inputTokens: the tokens of the prompt; `nil` for an estimate.
    package init(
        foreign model: String?,
        modelRange: Range<Int>?,
        isStreaming: Bool,
        maxOutputTokens: Int?,
        cacheSalt: String?,
        prompt: PromptRanges,
        inputTokens: Int?
    ) {
        api = .foreign
        self.model = model
        self.modelRange = modelRange
        stream = isStreaming
        self.maxOutputTokens = maxOutputTokens
        self.cacheSalt = cacheSalt
        self.prompt = prompt
        tokenIDCount = inputTokens
    }

    /// Reads a body in one pass and checks all of it: that it is valid JSON, or one gRPC message, and that its API's
    /// fields are what they must be. A body of ``InferenceAPI/passthrough`` or ``InferenceAPI/audio`` is not looked at.
    /// - Parameters:
    ///   - bytes: the whole body.
    ///   - api: the format, from ``RequestParserSet/api(forPath:)``.
    ///   - depthLimit: the deepest nesting of objects and arrays, 1 to ``JSONScanner/deepestLimit``.
    /// - Throws: ``FormatError`` for the first fault met. The text of a fault of a required field begins with the words
    ///   that the llm-d endpoint picker has for it.
    package init(
        parsing bytes: RawSpan,
        as api: InferenceAPI,
        depthLimit: Int = 128
    ) throws(FormatError) {
        switch api {
        case .vllmGRPCGenerate, .vllmGRPCEmbed, .vertexChatCompletions, .vertexRawPredict:
            try self.init(calling: api, bytes, depthLimit: depthLimit)
        default:
            guard let rules = BodyRules(api: api) else {
                self.init(api: api)
                return
            }
            var reader = BodyReader(api: api, rules: rules, depthLimit: depthLimit)
            self = try reader.read(bytes)
        }
    }

    /// What was read of a document, as part of a body in which it starts at `offset`.
    func moved(by offset: Int) -> ParsedBody {
        var moved = self
        moved.prompt = prompt.moved(by: offset)
        moved.modelRange = modelRange.map { $0.lowerBound + offset..<$0.upperBound + offset }
        return moved
    }

    /// What was read of a document in a message of `api`: its model cannot be replaced, for lengths in the message
    /// count its bytes.
    func inMessage(of api: InferenceAPI) -> ParsedBody {
        var whole = self
        whole.api = api
        whole.modelRange = nil
        return whole
    }

    /// The most bytes of a form's field that are read.
    private static let formFieldBytesMax = 64 << 10
    private static let formFields = FieldFinder(names: ["model", "stream"], bytesMax: formFieldBytesMax)

    /// Reads the fields of a form. Nothing of it is required: of a body that is no form, or one that cannot be read
    /// without doubt, nothing is known, and its model server judges it.
    /// - Parameters:
    ///   - bytes: the whole body.
    ///   - contentType: the value of the request's `Content-Type`; empty for none.
    ///   - api: the format.
    package init(form bytes: RawSpan, contentType: String, as api: InferenceAPI) {
        self.init(api: api)
        guard let boundary = MediaType(contentType).boundary,
            let fields = Self.formFields.fields(ofForm: bytes, boundary: boundary)
        else { return }
        if case .text(let text) = fields[0] { model = text }
        if case .text(let text) = fields[1] { stream = text == "true" || text == "True" || text == "1" }
    }
}
