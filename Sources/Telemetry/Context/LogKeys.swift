/// The keys of log lines, so that one thing has one name on every line. Those of requests are the keys of llm-d's
/// endpoint picker.
package enum LogKeys {
    /// The request's id, on every line of a request.
    package static let requestID = "x-request-id"
    /// The trace the request belongs to, 32 hexadecimal digits.
    package static let traceID = "trace_id"
    /// The model name as the client sent it.
    package static let model = "incomingModelName"
    /// The model name as it goes to the endpoint.
    package static let targetModel = "targetModelName"
    /// The objective that the request names.
    package static let objective = "objectiveKey"
    /// The priority of the objective.
    package static let priority = "priority"
    /// The flow the request belongs to.
    package static let fairnessID = "fairnessID"
    /// The method of the request.
    package static let method = "method"
    /// The path of the request, without its query.
    package static let path = "path"
    /// An HTTP status; 0 when the client got none.
    package static let status = "status"
    /// How a request ended at its endpoint.
    package static let outcome = "outcome"
    /// Why something was done or failed, from a closed set of words.
    package static let reason = "reason"
    /// The text of an error.
    package static let error = "error"
    /// The pool's name.
    package static let pool = "pool"
    /// The endpoint's name.
    package static let endpoint = "endpoint"
    /// The address and port of an endpoint.
    package static let endpointAddress = "endpointAddress"
    /// How often a request was sent to an endpoint.
    package static let attempts = "attempts"
    /// Whether the response is an event stream.
    package static let stream = "stream"
    /// The size of the request's body.
    package static let requestBytes = "requestBytes"
    /// The size of the response's body, as far as it was relayed.
    package static let responseBytes = "responseBytes"
    /// The tokens of the prompt.
    package static let promptTokens = "promptTokens"
    /// The tokens that were generated.
    package static let outputTokens = "outputTokens"
    /// The tokens of the prompt that the endpoint had in its cache.
    package static let cachedTokens = "cachedTokens"
    /// How long the request waited for its turn.
    package static let queueMilliseconds = "queueMs"
    /// How long the choice of the endpoint took.
    package static let decisionMilliseconds = "decisionMs"
    /// The time to the first byte of the response's body.
    package static let firstByteMilliseconds = "ttftMs"
    /// A length of time.
    package static let durationMilliseconds = "durationMs"
    /// How many things a line stands for.
    package static let count = "count"
}
