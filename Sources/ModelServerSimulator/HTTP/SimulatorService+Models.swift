import NIOCore
import NIOHTTP1

extension SimulatorService {
    /// The most adapters that can be known at once.
    private static let maxKnownAdapters = 10_000

    /// Answers `GET /v1/models`.
    func listModels(_ exchange: HTTPExchange) {
        let created = Int(clock.unixTime)
        let base = configuration.models.first ?? ""
        var cards = configuration.models.map { name in
            modelCard(name, parent: nil, created: created, length: configuration.parameters.effectiveMaxModelLength)
        }
        cards += adapters.map { modelCard($0, parent: base, created: created, length: nil) }
        exchange.respond(.ok, text: #"{"object":"list","data":[\#(cards.joined(separator: ","))]}"#)
    }

    private func modelCard(_ name: String, parent: String?, created: Int, length: Int?) -> String {
        let permission = AnswerEnvelope.identity("modelperm-", requestID: nil, random: &random)
        let parent = parent.map(JSONText.quoted) ?? "null"
        let length = length.map { "\($0)" } ?? "null"
        return """
            {"id":\(JSONText.quoted(name)),"object":"model","created":\(created),"owned_by":"vllm",\
            "root":\(JSONText.quoted("models/" + name)),"parent":\(parent),"max_model_len":\(length),\
            "permission":[{"id":"\(permission)","object":"model_permission","created":\(created),\
            "allow_create_engine":false,"allow_sampling":true,"allow_logprobs":true,"allow_search_indices":false,\
            "allow_view":true,"allow_fine_tuning":false,"organization":"*","group":null,"is_blocking":false}]}
            """
    }

    /// Answers `POST /v1/load_lora_adapter`.
    func loadAdapter(_ exchange: HTTPExchange) {
        do throws(APIError) {
            let body = try decode(AdapterBody.self, exchange)
            guard let name = body.loraName, !name.isEmpty, let path = body.loraPath, !path.isEmpty else {
                throw .badRequest("Both 'lora_name' and 'lora_path' must be provided.")
            }
            guard !adapters.contains(name), !configuration.models.contains(name) else {
                throw APIError(
                    status: .badRequest, type: "InvalidUserInput",
                    message: "The lora adapter '\(name)' has already been loaded."
                )
            }
            guard configuration.parameters.maxLoRAs > 0 else {
                throw .badRequest("The engine has no adapter slot.")
            }
            guard adapters.count < Self.maxKnownAdapters else {
                throw .badRequest("There are \(adapters.count) adapters already, which is the limit.")
            }
            adapters.append(name)
            exchange.respond(
                .ok, contentType: "text/plain; charset=utf-8",
                text: "Success: LoRA adapter '\(name)' added successfully."
            )
        } catch {
            error.answer(exchange)
        }
    }

    /// Answers `POST /v1/unload_lora_adapter`. Requests that run with the adapter go on to their end.
    func unloadAdapter(_ exchange: HTTPExchange) {
        do throws(APIError) {
            let body = try decode(AdapterBody.self, exchange)
            guard let name = body.loraName, !name.isEmpty else {
                throw .badRequest("'lora_name' must be provided.")
            }
            guard let index = adapters.firstIndex(of: name) else {
                throw .notFound("The lora adapter '\(name)' cannot be found.")
            }
            adapters.remove(at: index)
            driver.withEngine { $0.removeAdapter(name) }
            exchange.respond(
                .ok, contentType: "text/plain; charset=utf-8",
                text: "Success: LoRA adapter '\(name)' removed successfully."
            )
        } catch {
            error.answer(exchange)
        }
    }

    /// Answers `POST /tokenize`.
    func tokenize(_ exchange: HTTPExchange) {
        do throws(APIError) {
            let body = try decode(TokenizeBody.self, exchange)
            _ = try adapter(for: body.model)
            let tokens: [SimulatedToken]
            if let messages = body.messages {
                tokens = PromptText.tokens(of: messages)
            } else {
                tokens = SimulatedToken.tokens(of: (body.prompt ?? "").utf8)
            }
            let numbers = tokens.map { "\($0.value)" }.joined(separator: ",")
            let limit = configuration.parameters.effectiveMaxModelLength
            exchange.respond(
                .ok,
                text: #"{"count":\#(tokens.count),"max_model_len":\#(limit),"tokens":[\#(numbers)],"token_strs":null}"#
            )
        } catch {
            error.answer(exchange)
        }
    }

    /// Answers `POST /v1/messages/count_tokens`.
    func countTokens(_ exchange: HTTPExchange) {
        do throws(APIError) {
            let body = try decode(MessagesBody.self, exchange)
            _ = try adapter(for: body.model)
            let tokens = PromptText.tokens(of: body.messages, system: body.system?.text)
            exchange.respond(.ok, text: #"{"input_tokens":\#(tokens.count)}"#)
        } catch {
            error.answer(exchange)
        }
    }
}
