/// The metadata keys of log lines, so that one thing has one name on every line.
package enum LogKeys {
    /// The request's id, on every line of a request.
    package static let requestID = "request-id"
    /// The trace the request belongs to, 32 hexadecimal digits.
    package static let traceID = "trace-id"
    /// The endpoint's name.
    package static let endpoint = "endpoint"
    /// The address and port of an endpoint.
    package static let endpointAddress = "endpoint-address"
    /// The pool's name.
    package static let pool = "pool"
    /// The model name as the client sent it.
    package static let model = "model"
    /// The model name as it goes to the endpoint.
    package static let targetModel = "target-model"
    /// The objective that the request names.
    package static let objective = "objective"
    /// The priority of the objective.
    package static let priority = "priority"
    /// The flow the request belongs to.
    package static let fairnessID = "fairness-id"
    /// The profile that decided.
    package static let profile = "profile"
    /// The name of a plugin.
    package static let plugin = "plugin"
    /// The type of a plugin.
    package static let pluginType = "plugin-type"
    /// How a request ended.
    package static let outcome = "outcome"
    /// Why something was done or failed, from a closed set of words.
    package static let reason = "reason"
    /// The text of an error.
    package static let error = "error"
    /// An HTTP status.
    package static let status = "status"
    /// A length of time in milliseconds.
    package static let durationMilliseconds = "duration-ms"
    /// How many times something was tried, counted from 1.
    package static let attempt = "attempt"
    /// A number of bytes.
    package static let bytes = "bytes"
    /// The path of a file.
    package static let file = "file"
    /// The name of a listener.
    package static let listener = "listener"
    /// The address of the peer of a connection.
    package static let peer = "peer"
    /// The name of a service of the process.
    package static let service = "service"
}
