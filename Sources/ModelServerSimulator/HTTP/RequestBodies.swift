// The parts of request bodies the simulator looks at. Everything else in a body is accepted and ignored.

/// Body of `POST /v1/chat/completions`.
struct ChatCompletionsBody: Decodable {
    var model: String?
    var messages: [ChatMessage]
    var stream: Bool?
    var streamOptions: StreamOptions?
    var maxTokens: Int?
    var maxCompletionTokens: Int?
    var n: Int?
    var ignoreEos: Bool?

    private enum CodingKeys: String, CodingKey {
        case model, messages, stream, n
        case streamOptions = "stream_options"
        case maxTokens = "max_tokens"
        case maxCompletionTokens = "max_completion_tokens"
        case ignoreEos = "ignore_eos"
    }
}

/// Body of `POST /v1/completions`.
struct CompletionsBody: Decodable {
    var model: String?
    var prompt: TextInput
    var stream: Bool?
    var streamOptions: StreamOptions?
    var maxTokens: Int?
    var n: Int?
    var ignoreEos: Bool?

    private enum CodingKeys: String, CodingKey {
        case model, prompt, stream, n
        case streamOptions = "stream_options"
        case maxTokens = "max_tokens"
        case ignoreEos = "ignore_eos"
    }
}

/// Body of `POST /v1/embeddings`.
struct EmbeddingsBody: Decodable {
    var model: String?
    var input: TextInput
    var encodingFormat: String?
    var dimensions: Int?

    private enum CodingKeys: String, CodingKey {
        case model, input, dimensions
        case encodingFormat = "encoding_format"
    }
}

/// Body of `POST /v1/responses`.
struct ResponsesBody: Decodable {
    var model: String?
    var input: ResponsesInput
    var instructions: String?
    var stream: Bool?
    var maxOutputTokens: Int?
    var ignoreEos: Bool?

    private enum CodingKeys: String, CodingKey {
        case model, input, instructions, stream
        case maxOutputTokens = "max_output_tokens"
        case ignoreEos = "ignore_eos"
    }
}

/// Body of `POST /v1/messages` and `POST /v1/messages/count_tokens`.
struct MessagesBody: Decodable {
    var model: String?
    var messages: [ChatMessage]
    var system: MessageText?
    var stream: Bool?
    var maxTokens: Int?

    private enum CodingKeys: String, CodingKey {
        case model, messages, system, stream
        case maxTokens = "max_tokens"
    }
}

/// Body of `POST /tokenize`: a prompt or a conversation.
struct TokenizeBody: Decodable {
    var model: String?
    var prompt: String?
    var messages: [ChatMessage]?
}

/// Body of `POST /v1/load_lora_adapter` and `POST /v1/unload_lora_adapter`.
struct AdapterBody: Decodable {
    var loraName: String?
    var loraPath: String?

    private enum CodingKeys: String, CodingKey {
        case loraName = "lora_name"
        case loraPath = "lora_path"
    }
}

struct StreamOptions: Decodable {
    var includeUsage: Bool?

    private enum CodingKeys: String, CodingKey {
        case includeUsage = "include_usage"
    }
}

struct ChatMessage: Decodable {
    var role: String
    var content: MessageText?
}

/// The text of a message, given as a string or as a list of parts.
struct MessageText: Decodable {
    var text: String

    private struct Part: Decodable {
        var type: String?
        var text: String?
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self.text = text
        } else {
            // A part without text, such as an image, is present in the prompt by its type.
            let parts = try container.decode([Part].self)
            text = parts.map { $0.text ?? "<|\($0.type ?? "part")|>" }.joined()
        }
    }
}

/// The input of the Responses API: a string, or items of which the messages are read.
enum ResponsesInput: Decodable {
    case text(String)
    case messages([ChatMessage])

    private struct Item: Decodable {
        var role: String?
        var content: MessageText?
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            let items = try container.decode([Item].self)
            self = .messages(items.map { ChatMessage(role: $0.role ?? "user", content: $0.content) })
        }
    }
}

extension ChatMessage {
    init(role: String, text: String) {
        self.role = role
        self.content = MessageText(text: text)
    }
}

extension MessageText {
    init(text: String) {
        self.text = text
    }
}

/// One or several prompts, each a text or a list of token numbers.
struct TextInput: Decodable {
    var prompts: [[SimulatedToken]]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            prompts = [SimulatedToken.tokens(of: text.utf8)]
        } else if let texts = try? container.decode([String].self) {
            prompts = texts.map { SimulatedToken.tokens(of: $0.utf8) }
        } else if let tokens = try? container.decode([UInt32].self) {
            prompts = [tokens.map(SimulatedToken.init(value:))]
        } else {
            prompts = try container.decode([[UInt32]].self).map { $0.map(SimulatedToken.init(value:)) }
        }
    }
}

/// Why a body could not be read, in one sentence.
struct RequestBodyError: Error, CustomStringConvertible {
    let description: String

    init(_ error: any Error) {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "the body" : "\"\(path)\""
        }
        switch error {
        case DecodingError.dataCorrupted(let context):
            description = "JSON decode error at \(place(context)): \(context.debugDescription)"
        case DecodingError.keyNotFound(let key, let context):
            description = "member \"\(key.stringValue)\" is missing in \(place(context))"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            description = "\(place(context)) has the wrong type: \(context.debugDescription)"
        default:
            description = "\(error)"
        }
    }
}
