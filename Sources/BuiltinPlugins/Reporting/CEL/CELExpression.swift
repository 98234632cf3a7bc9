import GatewayCore

/// An expression over a response's token usage, in a part of the Common Expression Language (cel.dev): literals, the
/// fields of `usage`, `has()`, arithmetic, comparisons, `&& || !`, `? :`, `int() uint() double()`.
///
/// It is read and its types are checked once; evaluating it can fail, but neither traps nor allocates, strings aside.
struct CELExpression: Sendable {
    /// The longest text that is read, in bytes.
    static let bytesMax = 4096
    /// The most levels of operators and brackets within each other.
    static let depthMax = 64

    /// One operation. Operands are the indexes of nodes in front of it.
    enum Node: Sendable {
        case constant(CELValue)
        case count(CELCount)
        /// `usage` or its details, of which a field is selected.
        case map
        /// A field that `usage` does not have.
        case absent
        case not(Int)
        case negate(Int)
        case convert(CELConversion, Int)
        case arithmetic(CELArithmetic, Int, Int)
        case compare(CELComparison, Int, Int)
        case and(Int, Int)
        case or(Int, Int)
        case choice(Int, Int, Int)
    }

    /// The type of the result; never a map.
    let type: CELType
    /// The fields that the expression reads and `usage` does not have, as they are written.
    let absentFields: [String]
    private let nodes: [Node]

    /// Reads an expression.
    ///
    /// - Throws: ``CELFault`` for the first thing that is wrong with it.
    init(_ text: String) throws(CELFault) {
        var parser = try CELParser(text)
        type = try parser.parse()
        nodes = parser.nodes
        absentFields = parser.absentFields
    }

    /// The result for a response; `nil` when there is none, as after an overflow or for a field that is not there.
    func value(for usage: TokenUsage) -> CELValue? {
        value(of: nodes.count - 1, usage)
    }

    private func value(of index: Int, _ usage: TokenUsage) -> CELValue? {
        switch nodes[index] {
        case .constant(let value): return value
        case .count(let count): return .double(usage[count])
        case .map, .absent: return nil
        case .not(let operand): return bool(operand, usage).map { .bool(!$0) }
        case .negate(let operand): return value(of: operand, usage)?.negated
        case .convert(let conversion, let operand): return value(of: operand, usage)?.converted(conversion)
        case .arithmetic(let operation, let left, let right):
            guard let left = value(of: left, usage), let right = value(of: right, usage) else { return nil }
            return .arithmetic(operation, left, right)
        case .compare(let comparison, let left, let right):
            guard let left = value(of: left, usage), let right = value(of: right, usage) else { return nil }
            return CELValue.compare(comparison, left, right).map(CELValue.bool)
        case .and(let left, let right): return decide(left, right, by: false, usage)
        case .or(let left, let right): return decide(left, right, by: true, usage)
        case .choice(let condition, let first, let second):
            guard let isTrue = bool(condition, usage) else { return nil }
            return value(of: isTrue ? first : second, usage)
        }
    }

    private func bool(_ index: Int, _ usage: TokenUsage) -> Bool? {
        if case .bool(let value)? = value(of: index, usage) { value } else { nil }
    }

    /// `&&`, which a false decides, or `||`, which a true does. Either side can: an error on the other is forgotten, as
    /// CEL has it.
    private func decide(_ left: Int, _ right: Int, by decisive: Bool, _ usage: TokenUsage) -> CELValue? {
        let first = bool(left, usage)
        if first == decisive { return .bool(decisive) }
        let second = bool(right, usage)
        if second == decisive { return .bool(decisive) }
        return first == nil || second == nil ? nil : .bool(!decisive)
    }
}

extension TokenUsage {
    fileprivate subscript(count: CELCount) -> Double {
        switch count {
        case .prompt: Double(promptTokens)
        case .completion: Double(completionTokens)
        case .total: Double(promptTokens) + Double(completionTokens)
        case .cached: Double(cachedTokens)
        }
    }
}
