/// An endpoint's part in serving a request, by the label `llm-d.ai/role`.
public enum EndpointRole: Hashable, Sendable {
    /// The label.
    public static let label = "llm-d.ai/role"

    /// It computes prompts.
    case prefill
    /// It generates, or does everything: so does an endpoint without the label.
    case decode
    /// It does both for each request.
    case interleaved
    /// It encodes media only, or has a part that is not known here.
    case other

    /// Reads the label.
    public init(labels: [String: String]) {
        switch labels[Self.label] {
        case nil, "", "decode": self = .decode
        case "prefill", "encode-prefill": self = .prefill
        case "prefill-decode", "both", "encode-prefill-decode": self = .interleaved
        default: self = .other
        }
    }

    /// Whether it computes prompts.
    public var prefills: Bool { self == .prefill || self == .interleaved }

    /// Whether it generates.
    public var decodes: Bool { self == .decode || self == .interleaved }
}
