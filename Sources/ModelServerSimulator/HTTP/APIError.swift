import NIOCore
import NIOHTTP1

/// An answer that says what was wrong with a request, in the shape of vLLM.
struct APIError: Error {
    var status: HTTPResponseStatus
    var type: String
    var message: String
    /// The member of the body that is at fault.
    var parameter: String?

    static func badRequest(_ message: String, parameter: String? = nil) -> APIError {
        APIError(status: .badRequest, type: "BadRequestError", message: message, parameter: parameter)
    }

    static func notFound(_ message: String, parameter: String? = nil) -> APIError {
        APIError(status: .notFound, type: "NotFoundError", message: message, parameter: parameter)
    }

    /// Why the engine did not take a request, in the words of an API.
    init(_ rejection: SimulatedRejection) {
        switch rejection {
        case .queueFull:
            self.init(
                status: .serviceUnavailable, type: "ServiceUnavailableError",
                message: "The server is overloaded: \(rejection)."
            )
        case .tooLong(let promptTokens, let outputTokens, let limit):
            self = .badRequest(
                """
                This model's maximum context length is \(limit) tokens. However, you requested \(outputTokens) output \
                tokens and your prompt contains \(promptTokens) input tokens, for a total of \
                \(promptTokens.addingReportingOverflow(outputTokens).partialValue) tokens. Please reduce the length of \
                the input prompt or the number of requested output tokens.
                """,
                parameter: "input_tokens"
            )
        case .emptyPrompt, .adaptersDisabled:
            self = .badRequest("The request cannot be served: \(rejection).")
        }
    }

    init(status: HTTPResponseStatus, type: String, message: String, parameter: String? = nil) {
        self.status = status
        self.type = type
        self.message = message
        self.parameter = parameter
    }

    /// Answers with the error, in the shape of the API that the path belongs to.
    func answer(_ exchange: HTTPExchange) {
        let message = JSONText.quoted(message)
        let parameter = parameter.map(JSONText.quoted) ?? "null"
        if exchange.path.hasPrefix("/v1/messages") {
            exchange.respond(status, text: #"{"type":"error","error":{"type":"\#(type)","message":\#(message)}}"#)
        } else {
            exchange.respond(
                status,
                text: """
                    {"error":{"message":\(message),"type":"\(type)","param":\(parameter),"code":\(status.code)}}
                    """
            )
        }
    }
}
