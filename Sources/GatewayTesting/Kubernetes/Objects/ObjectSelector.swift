/// Which objects of a type a list or a watch is about: a namespace, labels and fields.
struct ObjectSelector: Hashable, Sendable {
    /// One demand on labels.
    enum Requirement: Hashable, Sendable {
        case within(String, [String])
        case notWithin(String, [String])
        case exists(String)
        case absent(String)
        case greater(String, Int64)
        case less(String, Int64)

        func accepts(_ labels: [String: ScriptedJSON]) -> Bool {
            switch self {
            case .within(let key, let values): labels[key]?.text.map(values.contains) ?? false
            // An object without the label is not among those values.
            case .notWithin(let key, let values): !(labels[key]?.text.map(values.contains) ?? false)
            case .exists(let key): labels[key] != nil
            case .absent(let key): labels[key] == nil
            case .greater(let key, let bound): labels[key]?.text.flatMap(Int64.init).map { $0 > bound } ?? false
            case .less(let key, let bound): labels[key]?.text.flatMap(Int64.init).map { $0 < bound } ?? false
            }
        }
    }

    /// One demand on a field.
    struct FieldDemand: Hashable, Sendable {
        var path: [String]
        var value: String
        var isEqual: Bool
    }

    /// The namespace; `nil` for all.
    var namespace: String?
    /// All must hold.
    var labels: [Requirement] = []
    /// All must hold.
    var fields: [FieldDemand] = []

    /// Whether nothing but the namespace narrows the choice.
    var isPlain: Bool { labels.isEmpty && fields.isEmpty }

    /// Whether an object is meant.
    func accepts(_ object: ScriptedJSON) -> Bool {
        if let namespace, object[path: "metadata", "namespace"]?.text != namespace { return false }
        let given = object[path: "metadata", "labels"]?.members ?? [:]
        guard labels.allSatisfy({ $0.accepts(given) }) else { return false }
        return fields.allSatisfy { demand in
            var value: ScriptedJSON? = object
            for key in demand.path { value = value?[key] }
            return ((value?.text ?? "") == demand.value) == demand.isEqual
        }
    }
}

extension ObjectSelector {
    /// Reads the two parameters of a query.
    ///
    /// - Throws: ``ScriptedAPIFailure`` with status 400.
    init(
        namespace: String?,
        labelSelector: String,
        fieldSelector: String,
        type: ScriptedResourceType
    ) throws(ScriptedAPIFailure) {
        self.namespace = namespace
        labels = try Self.requirements(labelSelector)
        fields = try Self.demands(fieldSelector, type)
    }

    private static func requirements(_ text: String) throws(ScriptedAPIFailure) -> [Requirement] {
        var result: [Requirement] = []
        for part in split(text) {
            guard let requirement = requirement(part) else {
                throw .badRequest("unable to parse requirement: \(part)")
            }
            result.append(requirement)
        }
        return result
    }

    /// Splits at commas outside parentheses.
    private static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var part = ""
        var isInside = false
        for character in text {
            if character == "," && !isInside {
                parts.append(part)
                part = ""
                continue
            }
            if character == "(" { isInside = true }
            if character == ")" { isInside = false }
            part.append(character)
        }
        return (parts + [part]).map(trimmed).filter { !$0.isEmpty }
    }

    private static func requirement(_ text: String) -> Requirement? {
        if let open = text.firstIndex(of: "("), text.hasSuffix(")") {
            let words = text[..<open].split(separator: " ").map(String.init)
            let values = text[text.index(after: open)...].dropLast().split(separator: ",").map { trimmed(String($0)) }
            guard words.count == 2, isKey(words[0]), !values.isEmpty else { return nil }
            switch words[1] {
            case "in": return .within(words[0], values)
            case "notin": return .notWithin(words[0], values)
            default: return nil
            }
        }
        for sign in ["!=", "==", "=", ">", "<"] {
            guard let range = text.firstRange(of: sign) else { continue }
            let key = trimmed(String(text[..<range.lowerBound]))
            let value = trimmed(String(text[range.upperBound...]))
            guard isKey(key) else { return nil }
            switch sign {
            case "!=": return .notWithin(key, [value])
            case ">": return Int64(value).map { .greater(key, $0) }
            case "<": return Int64(value).map { .less(key, $0) }
            default: return .within(key, [value])
            }
        }
        if text.hasPrefix("!") {
            let key = trimmed(String(text.dropFirst()))
            return isKey(key) ? .absent(key) : nil
        }
        return isKey(text) ? .exists(text) : nil
    }

    private static func isKey(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                    UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private static func demands(_ text: String, _ type: ScriptedResourceType) throws(ScriptedAPIFailure)
        -> [FieldDemand]
    {
        var allowed: Set = ["metadata.name", "metadata.namespace"]
        switch type.plural {
        case "pods": allowed.formUnion(["status.phase", "status.podIP", "spec.nodeName"])
        case "events":
            allowed.formUnion(["reason", "type", "involvedObject.name", "involvedObject.namespace"])
            allowed.formUnion(["involvedObject.kind", "involvedObject.uid"])
        default: break
        }
        var result: [FieldDemand] = []
        for part in split(text) {
            guard let sign = ["!=", "==", "="].first(where: { part.firstRange(of: $0) != nil }),
                let range = part.firstRange(of: sign)
            else {
                throw .badRequest("invalid selector: '\(text)'; can't understand '\(part)'")
            }
            let label = trimmed(String(part[..<range.lowerBound]))
            guard allowed.contains(label) else {
                throw .badRequest("field label not supported: \(label)")
            }
            let value = trimmed(String(part[range.upperBound...]))
            let path = label.split(separator: ".").map(String.init)
            result.append(FieldDemand(path: path, value: value, isEqual: sign != "!="))
        }
        return result
    }
}
