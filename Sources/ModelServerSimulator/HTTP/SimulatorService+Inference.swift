import NIOCore
import NIOHTTP1
import Telemetry

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The paths that make the engine work.
enum InferenceRoute: String, CaseIterable {
    case chatCompletions = "/v1/chat/completions"
    case completions = "/v1/completions"
    case embeddings = "/v1/embeddings"
    case responses = "/v1/responses"
    case messages = "/v1/messages"
}

extension SimulatorService {
    /// The most sequences one HTTP request may ask for, as choices or as prompts.
    private static let maxSequencesPerRequest = 256

    /// Answers an inference request, unless the plan of faults has something else in store for it.
    func handleInference(_ exchange: HTTPExchange, _ route: InferenceRoute) {
        if faults.hang {
            return
        }
        if faults.errorProbability > 0, random.nextUnit() < faults.errorProbability {
            let status = HTTPResponseStatus(statusCode: faults.errorStatus)
            APIError(status: status, type: "InternalServerError", message: "A fault on purpose.").answer(exchange)
            return
        }
        guard faults.addedLatencyMilliseconds > 0 else {
            infer(exchange, route)
            return
        }
        let delay = TimeAmount.nanoseconds(Int64(faults.addedLatencyMilliseconds * 1e6))
        let task = loop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            self?.infer(exchange, route)
        }
        exchange.onDisconnect = {
            task.cancel()
        }
    }

    private func infer(_ exchange: HTTPExchange, _ route: InferenceRoute) {
        do throws(APIError) {
            switch route {
            case .chatCompletions: try chatCompletions(exchange)
            case .completions: try completions(exchange)
            case .embeddings: try embeddings(exchange)
            case .responses: try responses(exchange)
            case .messages: try messages(exchange)
            }
        } catch {
            error.answer(exchange)
        }
    }

    /// The body as JSON of a type.
    func decode<Body: Decodable>(_ type: Body.Type, _ exchange: HTTPExchange) throws(APIError) -> Body {
        do {
            return try JSONDecoder().decode(type, from: Data(exchange.body.readableBytesView))
        } catch {
            throw .badRequest("\(RequestBodyError(error))")
        }
    }

    /// The adapter behind a model's name, or nil for the base model.
    func adapter(for model: String?) throws(APIError) -> String? {
        guard let model, !model.isEmpty, !configuration.models.contains(model) else {
            return nil
        }
        if adapters.contains(model) {
            return model
        }
        guard configuration.engine.acceptsAnyModel else {
            throw .notFound("The model `\(model)` does not exist.", parameter: "model")
        }
        return nil
    }

    private func chatCompletions(_ exchange: HTTPExchange) throws(APIError) {
        let body = try decode(ChatCompletionsBody.self, exchange)
        let limit = body.maxCompletionTokens ?? body.maxTokens
        let parameter = body.maxCompletionTokens == nil ? "max_tokens" : "max_completion_tokens"
        let output = try output(limit: limit, parameter: parameter, ignoreEnd: body.ignoreEos)
        try requireMessages(body.messages)
        let prompt = PromptText.tokens(of: body.messages)
        var envelope = envelope(exchange, prefix: "chatcmpl-", model: body.model, promptTokens: prompt.count)
        envelope.includeUsage = body.streamOptions?.includeUsage ?? false
        try generate(
            exchange, prompts: [prompt], choicesPerPrompt: body.n ?? 1, output: output, envelope: envelope,
            model: body.model, isStreamed: body.stream ?? false
        ) { ChatFormat($0) }
    }

    private func completions(_ exchange: HTTPExchange) throws(APIError) {
        let body = try decode(CompletionsBody.self, exchange)
        // Sixteen is the default of this API; the chat API has none.
        let limit = body.maxTokens ?? (body.ignoreEos == true ? nil : 16)
        let output = try output(limit: limit, parameter: "max_tokens", ignoreEnd: body.ignoreEos)
        let tokens = body.prompt.prompts.reduce(0) { $0 + $1.count }
        var envelope = envelope(exchange, prefix: "cmpl-", model: body.model, promptTokens: tokens)
        envelope.includeUsage = body.streamOptions?.includeUsage ?? false
        try generate(
            exchange, prompts: body.prompt.prompts, choicesPerPrompt: body.n ?? 1, output: output, envelope: envelope,
            model: body.model, isStreamed: body.stream ?? false
        ) { CompletionFormat($0) }
    }

    private func responses(_ exchange: HTTPExchange) throws(APIError) {
        let body = try decode(ResponsesBody.self, exchange)
        let messages: [ChatMessage]
        switch body.input {
        case .text(let text): messages = [ChatMessage(role: "user", text: text)]
        case .messages(let list): messages = list
        }
        try requireMessages(messages)
        let output = try output(
            limit: body.maxOutputTokens, parameter: "max_output_tokens", ignoreEnd: body.ignoreEos
        )
        let prompt = PromptText.tokens(of: messages, system: body.instructions)
        let envelope = envelope(exchange, prefix: "resp_", model: body.model, promptTokens: prompt.count)
        let itemID = AnswerEnvelope.identity("msg_", requestID: nil, random: &random)
        try generate(
            exchange, prompts: [prompt], choicesPerPrompt: 1, output: output, envelope: envelope,
            model: body.model, isStreamed: body.stream ?? false
        ) { ResponsesFormat($0, itemID: itemID, maxOutputTokens: body.maxOutputTokens) }
    }

    private func messages(_ exchange: HTTPExchange) throws(APIError) {
        let body = try decode(MessagesBody.self, exchange)
        guard let limit = body.maxTokens else {
            throw .badRequest("member \"max_tokens\" is missing in the body", parameter: "max_tokens")
        }
        guard limit >= 1 else {
            throw .badRequest("max_tokens must be at least 1, got \(limit).", parameter: "max_tokens")
        }
        try requireMessages(body.messages)
        let prompt = PromptText.tokens(of: body.messages, system: body.system?.text)
        let envelope = envelope(exchange, prefix: "chatcmpl-", model: body.model, promptTokens: prompt.count)
        // This API makes every client name a limit, so the limit says little about the length that is wanted.
        try generate(
            exchange, prompts: [prompt], choicesPerPrompt: 1, output: .natural(limit: limit), envelope: envelope,
            model: body.model, isStreamed: body.stream ?? false
        ) { MessagesFormat($0) }
    }

    private func embeddings(_ exchange: HTTPExchange) throws(APIError) {
        let body = try decode(EmbeddingsBody.self, exchange)
        let adapter = try adapter(for: body.model)
        let inputs = body.input.prompts
        try requireCount(inputs.count, "input")
        let dimensions = body.dimensions ?? 64
        guard (1...4_096).contains(dimensions) else {
            throw .badRequest("dimensions must be from 1 to 4096, got \(dimensions).", parameter: "dimensions")
        }
        let isBase64 = body.encodingFormat == "base64"
        let vectors = inputs.map { EmbeddingVector(of: $0, dimensions: dimensions).json(base64: isBase64) }
        let envelope = envelope(exchange, prefix: "embd-", model: body.model, promptTokens: 0)
        let answer = EmbeddingsAnswer(exchange: exchange, driver: driver, envelope: envelope, vectors: vectors)
        do {
            try answer.start(inputs.map { SimulatedRequest(prompt: $0, output: .none, adapter: adapter) })
        } catch {
            throw APIError(error)
        }
    }

    private func generate(
        _ exchange: HTTPExchange,
        prompts: [[SimulatedToken]],
        choicesPerPrompt: Int,
        output: SimulatedRequest.Output,
        envelope: AnswerEnvelope,
        model: String?,
        isStreamed: Bool,
        format: (AnswerEnvelope) -> any AnswerFormat
    ) throws(APIError) {
        let adapter = try adapter(for: model)
        try requireCount(prompts.count, "prompt")
        guard (1...Self.maxSequencesPerRequest / prompts.count).contains(choicesPerPrompt) else {
            throw .badRequest(
                """
                n must be at least 1, and the choices of all prompts at most \(Self.maxSequencesPerRequest); \
                got \(choicesPerPrompt).
                """,
                parameter: "n"
            )
        }
        var requests: [SimulatedRequest] = []
        for prompt in prompts {
            for variation in 0..<choicesPerPrompt {
                requests.append(
                    SimulatedRequest(prompt: prompt, output: output, adapter: adapter, variation: UInt64(variation))
                )
            }
        }
        var envelope = envelope
        envelope.choiceCount = requests.count
        let generation = Generation(
            exchange: exchange, driver: driver, faults: faults, format: format(envelope), isStreamed: isStreamed,
            choiceCount: requests.count, choicesPerPrompt: choicesPerPrompt,
            span: span(exchange, envelope, output: output, choices: choicesPerPrompt)
        )
        do {
            try generation.start(requests)
        } catch {
            throw APIError(error)
        }
    }

    /// The span of a request, where its trace is recorded.
    private func span(
        _ exchange: HTTPExchange,
        _ envelope: AnswerEnvelope,
        output: SimulatedRequest.Output,
        choices: Int
    ) -> GenerationSpan? {
        guard let tracer else {
            return nil
        }
        var attributes = [
            SpanAttribute("gen_ai.response.model", envelope.model), SpanAttribute("gen_ai.request.id", envelope.id),
            SpanAttribute("gen_ai.request.n", choices),
        ]
        switch output {
        case .exactly(let limit), .natural(limit: .some(let limit)):
            attributes.append(SpanAttribute("gen_ai.request.max_tokens", limit))
        case .natural(limit: nil), .unbounded, .none:
            break
        }
        return GenerationSpan(
            tracer, exchange.head.headers, attributes, arrival: driver.now, random: &traceIDs)
    }

    private func envelope(
        _ exchange: HTTPExchange,
        prefix: String,
        model: String?,
        promptTokens: Int
    ) -> AnswerEnvelope {
        let requestID = exchange.head.headers.first(name: "x-request-id")
        return AnswerEnvelope(
            engine: configuration.engine,
            id: AnswerEnvelope.identity(prefix, requestID: requestID, random: &random),
            created: Int(clock.unixTime),
            model: model.flatMap { $0.isEmpty ? nil : $0 } ?? configuration.models.first ?? "",
            promptTokens: promptTokens,
            promptTokensDetails: configuration.promptTokensDetails
        )
    }

    private func output(
        limit: Int?,
        parameter: String,
        ignoreEnd: Bool?
    ) throws(APIError) -> SimulatedRequest.Output {
        guard let limit else {
            return ignoreEnd == true ? .unbounded : .natural(limit: nil)
        }
        guard limit >= 1 else {
            throw .badRequest("\(parameter) must be at least 1, got \(limit).", parameter: parameter)
        }
        return .exactly(limit)
    }

    private func requireMessages(_ messages: [ChatMessage]) throws(APIError) {
        guard !messages.isEmpty else {
            throw .badRequest("The conversation has no message.", parameter: "messages")
        }
    }

    private func requireCount(_ count: Int, _ parameter: String) throws(APIError) {
        guard (1...Self.maxSequencesPerRequest).contains(count) else {
            throw .badRequest(
                "\(parameter) must have from 1 to \(Self.maxSequencesPerRequest) elements, got \(count).",
                parameter: parameter
            )
        }
    }
}

/// A unit vector drawn from a text: equal texts have equal vectors.
struct EmbeddingVector {
    private(set) var values: [Float]

    init(of tokens: [SimulatedToken], dimensions: Int) {
        var hash = BlockHash(blockSize: Int.max, salt: 1)
        hash.append(contentsOf: tokens)
        var random = SeededRandom(seed: hash.digest)
        let raw = (0..<dimensions).map { _ in random.nextUnit() * 2 - 1 }
        let length = max(raw.reduce(0) { $0 + $1 * $1 }.squareRoot(), .leastNormalMagnitude)
        values = raw.map { Float($0 / length) }
    }

    /// The vector as a JSON list, or as a string of its little-endian bytes in base 64.
    func json(base64: Bool) -> String {
        guard base64 else {
            return "[" + values.map { "\($0)" }.joined(separator: ",") + "]"
        }
        var bytes = Data()
        bytes.reserveCapacity(values.count * 4)
        for value in values {
            let bits = value.bitPattern
            for shift in [0, 8, 16, 24] as [UInt32] {
                bytes.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
        return "\"\(bytes.base64EncodedString())\""
    }
}
