/// Reads one request body in one pass over its bytes: the JSON is validated, the wanted fields are taken, and the rules
/// of the API are applied on the way.
struct BodyReader {
    private let rules: BodyRules
    private var scanner: JSONScanner
    private var body: ParsedBody
    private var seen = BodyFields(rawValue: 0)
    // Fields that are combined only when all have been seen, because their order on the wire is free.
    private var maxTokens: Int?
    private var maxCompletionTokens: Int?
    private var tools: Range<Int>?
    private var preamble: Range<Int>?
    private var prompt: Range<Int>?

    init(api: InferenceAPI, rules: BodyRules, depthLimit: Int) {
        self.rules = rules
        scanner = JSONScanner(depthLimit: depthLimit)
        body = ParsedBody(api: api)
    }

    mutating func read(_ bytes: RawSpan) throws(FormatError) -> ParsedBody {
        try scanner.enterBody(in: bytes)
        while let key = try scanner.nextKey(in: bytes) {
            guard let field = rules.fields.field(named: key, in: bytes) else {
                _ = try scanner.skipValue(in: bytes)
                continue
            }
            guard seen.insert(BodyFields(field)).inserted else {
                throw FormatError.duplicateField("\(field.name)", byteOffset: key.range.lowerBound)
            }
            try read(field, in: bytes)
        }
        try scanner.finish(in: bytes)
        return try assemble()
    }

    /// Puts together what depends on several fields.
    private consuming func assemble() throws(FormatError) -> ParsedBody {
        guard let prompt else {
            throw FormatError(.missingField, rules.refusal, parameter: "\(rules.required.name)")
        }
        // Chat templates render tools in front of the first message, and Anthropic's order is tools, system, messages;
        // the instructions of a response stand in front of its tools.
        body.prompt =
            body.api == .responses ? PromptRanges(preamble, tools, prompt) : PromptRanges(tools, preamble, prompt)
        body.maxOutputTokens = maxCompletionTokens ?? maxTokens
        return body
    }

    private mutating func read(_ field: BodyField, in bytes: RawSpan) throws(FormatError) {
        switch field {
        case .model:
            try readModel(in: bytes)
        case .stream:
            body.stream = try readStream(in: bytes)
        case .streamOptions:
            body.includeUsage = try readMember("include_usage", in: bytes)?.isTrue(in: bytes) ?? false
        case .samplingParameters:
            let name: StaticString = body.api == .sglangGenerate ? "max_new_tokens" : "max_tokens"
            maxTokens = try readMember(name, in: bytes)?.nonNegativeInteger(in: bytes)
        case .cacheSalt, .extraKey:
            body.cacheSalt = try scanner.skipValue(in: bytes).string(in: bytes)
        case .maxTokens, .maxOutputTokens:
            maxTokens = try scanner.skipValue(in: bytes).nonNegativeInteger(in: bytes)
        case .maxCompletionTokens:
            maxCompletionTokens = try scanner.skipValue(in: bytes).nonNegativeInteger(in: bytes)
        case .tools:
            let value = try scanner.skipValue(in: bytes)
            tools = value.kind == .array && value.range.count > 2 ? value.range : nil
        case .instructions:
            let value = try scanner.skipValue(in: bytes)
            preamble = value.kind == .string ? value.contentRange : nil
        case .system:
            preamble = try readSystem(in: bytes)
        case .messages:
            prompt = try readMessages(in: bytes)
        case .items:
            prompt = try readItems(in: bytes)
        case .tokenIDs, .inputIDs:
            prompt = try readTokenIDs(field, in: bytes)
        case .prompt, .input:
            prompt = try readPrompt(field, in: bytes)
        }
    }

    // MARK: - Fields of every API

    private mutating func readModel(in bytes: RawSpan) throws(FormatError) {
        let value = try scanner.skipValue(in: bytes)
        guard value.kind != .null else { return }
        guard let model = value.string(in: bytes) else {
            let message =
                value.kind == .string
                ? "model must be a string, and this one escapes half a surrogate pair" : "model must be a string"
            throw FormatError(.invalidField, message, byteOffset: value.range.lowerBound, parameter: "model")
        }
        body.model = model
        body.modelRange = value.range
    }

