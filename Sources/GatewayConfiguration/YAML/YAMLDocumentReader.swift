package import GatewayCore
import Yams

/// Reads YAML text (and JSON, its subset) into values with positions.
///
/// Mappings with other keys than scalars, merge keys, duplicate keys and tags other than those of the core schema are
/// errors. Aliases are followed; what they expand to is bounded.
package struct YAMLDocumentReader: Sendable {
    /// What a text may contain.
    package struct Limits: Sendable {
        /// The most bytes of one text. Default 8 MiB.
        package var maxBytes = 8 << 20
        /// The most nodes of one text, aliases counted as often as they are used. Default 100,000.
        package var maxNodes = 100_000
        /// The deepest nesting. Default 64; no resource comes near.
        package var maxDepth = 64

        /// The defaults.
        package init() {}
    }

    private let limits: Limits

    /// Makes a reader.
    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// The documents of `text` in order, without the empty ones. `file` is the name in their positions.
    ///
    /// - Throws: ``ConfigurationError`` when the text is not YAML or is over a limit.
    package func read(_ text: String, file: String) throws(ConfigurationError) -> [ConfigurationValue] {
        guard text.utf8.count <= limits.maxBytes else {
            let message = "the file has \(text.utf8.count) bytes; at most \(limits.maxBytes) are read"
            throw ConfigurationError(position: SourcePosition(file: file), message: message)
        }
        if let position = Self.positionOfForbiddenCharacter(in: text, file: file) {
            throw ConfigurationError(position: position, message: "YAML does not allow this control character")
        }
        if let disarmed = AliasMarker.replacingAliases(in: text) {
            _ = try parse(disarmed, file: file)
        }
        return try parse(text, file: file)
    }

    private func parse(_ text: String, file: String) throws(ConfigurationError) -> [ConfigurationValue] {
        var conversion = NodeConversion(limits: limits, file: file)
        var documents: [ConfigurationValue] = []
        do {
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            while let root = try parser.nextRoot() {
                let value = try conversion.value(of: root, depth: 0)
                if !value.isNull { documents.append(value) }
            }
        } catch let error as ConfigurationError {
            throw error
        } catch let error as YamlError {
            throw Self.translate(error, file: file)
        } catch {
            throw ConfigurationError(position: SourcePosition(file: file), message: "not YAML: \(error)")
        }
        return documents
    }

    private static func positionOfForbiddenCharacter(in text: String, file: String) -> SourcePosition? {
        var line = 1
        var column = 1
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A:
                line += 1
                column = 0
            case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFFFD, 0x1_0000...0x10_FFFF: break
            default: return SourcePosition(file: file, line: line, column: column)
            }
            column += 1
        }
        return nil
    }

    private static func translate(_ error: YamlError, file: String) -> ConfigurationError {
        func problem(_ message: String, _ mark: Mark?) -> ConfigurationError {
            let position = SourcePosition(file: file, line: mark?.line ?? 0, column: mark?.column ?? 0)
            return ConfigurationError(position: position, message: message)
        }
        switch error {
        case .scanner(let context, let message, let mark, _), .parser(let context, let message, let mark, _),
            .composer(let context, let message, let mark, _):
            let place = context.map { " \($0.text) at line \($0.mark.line), column \($0.mark.column)" } ?? ""
            return problem("not YAML: \(message)\(place)", mark)
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map(ConfigurationProblem.quoted).joined(separator: ", ")
            return problem("\(names) is written more than once in one mapping; here is the first", context.mark)
        case .reader(let message, _, _, _):
            return problem("not YAML: \(message)", nil)
        case .memory:
            return problem("not enough memory to read the file", nil)
        default:
            return problem("not YAML", nil)
        }
    }
}

/// Turns the parser's nodes into values, within the limits of one text.
private struct NodeConversion {
    let limits: YAMLDocumentReader.Limits
    let file: String
    private var nodes = 0

    init(limits: YAMLDocumentReader.Limits, file: String) {
        self.limits = limits
        self.file = file
    }

    mutating func value(of node: Node, depth: Int) throws(ConfigurationError) -> ConfigurationValue {
        let position = position(of: node)
        nodes += 1
        guard nodes <= limits.maxNodes else {
            throw ConfigurationError(position: position, message: "the file has more than \(limits.maxNodes) values")
        }
        guard depth <= limits.maxDepth else {
            throw ConfigurationError(position: position, message: "nested deeper than \(limits.maxDepth) levels")
        }
        switch node {
        case .scalar(let scalar):
            let tag = scalar.tag.description
            guard let content = CoreSchema.resolve(scalar.string, tag: tag, isPlain: scalar.style == .plain) else {
                let text = ConfigurationProblem.quoted(scalar.string)
                let message = "the tag \(ConfigurationProblem.quoted(tag)) does not fit the value \(text)"
                throw ConfigurationError(position: position, message: message)
            }
            return ConfigurationValue(content, at: position)
        case .sequence(let sequence):
            var elements: [ConfigurationValue] = []
            elements.reserveCapacity(sequence.count)
            for element in sequence { elements.append(try value(of: element, depth: depth + 1)) }
            return ConfigurationValue(.array(elements), at: position)
        case .mapping(let mapping):
            return ConfigurationValue(.object(try members(of: mapping, depth: depth + 1)), at: position)
        case .alias:
            throw ConfigurationError(position: position, message: "the alias has no anchor")
        }
    }

    private mutating func members(
        of mapping: Node.Mapping,
        depth: Int
    ) throws(ConfigurationError) -> [ConfigurationValue.Member] {
        var members: [ConfigurationValue.Member] = []
        members.reserveCapacity(mapping.count)
        var seen: Set<String> = []
        for (key, value) in mapping {
            let keyPosition = position(of: key)
            guard case .scalar(let scalar) = key else {
                throw ConfigurationError(position: keyPosition, message: "a key must be text, not a list or an object")
            }
            guard !AliasMarker.isMark(scalar.string) else {
                throw ConfigurationError(position: keyPosition, message: "a key must be text, not an alias")
            }
            guard scalar.string != "<<" || scalar.style != .plain else {
                throw ConfigurationError(position: keyPosition, message: "merge keys (\"<<\") are not supported")
            }
            // The parser compares keys with their tags, so that `!!int 1` and `1` differ there; as names they are one.
            guard seen.insert(scalar.string).inserted else {
                let name = ConfigurationProblem.quoted(scalar.string)
                let message = "\(name) is written more than once in one mapping"
                throw ConfigurationError(position: keyPosition, message: message)
            }
            members.append(
                ConfigurationValue.Member(
                    key: scalar.string,
                    keyPosition: keyPosition,
                    value: try self.value(of: value, depth: depth)
                )
            )
        }
        return members
    }

    private func position(of node: Node) -> SourcePosition {
        SourcePosition(file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0)
    }
}
