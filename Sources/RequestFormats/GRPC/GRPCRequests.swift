/// The requests of the gRPC APIs. Field numbers are those of vLLM's `vllm_engine.proto` (package vllm.grpc.engine) and
/// of Google's `prediction_service.proto` (google.cloud.aiplatform) and `httpbody.proto` (google.api).
///
/// A message field that is read must not stand twice: protobuf would merge the two, and no encoder writes such. The
/// last of several numbers holds, as protobuf has it. A field with another wire type than its own counts as unknown.
extension ParsedBody {
    /// Reads the body of a gRPC call.
    init(calling api: InferenceAPI, _ bytes: RawSpan, depthLimit: Int) throws(FormatError) {
        let message = try GRPCFrame.onlyMessage(in: bytes)
        switch api {
        case .vllmGRPCGenerate:
            self.init(api: api)
            try readGenerate(message, in: bytes)
        case .vllmGRPCEmbed:
            self.init(api: api)
            try readEmbed(message, in: bytes)
        default:
            let document = api == .vertexChatCompletions ? InferenceAPI.chatCompletions : .responses
            self = try Self.document(document, within: message, of: bytes, depthLimit: depthLimit).inMessage(of: api)
        }
    }

    // MARK: - vLLM

    /// GenerateRequest: 2 tokenized or 3 text, 4 sampling_params, 5 stream.
    private mutating func readGenerate(_ message: Range<Int>, in bytes: RawSpan) throws(FormatError) {
        var reader = ProtobufReader(at: message)
        var hasInput = false
        var hasParameters = false
        while let field = try reader.next(in: bytes) {
            switch (field.number, field.content) {
            case (2, .bytes), (3, .bytes):
                guard !hasInput else { throw Self.duplicate("input", field) }
                hasInput = true
                if field.number == 2 {
                    try readTokens(field.range, in: bytes)
                } else {
                    prompt = PromptRanges(field.range)
                }
            case (4, .bytes):
                guard !hasParameters else { throw Self.duplicate("sampling_params", field) }
                hasParameters = true
                try readSamplingParameters(field.range, in: bytes)
            case (5, .varint(let value)):
                stream = value != 0
            default:
                break
            }
        }
        guard hasInput else {
            throw Self.missing(
                "not supported request inputType: GenerateRequest has neither text nor tokenized", "input")
        }
    }

    /// EmbedRequest: 2 tokenized.
    private mutating func readEmbed(_ message: Range<Int>, in bytes: RawSpan) throws(FormatError) {
        var reader = ProtobufReader(at: message)
        var hasInput = false
        while let field = try reader.next(in: bytes) {
            guard field.number == 2, case .bytes = field.content else { continue }
            guard !hasInput else { throw Self.duplicate("tokenized", field) }
            hasInput = true
            try readTokens(field.range, in: bytes)
        }
        guard hasInput else { throw Self.missing("missing tokenized input in EmbedRequest", "tokenized") }
    }

    /// TokenizedInput: 2 input_ids. The prompt is the bytes from the first id to the last: in one run when they are
    /// packed, as encoders write them, else with the tags between them.
    private mutating func readTokens(_ message: Range<Int>, in bytes: RawSpan) throws(FormatError) {
        var reader = ProtobufReader(at: message)
        var ids: Range<Int>?
        var count = 0
        while let field = try reader.next(in: bytes) {
            guard field.number == 2 else { continue }
            switch field.content {
            case .bytes: count += try ProtobufReader.varintCount(in: field.range, of: bytes)
            case .varint: count += 1
            case .fixed: continue
            }
            ids = (ids?.lowerBound ?? field.range.lowerBound)..<field.range.upperBound
        }
        prompt = PromptRanges(ids)
        tokenIDCount = count
    }

    /// SamplingParams: 8 max_tokens.
    private mutating func readSamplingParameters(_ message: Range<Int>, in bytes: RawSpan) throws(FormatError) {
        var reader = ProtobufReader(at: message)
        while let field = try reader.next(in: bytes) {
            // 32 bits: an encoder may write more, and a decoder drops them.
            if field.number == 8, case .varint(let value) = field.content {
                maxOutputTokens = Int(UInt32(truncatingIfNeeded: value))
            }
        }
    }

    // MARK: - Vertex AI

    /// The JSON document in a ChatCompletionsRequest, RawPredictRequest or StreamRawPredictRequest, 2 http_body, whose
    /// HttpBody has 2 data.
    private static func document(
        _ api: InferenceAPI,
        within message: Range<Int>,
        of bytes: RawSpan,
        depthLimit: Int
    ) throws(FormatError) -> ParsedBody {
        guard let httpBody = try onlyBytes(of: 2, called: "http_body", message, in: bytes) else {
            throw missing("the request has no HttpBody", "http_body")
        }
        let data =
            try onlyBytes(of: 2, called: "data", httpBody, in: bytes) ?? httpBody.upperBound..<httpBody.upperBound
        do throws(FormatError) {
            let document = try ParsedBody(parsing: bytes.extracting(data), as: api, depthLimit: depthLimit)
            return document.moved(by: data.lowerBound)
        } catch {
            throw FormatError(
                error.code,
                error.message,
                byteOffset: error.byteOffset.map { $0 + data.lowerBound },
                parameter: error.parameter
            )
        }
    }

    /// The content of the only field with `number` and a length in `message`; `nil` when there is none.
    private static func onlyBytes(
        of number: UInt32,
        called name: String,
        _ message: Range<Int>,
        in bytes: RawSpan
    ) throws(FormatError) -> Range<Int>? {
        var reader = ProtobufReader(at: message)
        var found: Range<Int>?
        while let field = try reader.next(in: bytes) {
            guard field.number == number, case .bytes = field.content else { continue }
            guard found == nil else { throw duplicate(name, field) }
            found = field.range
        }
        return found
    }

    // MARK: - Faults

    private static func duplicate(_ name: String, _ field: ProtobufReader.Field) -> FormatError {
        .duplicateField(name, byteOffset: field.offset)
    }

    private static func missing(_ message: String, _ parameter: String) -> FormatError {
        FormatError(.missingField, message, parameter: parameter)
    }
}
