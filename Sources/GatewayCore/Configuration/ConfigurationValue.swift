/// A value read from a configuration file, with its position and those of everything in it.
///
/// Two values are equal when their contents are equal, wherever they stand: a reload that only moved lines changes
/// nothing.
public struct ConfigurationValue: Equatable, Sendable {
    /// What a value holds. Numbers keep the kind they were written in: `1` is an integer, `1.0` is not.
    public enum Content: Equatable, Sendable {
        /// `null`, `~` or nothing at all. Readers treat it like an absent key.
        case null
        /// `true` or `false`.
        case bool(Bool)
        /// A whole number in the range of `Int64`.
        case int(Int64)
        /// A number with a fraction or an exponent.
        case double(Double)
        /// Text; a quoted scalar is always text.
        case string(String)
        /// A list in its written order.
        case array([ConfigurationValue])
        /// A mapping in its written order; its keys are unique.
        case object([Member])
    }

    /// One key of an object with its value.
    public struct Member: Equatable, Sendable {
        /// The key.
        public let key: String
        /// Where the key stands.
        public let keyPosition: SourcePosition
        /// The key's value.
        public let value: ConfigurationValue

        /// Makes a member.
        public init(key: String, keyPosition: SourcePosition, value: ConfigurationValue) {
            self.key = key
            self.keyPosition = keyPosition
            self.value = value
        }

        /// Whether keys and values are equal, wherever they stand.
        public static func == (left: Member, right: Member) -> Bool {
            left.key == right.key && left.value == right.value
        }
    }

    /// What the value holds.
    public let content: Content
    /// Where the value starts.
    public let position: SourcePosition

    /// Makes a value. The keys of an object must be unique.
    public init(_ content: Content, at position: SourcePosition = .builtin) {
        self.content = content
        self.position = position
    }

    /// Whether the contents are equal, wherever they stand.
    public static func == (left: ConfigurationValue, right: ConfigurationValue) -> Bool {
        left.content == right.content
    }

    /// The value of `key` when this is an object that has it; otherwise `nil`. Takes time linear in the keys.
    public subscript(key: String) -> ConfigurationValue? {
        guard case .object(let members) = content else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// Whether the value is `null`.
    public var isNull: Bool { content == .null }
}

extension ConfigurationValue: CustomStringConvertible {
    /// A short form for messages: text in quotes, numbers as they are, collections by their size.
    public var description: String {
        switch content {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): ConfigurationProblem.quoted(value)
        case .array(let elements): "a list of \(elements.count)"
        case .object(let members): "an object of \(members.count)"
        }
    }
}

extension ConfigurationValue:
    ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// Makes text.
    public init(stringLiteral value: String) { self.init(.string(value)) }
    /// Makes a whole number.
    public init(integerLiteral value: Int64) { self.init(.int(value)) }
    /// Makes a number.
    public init(floatLiteral value: Double) { self.init(.double(value)) }
    /// Makes `true` or `false`.
    public init(booleanLiteral value: Bool) { self.init(.bool(value)) }
    /// Makes a list.
    public init(arrayLiteral elements: ConfigurationValue...) { self.init(.array(elements)) }
    /// Makes `null`.
    public init(nilLiteral: ()) { self.init(.null) }

    /// Makes an object. Writing a key twice in a literal is a fault of the program.
    public init(dictionaryLiteral elements: (String, ConfigurationValue)...) {
        precondition(Set(elements.map(\.0)).count == elements.count, "a key is written twice in an object literal")
        self.init(.object(elements.map { Member(key: $0.0, keyPosition: .builtin, value: $0.1) }))
    }
}
