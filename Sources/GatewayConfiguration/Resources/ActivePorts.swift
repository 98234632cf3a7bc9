/// Which ports of an endpoint get requests, where an annotation of its pod limits them.
package struct ActivePorts: Hashable, Sendable {
    /// The annotation of llm-d, and the one of the Gateway API Inference Extension, which counts without the other.
    package static let annotations = ["llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports"]

    /// The annotation that says so.
    package let annotation: String
    /// The active ports. What is no port of the endpoint is left out; so an annotation without a usable port leaves
    /// none.
    package let ports: Set<Int>
    /// What stands in the annotation and is no port of the endpoint.
    package let stray: [String]

    /// Reads the annotations of a pod; `nil` when none of them limits its ports.
    ///
    /// - Parameter mayHave: whether a port is one of the endpoint's.
    package init?(annotations: [String: String], mayHave: (Int) -> Bool) {
        guard let key = Self.annotations.first(where: { annotations[$0] != nil }), let text = annotations[key] else {
            return nil
        }
        annotation = key
        var ports: Set<Int> = []
        var stray: [String] = []
        for part in text.split(separator: ",") {
            let number = part.drop { $0 == " " }.prefix { $0 != " " }
            if let port = Self.port(number), mayHave(port) {
                ports.insert(port)
            } else {
                stray.append(String(part))
            }
        }
        self.ports = ports
        self.stray = stray
    }

    /// The port that `text` is, in decimal digits; `nil` for anything else.
    static func port(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy(NameSyntax.isDigit), let port = UInt16(text), port > 0 else { return nil }
        return Int(port)
    }
}
