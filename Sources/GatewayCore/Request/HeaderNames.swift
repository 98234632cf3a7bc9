/// The header names of the endpoint-picker protocol and of llm-d's request controls, in lower case.
public enum HeaderNames {
    /// The request's identifier.
    public static let requestID: StaticString = "x-request-id"
    /// The InferenceObjective of the request, and its deprecated spelling.
    public static let objective: [StaticString] = ["x-llm-d-inference-objective", "x-gateway-inference-objective"]
    /// The flow that fairness is kept for, and its deprecated spelling.
    public static let fairnessID: [StaticString] = ["x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id"]
    /// The model that is to serve instead of the body's, and its deprecated spelling.
    public static let modelRewrite: [StaticString] = ["x-llm-d-model-name-rewrite", "x-gateway-model-name-rewrite"]
    /// The client's objective for the time to first token in milliseconds, and its deprecated spelling.
    public static let ttftObjective: [StaticString] = ["x-llm-d-slo-ttft-ms", "x-slo-ttft-ms"]
    /// The client's objective for the time per output token in milliseconds, and its deprecated spelling.
    public static let tpotObjective: [StaticString] = ["x-llm-d-slo-tpot-ms", "x-slo-tpot-ms"]
    /// The endpoint that is to serve the request, as `ip:port`, or several, best first.
    public static let destinationEndpoint = "x-gateway-destination-endpoint"
    /// The model name of the body, set by body-based routing.
    public static let modelName = "X-Gateway-Model-Name"
    /// The base model of the body's model, set by body-based routing; empty when unknown.
    public static let baseModelName = "X-Gateway-Base-Model-Name"
    /// The endpoint that served the response, as `ip:port`.
    public static let destinationEndpointServed = "x-gateway-destination-endpoint-served"
    /// Why the gateway refused the request.
    public static let droppedReason = "x-llm-d-request-dropped-reason"
}

/// Changes to a set of header fields, as an HTTPRoute filter describes them.
public struct HeaderMutation: Hashable, Sendable {
    /// One field to set or add.
    public struct Field: Hashable, Sendable {
        /// The field's name.
        public let name: String
        /// The field's value.
        public let value: String

        /// Makes a field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Fields that replace every field of the same name.
    public var set: [Field]
    /// Fields that are added beside those of the same name.
    public var add: [Field]
    /// Names of fields to remove.
    public var remove: [String]

    /// Makes a mutation; without arguments it changes nothing.
    public init(set: [Field] = [], add: [Field] = [], remove: [String] = []) {
        self.set = set
        self.add = add
        self.remove = remove
    }

    /// Gives the message one field called `name` with `value`, or none without a value, whatever it has itself and
    /// whatever was noted here of that name before.
    public mutating func overwrite(_ name: String, with value: String?) {
        self.set.removeAll { $0.name.equalsIgnoringASCIICase(name) }
        add.removeAll { $0.name.equalsIgnoringASCIICase(name) }
        remove.removeAll { $0.equalsIgnoringASCIICase(name) }
        if let value {
            self.set.append(Field(name: name, value: value))
        } else {
            remove.append(name)
        }
    }

    /// Whether it changes nothing.
    public var isEmpty: Bool { self.set.isEmpty && add.isEmpty && remove.isEmpty }
}