    private mutating func readStream(in bytes: RawSpan) throws(FormatError) -> Bool {
        let value = try scanner.skipValue(in: bytes)
        guard value.kind == .boolean || value.kind == .null else {
            throw FormatError(
                .invalidField,
                "stream must be a boolean, not \(value.kind.phrase)",
                byteOffset: value.range.lowerBound,
                parameter: "stream"
            )
        }
        return value.isTrue(in: bytes)
    }

    /// The member `name` of the object that comes next, the last one if it occurs twice; `nil` when it is absent or
    /// when the value is of another type, which is left for the model server to judge.
    private mutating func readMember(_ name: StaticString, in bytes: RawSpan) throws(FormatError) -> JSONValue? {
        guard try scanner.nextKind(in: bytes) == .object else {
            _ = try scanner.skipValue(in: bytes)
            return nil
        }
        var member: JSONValue?
        try scanner.enterObject(in: bytes)
        while let key = try scanner.nextKey(in: bytes) {
            let value = try scanner.skipValue(in: bytes)
            if key.equals(name, in: bytes) { member = value }
        }
        return member
    }

    /// The value of `system`: a string or a list of content blocks.
    private mutating func readSystem(in bytes: RawSpan) throws(FormatError) -> Range<Int>? {
        let value = try scanner.skipValue(in: bytes)
        switch value.kind {
        case .string, .array: return value.contentRange
        case .null: return nil
        default: throw refusal("system must be a string or an array", .system, value.kind, at: value.range.lowerBound)
        }
    }

    // MARK: - Prompts

    /// The prompt as one string, as a list of strings, or as a list of token ids; `nil` when it is empty or `null`.
    private mutating func readPrompt(_ field: BodyField, in bytes: RawSpan) throws(FormatError) -> Range<Int>? {
        let kind = try scanner.nextKind(in: bytes)
        switch kind {
        case .string, .null:
            let value = try scanner.skipValue(in: bytes)
            // Any input but null is one for responses; the other APIs need a text that is not empty.
            if kind == .null || value.contentRange.isEmpty && body.api != .responses { return nil }
            return value.contentRange
        case .array where body.api == .responses:
            return try scanner.skipValue(in: bytes).range
        case .array where body.api != .images:
            return try readPromptList(field, in: bytes)
        default:
            let allowed = body.api == .images ? "a string" : "a string or an array"
            throw refusal("\(field.name) must be \(allowed)", field, kind, at: scanner.offset)
        }
    }

    /// A list of strings or of token ids; the first element decides which.
    private mutating func readPromptList(_ field: BodyField, in bytes: RawSpan) throws(FormatError) -> Range<Int>? {
        let start = scanner.offset
        try scanner.enterArray(in: bytes)
        guard try scanner.nextElement(in: bytes) else { return nil }
        switch try scanner.nextKind(in: bytes) {
        case .string:
            var index = 0
            repeat {
                let element = try scanner.skipValue(in: bytes)
                guard element.kind == .string else {
                    let fault = "\(field.name)[\(index)] must be a string, as the elements before it"
                    throw refusal(fault, field, element.kind, at: element.range.lowerBound)
                }
                index += 1
            } while try scanner.nextElement(in: bytes)
        case .number:
            try readTokenIDElements(field, in: bytes)
        case let kind:
            let fault = "unsupported array element type: \(field.name)[0] must be a string or a token id"
            throw refusal(fault, field, kind, at: scanner.offset)
        }
        return start..<scanner.offset
    }

    /// A list of token ids; `nil` when it is empty or `null`.
    private mutating func readTokenIDs(_ field: BodyField, in bytes: RawSpan) throws(FormatError) -> Range<Int>? {
        guard let start = try enterList(field, in: bytes), try scanner.nextElement(in: bytes) else { return nil }
        try readTokenIDElements(field, in: bytes)
        return start..<scanner.offset
    }

