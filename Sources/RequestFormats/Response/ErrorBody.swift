/// The body of a reply by which the gateway itself refuses a request, in the words of the client's API.
package struct ErrorBody: Hashable, Sendable {
    /// The reply's HTTP status, from which the error type is told.
    package let status: Int
    /// One sentence for the client.
    package let message: String
    /// A name that a program can compare, such as `model_not_found`; `nil` writes `null`. Anthropic has no place for
    /// it.
    package let code: String?
    /// The request's field at fault; `nil` writes `null`. Anthropic has no place for it.
    package let parameter: String?

    /// Makes an error body; see the properties.
    package init(status: Int, message: String, code: String? = nil, parameter: String? = nil) {
        self.status = status
        self.message = message
        self.code = code
        self.parameter = parameter
    }

    /// The JSON for a client of `api`: Anthropic's shape for its own API, OpenAI's for all others.
    package func encoded(for api: InferenceAPI) -> [UInt8] {
        var writer = JSONWriter()
        switch api {
        case .messages, .messagesCountTokens: writeAnthropic(&writer)
        default: writeOpenAI(&writer)
        }
        return writer.bytes
    }

    /// `{"error":{"message","type","param","code"}}`.
    private func writeOpenAI(_ writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.key("message")
        writer.string(message)
        writer.key("type")
        writer.string(openAIType)
        writer.key("param")
        write(parameter, &writer)
        writer.key("code")
        write(code, &writer)
        writer.endObject()
        writer.endObject()
    }

    /// `{"type":"error","error":{"type","message"}}`.
    private func writeAnthropic(_ writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("type")
        writer.string("error")
        writer.key("error")
        writer.beginObject()
        writer.key("type")
        writer.string(anthropicType)
        writer.key("message")
        writer.string(message)
        writer.endObject()
        writer.endObject()
    }

    private func write(_ text: String?, _ writer: inout JSONWriter) {
        if let text {
            writer.string(text)
        } else {
            writer.null()
        }
    }

    /// The error types that OpenAI's clients know.
    private var openAIType: String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "rate_limit_error"
        case 400..<500: "invalid_request_error"
        default: "server_error"
        }
    }

    /// The error types of Anthropic's API. Its own 529 for overload is 503 here.
    private var anthropicType: String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 400..<500: "invalid_request_error"
        case 503, 529: "overloaded_error"
        default: "api_error"
        }
    }
}
