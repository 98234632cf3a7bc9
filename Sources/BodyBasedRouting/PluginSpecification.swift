package import GatewayCore
import RequestFormats

/// A plugin of body-based routing as an operator asks for it: `type:name`, or `type:name:json` with parameters.
package struct PluginSpecification: Sendable {
    /// The plugin's type, such as `body-field-to-header`.
    package let type: String
    /// What metrics call this plugin.
    package let name: String
    /// The parameters; `nil` for none.
    package let parameters: ConfigurationValue?
    /// Where messages say that it stands.
    let position: SourcePosition

    /// Whether the plugin asks which base model an adapter belongs to.
    package var readsModelMapping: Bool { type == BaseModelToHeader.type }

    /// The chain without any specification: the model's name, then its base model.
    package static let defaults = [
        PluginSpecification(
            type: BodyFieldToHeader.type,
            parameters: [
                "fieldName": "model", "headerName": ConfigurationValue(stringLiteral: HeaderNames.modelName),
            ]
        ),
        PluginSpecification(type: BaseModelToHeader.type, parameters: nil),
    ]

    private init(type: String, parameters: ConfigurationValue?) {
        self.type = type
        name = type
        self.parameters = parameters
        position = .builtin
    }

    /// Reads the value of one `--plugin`. That the type exists and takes the parameters is checked when a
    /// ``BodyRouter`` is made of it.
    ///
    /// - Parameters:
    ///   - text: `type:name`, or `type:name:` and a JSON object.
    ///   - source: what messages call the place, such as the flag.
    /// - Throws: `ConfigurationError` for a text that is not of that form.
    package init(parsing text: String, source: String = "--plugin") throws(ConfigurationError) {
        let position = SourcePosition(file: source)
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        let isWhole = parts.count >= 2 && parts.prefix(2).allSatisfy { !$0.trimmingWhitespace().isEmpty }
        guard isWhole else {
            throw ConfigurationError(
                position: position,
                message: "\(ConfigurationProblem.quoted(text)) is not of the form \"type:name\" or \"type:name:json\""
            )
        }
        type = parts[0].trimmingWhitespace()
        name = parts[1].trimmingWhitespace()
        self.position = position
        let json = parts.count == 3 ? parts[2].trimmingWhitespace() : ""
        guard !json.isEmpty else {
            parameters = nil
            return
        }
        do throws(FormatError) {
            parameters = try JSONParameters.read(json, at: position)
        } catch {
            throw ConfigurationError(
                position: position,
                message: "the parameters of \(ConfigurationProblem.quoted(name)) cannot be read: \(error.message)"
            )
        }
    }
}

extension PluginSpecification: Equatable {
    /// Whether both ask for the same, wherever they stand.
    package static func == (left: PluginSpecification, right: PluginSpecification) -> Bool {
        left.type == right.type && left.name == right.name && left.parameters == right.parameters
    }
}

/// Turns a JSON text into configuration values.
private enum JSONParameters {
    /// The deepest nesting; the functions below recurse.
    private static let depthMax = 16

    static func read(_ text: String, at position: SourcePosition) throws(FormatError) -> ConfigurationValue {
        let bytes = text.utf8Span.span.bytes
        var scanner = JSONScanner(depthLimit: depthMax)
        let value = try value(in: bytes, &scanner, position)
        try scanner.finish(in: bytes)
        return value
    }

    private static func value(
        in bytes: RawSpan,
        _ scanner: inout JSONScanner,
        _ position: SourcePosition
    ) throws(FormatError) -> ConfigurationValue {
        switch try scanner.nextKind(in: bytes) {
        case .object:
            return ConfigurationValue(.object(try members(in: bytes, &scanner, position)), at: position)
        case .array:
            var elements: [ConfigurationValue] = []
            try scanner.enterArray(in: bytes)
            while try scanner.nextElement(in: bytes) { elements.append(try value(in: bytes, &scanner, position)) }
            return ConfigurationValue(.array(elements), at: position)
        case .string:
            let text = try self.text(try scanner.skipValue(in: bytes), in: bytes)
            return ConfigurationValue(.string(text), at: position)
        case .number:
            let range = try scanner.skipValue(in: bytes).range
            let digits = bytes.extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            return ConfigurationValue(Int64(digits).map { .int($0) } ?? .double(Double(digits) ?? 0), at: position)
        case .boolean:
            return ConfigurationValue(.bool(try scanner.skipValue(in: bytes).isTrue(in: bytes)), at: position)
        case .null:
            _ = try scanner.skipValue(in: bytes)
            return ConfigurationValue(.null, at: position)
        }
    }

    private static func members(
        in bytes: RawSpan,
        _ scanner: inout JSONScanner,
        _ position: SourcePosition
    ) throws(FormatError) -> [ConfigurationValue.Member] {
        var members: [ConfigurationValue.Member] = []
        var keys: Set<String> = []
        try scanner.enterObject(in: bytes)
        while let keyValue = try scanner.nextKey(in: bytes) {
            let key = try text(keyValue, in: bytes)
            guard keys.insert(key).inserted else {
                throw FormatError(.duplicateField, "\(ConfigurationProblem.quoted(key)) is written twice in one object")
            }
            let value = try value(in: bytes, &scanner, position)
            members.append(ConfigurationValue.Member(key: key, keyPosition: position, value: value))
        }
        return members
    }

    private static func text(_ value: JSONValue, in bytes: RawSpan) throws(FormatError) -> String {
        guard let text = value.string(in: bytes) else {
            throw FormatError(.invalidJSON, "a text escapes half a surrogate pair, at byte \(value.range.lowerBound)")
        }
        return text
    }
}
