/// The top-level fields that the gateway reads in one API or another.
enum BodyField: UInt8 {
    case model, stream, streamOptions, cacheSalt, extraKey
    case maxTokens, maxCompletionTokens, maxOutputTokens, samplingParameters
    case messages, prompt, input, items, tokenIDs, inputIDs
    case tools, system, instructions

    /// The field's name on the wire.
    var name: StaticString {
        switch self {
        case .model: "model"
        case .stream: "stream"
        case .streamOptions: "stream_options"
        case .cacheSalt: "cache_salt"
        case .extraKey: "extra_key"
        case .maxTokens: "max_tokens"
        case .maxCompletionTokens: "max_completion_tokens"
        case .maxOutputTokens: "max_output_tokens"
        case .samplingParameters: "sampling_params"
        case .messages: "messages"
        case .prompt: "prompt"
        case .input: "input"
        case .items: "items"
        case .tokenIDs: "token_ids"
        case .inputIDs: "input_ids"
        case .tools: "tools"
        case .system: "system"
        case .instructions: "instructions"
        }
    }
}

/// A set of fields, one bit each.
struct BodyFields: OptionSet {
    let rawValue: UInt32

    init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    init(_ field: BodyField) {
        rawValue = 1 << UInt32(field.rawValue)
    }

    init(_ fields: BodyField...) {
        rawValue = fields.reduce(0) { $0 | 1 << UInt32($1.rawValue) }
    }

    /// The field of this set that `key` names, escapes resolved.
    func field(named key: JSONValue, in bytes: RawSpan) -> BodyField? {
        var rest = rawValue
        while rest != 0 {
            if let field = BodyField(rawValue: UInt8(rest.trailingZeroBitCount)), key.equals(field.name, in: bytes) {
                return field
            }
            rest &= rest &- 1
        }
        return nil
    }
}

/// What one API wants of a body: which fields are read, which one must be there, and the words for its absence.
struct BodyRules {
    /// The fields that are read; all others are only validated as JSON.
    let fields: BodyFields
    /// The field that must be there and not be empty.
    let required: BodyField
    /// The API's name in error texts.
    let name: StaticString
    /// The demand in error texts.
    let demand: StaticString

    /// The text for a body without the required field; the beginning of the text for one with a bad one.
    var refusal: String { "invalid \(name) request: \(demand)" }

    /// The rules of `api`; `nil` for one whose body is no JSON or is not read.
    init?(api: InferenceAPI) {
        let common = BodyFields(.model, .stream, .streamOptions, .cacheSalt)
        switch api {
        case .chatCompletions, .chatCompletionsRender:
            fields = common.union(BodyFields(.messages, .tools, .maxTokens, .maxCompletionTokens))
            (required, name, demand) = (.messages, "chat completions", "must have valid messages field")
        case .completions, .completionsRender:
            fields = common.union(BodyFields(.prompt, .maxTokens))
            (required, name, demand) = (.prompt, "completions", "must have prompt field")
        case .embeddings:
            fields = common.union(BodyFields(.input))
            (required, name, demand) = (.input, "embeddings", "must have input field")
        case .responses:
            fields = common.union(BodyFields(.input, .instructions, .tools, .maxOutputTokens))
            (required, name, demand) = (.input, "responses", "must have input field")
        case .conversations:
            fields = common.union(BodyFields(.items))
            (required, name, demand) = (.items, "conversations", "must have items field")
        case .images:
            fields = common.union(BodyFields(.prompt))
            (required, name, demand) = (.prompt, "images generations", "must have prompt field")
        case .messages, .messagesCountTokens:
            fields = common.union(BodyFields(.messages, .system, .tools, .maxTokens))
            (required, name, demand) = (.messages, "messages", "must have at least one message")
        case .vllmGenerate:
            fields = common.union(BodyFields(.tokenIDs, .samplingParameters))
            (required, name, demand) = (.tokenIDs, "generate", "must have token_ids field")
        case .sglangGenerate:
            fields = BodyFields(.stream, .extraKey, .inputIDs, .samplingParameters)
            (required, name, demand) = (.inputIDs, "generate", "must have input_ids field")
        case .audio, .foreign, .passthrough, .vllmGRPCGenerate, .vllmGRPCEmbed, .vertexChatCompletions,
            .vertexRawPredict:
            return nil
        }
    }
}
