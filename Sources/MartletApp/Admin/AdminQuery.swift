import GatewayCore
import RequestControl

/// The parameters of a query at the admin address.
struct AdminQuery {
    private let values: [String: String]

    /// Reads what stands behind the `?`; the first of a name counts.
    init(_ text: Substring) {
        values = Dictionary(
            text.split(separator: "&").map { part in
                let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return (
                    pair[0].percentDecoded(plusIsSpace: true),
                    pair.count > 1 ? pair[1].percentDecoded(plusIsSpace: true) : ""
                )
            }
        ) { first, _ in first }
    }

    subscript(name: String) -> String? { values[name] }

    /// Whether `value` is what the query asks for, if it asks at all.
    func allows(_ value: String, for name: String) -> Bool {
        values[name].map { $0 == value } ?? true
    }

    /// Whether the answer is to be a table.
    func wantsText(_ request: AdminRequest) -> Bool {
        values["format"].map { $0 == "text" } ?? request.accept.hasPrefix("text/plain")
    }
}
