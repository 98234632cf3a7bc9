import FoundationEssentials

/// A request as it reached a ``ScriptedKubernetesAPI``.
package struct ScriptedAPIRequest: Sendable {
    /// The method, such as `GET`.
    package let method: String
    /// The path without its query, as it was sent.
    package let path: String
    /// The query; of a name that comes twice, the last.
    package let query: [String: String]
    /// The header fields in order, names in lower case.
    package let fields: [(name: String, value: String)]
    /// The length of the body in bytes.
    package let bodyBytes: Int
    /// The body as JSON; `nil` when there was none, or it was no JSON.
    package let body: ScriptedJSON?
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `apply`, `delete` or `deletecollection`; empty for a path
    /// that leads to no type.
    package var verb = ""
    /// The plural of the type; empty for none.
    package var resource = ""
    /// The API group of the type.
    package var group = ""
    /// The namespace; `nil` for all.
    package var namespace: String?
    /// The object; `nil` for the collection.
    package var name: String?
    /// Such as `status`.
    package var subresource: String?
    /// Who sent it; empty before the user is known.
    package var user = ""
    /// The status it was answered with; 0 when the answer never began.
    package var status = 0

    /// The first value of a header field, ignoring case.
    package func value(_ field: String) -> String? {
        fields.first { $0.name == field.lowercased() }?.value
    }

    /// Reads a request line.
    init(
        method: String,
        uri: String,
        fields: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) {
        self.method = method
        self.fields = fields
        bodyBytes = body.count
        // By its first bytes, not by its media type: a wrong media type is refused later.
        self.body = body.isEmpty ? nil : ProtobufBody.document(body) ?? (try? ScriptedJSON(bytes: body))
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts.first ?? "")
        var query: [String: String] = [:]
        for pair in parts.count == 2 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[Self.decoded(sides[0])] = sides.count == 2 ? Self.decoded(sides[1]) : ""
        }
        self.query = query
    }

    /// A parameter that is a switch: `1`, `true`, or there at all without a value.
    func isSet(_ name: String) -> Bool {
        guard let value = query[name] else { return false }
        return value != "0" && value != "false"
    }

    /// The parts of the path.
    var segments: [String] { path.split(separator: "/").map(Self.decoded) }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest.removeFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What the path leads to; `nil` when it is no path of a type.
    func target(in state: ClusterState) -> ResourceTarget? {
        var segments = self.segments[...]
        let group: String
        switch segments.popFirst() {
        case "api": group = ""
        case "apis":
            guard let name = segments.popFirst() else { return nil }
            group = name
        default: return nil
        }
        guard let version = segments.popFirst() else { return nil }
        var namespace: String?
        // A namespace is both a place of objects and an object.
        let isObject = segments.count < 3 || ["status", "finalize"].contains(segments[segments.startIndex + 2])
        if segments.first == "namespaces", !(group.isEmpty && isObject) {
            _ = segments.popFirst()
            namespace = segments.popFirst()
        }
        guard let plural = segments.popFirst(),
            let type = state.type(group: group, version: version, plural: plural)
        else { return nil }
        let name = segments.popFirst()
        let subresource = segments.popFirst()
        guard segments.isEmpty, type.isNamespaced || namespace == nil else { return nil }
        guard type.isNamespaced == false || name == nil || namespace != nil else { return nil }
        return ResourceTarget(
            type: type, version: version, namespace: namespace, name: name, subresource: subresource
        )
    }

    /// What the request does to a target; empty for a method that the target does not know.
    func verb(for target: ResourceTarget) -> String {
        switch (method, target.name != nil) {
        case ("GET", true): return "get"
        case ("GET", false): return isSet("watch") ? "watch" : "list"
        case ("POST", false): return "create"
        case ("PUT", true): return "update"
        case ("PATCH", true): return "patch"
        case ("DELETE", true): return "delete"
        case ("DELETE", false): return "deletecollection"
        default: return ""
        }
    }
}
