/// What is known of a value before the expression is evaluated.
enum CELType: Hashable {
    case int, uint, double, bool, string
    /// A count of `usage`. It is a double, as the reference picker has it, but goes with whole numbers too.
    case count
    /// A field that `usage` does not have: reading it is an error, so that it goes with everything.
    case absent
    /// `usage` or the details in it.
    case map(CELMap)

    /// The type in an error's words.
    var name: String {
        switch self {
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .bool: "bool"
        case .string: "string"
        case .count: "a token count"
        case .absent: "a field that usage does not have"
        case .map: "a map"
        }
    }

    /// Whether the type can be calculated with.
    var isNumber: Bool {
        switch self {
        case .int, .uint, .double, .count, .absent: true
        case .bool, .string, .map: false
        }
    }

    /// Whether the value can be true or false.
    var canBeBool: Bool { self == .bool || self == .absent }

    /// The type of what is one or the other of two types; `nil` when they do not go together.
    func joined(with other: CELType) -> CELType? {
        switch (self, other) {
        case (.map, _), (_, .map): nil
        case (.absent, let type), (let type, .absent): type
        case let (left, right) where left == right: left
        case let (left, right) where left.isNumber && right.isNumber && (left == .count || right == .count): .count
        default: nil
        }
    }
}

/// A map whose fields an expression can select.
enum CELMap: Hashable {
    /// `usage`.
    case usage
    /// `usage.prompt_tokens_details`.
    case promptDetails

    /// The names of the fields.
    var fields: [String] {
        switch self {
        case .usage: CELCount.allCases.filter { $0 != .cached }.map(\.rawValue) + ["prompt_tokens_details"]
        case .promptDetails: [CELCount.cached.rawValue]
        }
    }
}

/// The counts of `usage`, under their names.
enum CELCount: String, CaseIterable {
    case prompt = "prompt_tokens"
    case completion = "completion_tokens"
    case total = "total_tokens"
    case cached = "cached_tokens"
}

/// `+ - * / %`.
enum CELArithmetic: String {
    case add = "+", subtract = "-", multiply = "*", divide = "/", remainder = "%"

    /// The type of the result; `nil` when the operator has no meaning for the types. Int, uint and double do not mix.
    func result(_ left: CELType, _ right: CELType) -> CELType? {
        guard let type = left.joined(with: right) else { return nil }
        switch type {
        case .int, .uint, .absent: return type
        case .double, .count: return self == .remainder ? nil : type
        case .string: return self == .add ? type : nil
        case .bool, .map: return nil
        }
    }
}

/// `== != < <= > >=`.
enum CELComparison: String {
    case equal = "==", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
}

/// `int() uint() double()`.
enum CELConversion: String, CaseIterable {
    case int, uint, double

    /// The type of the result.
    var type: CELType {
        switch self {
        case .int: .int
        case .uint: .uint
        case .double: .double
        }
    }
}