    /// Passes the elements of a list of token ids, from the first one, which comes next, to the end of the list.
    private mutating func readTokenIDElements(_ field: BodyField, in bytes: RawSpan) throws(FormatError) {
        var count = 0
        repeat {
            guard try scanner.nextTokenID(in: bytes) != nil else {
                let kind = try scanner.nextKind(in: bytes)
                let fault = "\(field.name)[\(count)] must be an integer from 0 to \(UInt32.max)"
                throw refusal(fault, field, kind == .number ? nil : kind, at: scanner.offset)
            }
            count += 1
        } while try scanner.nextElement(in: bytes)
        body.tokenIDCount = count
    }

    /// The items of a conversation; `nil` when there are none.
    private mutating func readItems(in bytes: RawSpan) throws(FormatError) -> Range<Int>? {
        guard let start = try enterList(.items, in: bytes) else { return nil }
        var isEmpty = true
        while try scanner.nextElement(in: bytes) {
            _ = try scanner.skipValue(in: bytes)
            isEmpty = false
        }
        return isEmpty ? nil : start..<scanner.offset
    }

    /// The messages of a chat; `nil` when there are none.
    private mutating func readMessages(in bytes: RawSpan) throws(FormatError) -> Range<Int>? {
        guard let start = try enterList(.messages, in: bytes) else { return nil }
        var count = 0
        while try scanner.nextElement(in: bytes) {
            try readMessage(count, in: bytes)
            count += 1
        }
        return count > 0 ? start..<scanner.offset : nil
    }

    private mutating func readMessage(_ index: Int, in bytes: RawSpan) throws(FormatError) {
        let kind = try scanner.nextKind(in: bytes)
        let start = scanner.offset
        guard kind == .object else {
            throw refusal("messages[\(index)] must be an object", .messages, kind, at: start)
        }
        var hasRole = false
        try scanner.enterObject(in: bytes)
        while let key = try scanner.nextKey(in: bytes) {
            if key.equals("role", in: bytes) {
                let role = try scanner.skipValue(in: bytes)
                guard role.kind == .string else {
                    let place = role.range.lowerBound
                    throw refusal("messages[\(index)].role must be a string", .messages, role.kind, at: place)
                }
                hasRole = true
            } else if key.equals("content", in: bytes) {
                try readContent(ofMessage: index, in: bytes)
            } else {
                _ = try scanner.skipValue(in: bytes)
            }
        }
        guard hasRole else { throw refusal("messages[\(index)] has no role", .messages, nil, at: start) }
    }

    /// Passes the content of a message: a string, `null`, or a list of content blocks.
    private mutating func readContent(ofMessage index: Int, in bytes: RawSpan) throws(FormatError) {
        let kind = try scanner.nextKind(in: bytes)
        switch kind {
        case .string, .null:
            _ = try scanner.skipValue(in: bytes)
        case .array:
            try scanner.enterArray(in: bytes)
            var block = 0
            while try scanner.nextElement(in: bytes) {
                let kind = try scanner.nextKind(in: bytes)
                guard kind == .object else {
                    let place = "messages[\(index)].content[\(block)]"
                    throw refusal("\(place) must be an object", .messages, kind, at: scanner.offset)
                }
                _ = try scanner.skipValue(in: bytes)
                block += 1
            }
        default:
            let message = "messages[\(index)].content must be a string, null or an array of objects"
            throw refusal(message, .messages, kind, at: scanner.offset)
        }
    }

    /// Enters the array that is the value of `field` and returns where it starts; passes a `null` and returns `nil`.
    private mutating func enterList(_ field: BodyField, in bytes: RawSpan) throws(FormatError) -> Int? {
        let kind = try scanner.nextKind(in: bytes)
        if kind == .null {
            _ = try scanner.skipValue(in: bytes)
            return nil
        }
        let start = scanner.offset
        guard kind == .array else { throw refusal("\(field.name) must be an array", field, kind, at: start) }
        try scanner.enterArray(in: bytes)
        return start
    }

    /// The error for a field that breaks the API's rules: the API's own words, then what is wrong and what was found.
    @inline(never)
    private func refusal(_ fault: String, _ field: BodyField, _ found: JSONKind?, at offset: Int) -> FormatError {
        let found = found.map { ", not \($0.phrase)" } ?? ""
        return FormatError(
            .invalidField,
            "\(rules.refusal): \(fault)\(found)",
            byteOffset: offset,
            parameter: "\(field.name)"
        )
    }
}
