import FoundationEssentials
import Yams

/// A value of a kubeconfig file with the place where it stands, for errors.
///
/// The file is its user's own, and may name programs to run: what it could do by odd YAML is no concern. Keys that
/// nobody asks for are passed over, whatever they hold.
struct KubeconfigValue {
    let node: Node
    let file: String
    let place: String

    /// The root of the first document of `text`; `nil` when there is none.
    static func root(of text: String, file: String) throws(ClusterConfigurationError) -> KubeconfigValue? {
        do {
            guard let node = try Parser(yaml: text, resolver: .basic, encoding: .utf8).nextRoot() else { return nil }
            return KubeconfigValue(node: node, file: file, place: "")
        } catch {
            throw ClusterConfigurationError(source: "kubeconfig '\(file)'", reason: "not YAML: \(words(error))")
        }
    }

    /// What the parser found, without the lines that it quotes: they may hold secrets.
    private static func words(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(problem) at line \(mark.line), column \(mark.column)"
        case .reader(let problem, _, _, _): problem
        case .duplicatedKeysInMapping(let keys, let context):
            "\(keys.map { "'\($0)'" }.joined(separator: ", ")) is written twice at line \(context.mark.line)"
        default: "it cannot be parsed"
        }
    }

    /// An error at this place.
    func problem(_ reason: String) -> ClusterConfigurationError {
        ClusterConfigurationError(source: "kubeconfig '\(file)'", place: place, reason: reason)
    }

    // MARK: - Mappings and lists

    /// The value of `key`; `nil` when it is not there or null, or this is null.
    func member(_ key: String) throws(ClusterConfigurationError) -> KubeconfigValue? {
        guard let mapping = try mapping(), let node = Self.find(key, in: mapping, depth: 0) else { return nil }
        let value = KubeconfigValue(node: node, file: file, place: place.isEmpty ? key : "\(place).\(key)")
        return value.isNull ? nil : value
    }

    private func mapping() throws(ClusterConfigurationError) -> Node.Mapping? {
        if isNull { return nil }
        guard case .mapping(let mapping) = node else { throw problem("\(kind) where an object is expected") }
        return mapping
    }

    /// Looks in the mapping, then in those that its merge key names.
    private static func find(_ key: String, in mapping: Node.Mapping, depth: Int) -> Node? {
        var merged: Node?
        for (name, value) in mapping {
            if name.scalar?.string == key { return value }
            if name.scalar?.string == "<<" { merged = value }
        }
        guard let merged, depth < 8 else { return nil }
        let bases = merged.sequence.map(Array.init) ?? [merged]
        return bases.lazy.compactMap { base in base.mapping.flatMap { find(key, in: $0, depth: depth + 1) } }.first
    }

    /// The elements of the list under `key`; empty when it is not there.
    func list(_ key: String) throws(ClusterConfigurationError) -> [KubeconfigValue] {
        guard let value = try member(key) else { return [] }
        guard case .sequence(let sequence) = value.node else {
            throw value.problem("\(value.kind) where a list is expected")
        }
        return sequence.enumerated().map { index, node in
            KubeconfigValue(node: node, file: file, place: "\(value.place)[\(index)]")
        }
    }

    /// The keys of the object under `key` that have lists of text.
    func textLists(_ key: String) throws(ClusterConfigurationError) -> [String: [String]] {
        guard let value = try member(key), let mapping = try value.mapping() else { return [:] }
        var lists: [String: [String]] = [:]
        for name in mapping.keys.compactMap(\.scalar?.string) { lists[name] = try value.texts(name) }
        return lists
    }

    // MARK: - Scalars

    /// The text under `key`; empty when it is not there.
    func text(_ key: String) throws(ClusterConfigurationError) -> String {
        guard let value = try member(key) else { return "" }
        return try value.text()
    }

    /// The list of text under `key`; empty when it is not there.
    func texts(_ key: String) throws(ClusterConfigurationError) -> [String] {
        var texts: [String] = []
        for element in try list(key) { texts.append(try element.text()) }
        return texts
    }

    private func text() throws(ClusterConfigurationError) -> String {
        guard case .text(let text) = scalar else {
            let isSecret = [".token", ".password", ".value"].contains { place.hasSuffix($0) }
            throw problem("\(isSecret ? "no text" : kind) where text is expected; quote it if it is text")
        }
        return text
    }

    /// The truth value under `key`; false when it is not there.
    func flag(_ key: String) throws(ClusterConfigurationError) -> Bool {
        guard let value = try member(key) else { return false }
        guard case .bool(let flag) = value.scalar else {
            throw value.problem("\(value.kind) where true or false is expected")
        }
        return flag
    }

    /// The bytes under `key`, which stand in base64; `nil` when it is not there or empty.
    func bytes(_ key: String) throws(ClusterConfigurationError) -> [UInt8]? {
        guard let value = try member(key) else { return nil }
        let text = try value.text()
        guard !text.isEmpty else { return nil }
        // Line breaks within are allowed, as the readers of other clients allow them.
        let compact = text.filter { $0 != "\n" && $0 != "\r" && $0 != "\r\n" }
        guard let data = Data(base64Encoded: compact) else {
            throw value.problem("the text, of \(text.utf8.count) bytes, is not base64")
        }
        return Array(data)
    }

    /// The whole value as JSON. Deeper nesting than 32 levels is null.
    func json(depth: Int = 0) -> JSONValue {
        guard depth <= 32 else { return .null }
        func inner(_ node: Node) -> JSONValue {
            KubeconfigValue(node: node, file: file, place: place).json(depth: depth + 1)
        }
        switch node {
        case .mapping(let mapping):
            var members: [String: JSONValue] = [:]
            for (key, value) in mapping { if let name = key.scalar?.string { members[name] = inner(value) } }
            return .object(members)
        case .sequence(let sequence): return .array(sequence.map(inner))
        case .scalar, .alias:
            switch scalar {
            case nil, .null: return .null
            case .bool(let flag): return .bool(flag)
            case .number(let text):
                if let integer = Int(text) { return .integer(integer) }
                guard let number = Double(text), number.isFinite else { return .string(text) }
                return .number(number)
            case .text(let text): return .string(text)
            }
        }
    }

    /// What a scalar means by YAML 1.1, which kubeconfig files are read by: `yes` and `on` are truth values.
    private enum Scalar {
        case null
        case bool(Bool)
        case number(String)
        case text(String)
    }

    /// `nil` for a mapping or a list.
    private var scalar: Scalar? {
        guard case .scalar(let scalar) = node else { return nil }
        let text = scalar.string
        guard scalar.style == .plain else { return .text(text) }
        switch scalar.tag.description {
        case "tag:yaml.org,2002:str", "!": return .text(text)
        default: break
        }
        // `Yes` and `YES` are words of YAML 1.1, `yEs` is text.
        let isWord = [text.lowercased(), text.uppercased(), text.capitalized].contains(text)
        switch isWord ? text.lowercased() : text {
        case "", "~", "null": return .null
        case "y", "yes", "true", "on": return .bool(true)
        case "n", "no", "false", "off": return .bool(false)
        default: return Self.isNumber(text) ? .number(text) : .text(text)
        }
    }

    private static func isNumber(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, "0"..."9" ~= first || "+-.".unicodeScalars.contains(first) else {
            return false
        }
        let plain = text.replacing("_", with: "").lowercased()
        let digits = plain.drop { $0 == "-" || $0 == "+" }
        for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] where digits.hasPrefix(prefix) {
            return UInt64(digits.dropFirst(2), radix: radix) != nil
        }
        return Double(plain) != nil || [".inf", ".nan"].contains(String(digits))
    }

    private var isNull: Bool {
        if case .null = scalar { true } else { false }
    }

    private var kind: String {
        switch scalar {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let text): "the number \(text)"
        case .text(let text): "the text '\(text.prefix(60))'"
        case nil: node.sequence == nil ? "an object" : "a list"
        }
    }
}
