import NIOCore
import NIOHTTP1

/// An inference request from its acceptance to the last byte of its answer: joins the engine's events to an exchange.
final class Generation: EngineObserver {
    private let exchange: HTTPExchange
    private let driver: EngineDriver
    private let faults: FaultPlan
    private let isStreamed: Bool
    /// Choices made of each prompt.
    private let choicesPerPrompt: Int

    private var format: any AnswerFormat
    private var choices: [AnswerChoice]
    private var choiceByID: [SimulatedRequestID: Int] = [:]
    private var usage = SimulatedUsage(promptTokens: 0, cachedTokens: 0, outputTokens: 0)
    private var pending = ByteBuffer()
    private var hasOpened = false
    private var eventsWritten = 0
    private var breaksOff: Bool?
    private var span: GenerationSpan?

    init(
        exchange: HTTPExchange,
        driver: EngineDriver,
        faults: FaultPlan,
        format: any AnswerFormat,
        isStreamed: Bool,
        choiceCount: Int,
        choicesPerPrompt: Int,
        span: GenerationSpan? = nil
    ) {
        self.exchange = exchange
        self.driver = driver
        self.faults = faults
        self.format = format
        self.isStreamed = isStreamed
        self.choices = Array(repeating: AnswerChoice(), count: choiceCount)
        self.choicesPerPrompt = choicesPerPrompt
        self.span = span
    }

    /// Submits one request per choice. When one is rejected none remains.
    func start(_ requests: [SimulatedRequest]) throws(SimulatedRejection) {
        for (choice, request) in requests.enumerated() {
            do throws(SimulatedRejection) {
                choiceByID[try driver.submit(request, observer: self)] = choice
            } catch {
                cancel()
                throw error
            }
        }
        exchange.onDisconnect = { [weak self] in
            self?.cancel()
        }
        if isStreamed {
            exchange.beginStream()
        }
        driver.drive()
    }

    func receive(_ event: EngineEvent) {
        guard let choice = choiceByID[event.id], breaksOff == nil else {
            return
        }
        span?.note(event)
        switch event.kind {
        case .token(let token, _, let finishReason):
            if isStreamed {
                writeToken(token, choice: choice, finishReason: finishReason)
            } else {
                choices[choice].text += token.text
            }
        case .finished(let used, let reason):
            choices[choice].finishReason = reason
            usage.outputTokens += used.outputTokens
            // The choices of one prompt share its tokens.
            if choice % choicesPerPrompt == 0 {
                usage.promptTokens += used.promptTokens
                usage.cachedTokens += used.cachedTokens
            }
            choiceByID[event.id] = nil
            if choiceByID.isEmpty { span?.finish(usage, at: event.time) }
            if choiceByID.isEmpty, isStreamed {
                format.writeClosing(usage, into: &pending)
            }
        }
    }

    func eventsEnded() {
        if isStreamed {
            if pending.readableBytes > 0 {
                exchange.write(pending)
                pending.clear()
            }
            if let breaksOff {
                cancel()
                exchange.breakOff(reset: breaksOff)
            } else if choiceByID.isEmpty {
                exchange.endStream()
            }
        } else if choiceByID.isEmpty {
            format.writeWhole(choices, usage, into: &pending)
            if faults.resetAfterEvents != nil || faults.truncateAfterEvents != nil {
                exchange.respondInHalf(body: pending, reset: faults.resetAfterEvents != nil)
            } else {
                exchange.respond(.ok, body: pending)
            }
        }
    }

    private func writeToken(_ token: SimulatedToken, choice: Int, finishReason: SimulatedFinishReason?) {
        if !hasOpened {
            hasOpened = true
            format.writeOpening(into: &pending)
        }
        format.writeToken(token, choice: choice, finishReason: finishReason, into: &pending)
        eventsWritten += 1
        if let limit = faults.resetAfterEvents, eventsWritten >= limit {
            breaksOff = true
        } else if let limit = faults.truncateAfterEvents, eventsWritten >= limit {
            breaksOff = false
        }
    }

    private func cancel() {
        for id in choiceByID.keys {
            driver.cancel(id)
        }
        choiceByID.removeAll()
        driver.drive()
    }
}

/// A request for embeddings: its inputs are computed, and the vectors are drawn from the inputs.
final class EmbeddingsAnswer: EngineObserver {
    private let exchange: HTTPExchange
    private let driver: EngineDriver
    private let envelope: AnswerEnvelope
    private let vectors: [String]
    private var unfinished: Set<SimulatedRequestID> = []
    private var promptTokens = 0

    /// - Parameter vectors: the embeddings as JSON, in order of the inputs.
    init(exchange: HTTPExchange, driver: EngineDriver, envelope: AnswerEnvelope, vectors: [String]) {
        self.exchange = exchange
        self.driver = driver
        self.envelope = envelope
        self.vectors = vectors
    }

    /// Submits one request per input. When one is rejected none remains.
    func start(_ inputs: [SimulatedRequest]) throws(SimulatedRejection) {
        for input in inputs {
            do throws(SimulatedRejection) {
                unfinished.insert(try driver.submit(input, observer: self))
            } catch {
                cancel()
                throw error
            }
        }
        exchange.onDisconnect = { [weak self] in
            self?.cancel()
        }
        driver.drive()
    }

    func receive(_ event: EngineEvent) {
        guard case .finished(let usage, _) = event.kind else {
            return
        }
        promptTokens += usage.promptTokens
        unfinished.remove(event.id)
    }

    func eventsEnded() {
        guard unfinished.isEmpty else {
            return
        }
        let data = vectors.enumerated().map { #"{"index":\#($0),"object":"embedding","embedding":\#($1)}"# }
        exchange.respond(
            .ok,
            text: """
                {"id":\(JSONText.quoted(envelope.id)),"object":"list","created":\(envelope.created),\
                "model":\(JSONText.quoted(envelope.model)),"data":[\(data.joined(separator: ","))],\
                "usage":{"prompt_tokens":\(promptTokens),"total_tokens":\(promptTokens),"completion_tokens":0,\
                "prompt_tokens_details":null}}
                """
        )
    }

    private func cancel() {
        for id in unfinished {
            driver.cancel(id)
        }
        unfinished.removeAll()
        driver.drive()
    }
}
