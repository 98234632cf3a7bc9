import GatewayCore

@testable import BuiltinPlugins

/// A random expression as a tree, with its text and with what it means, worked out in the plainest way: whole numbers
/// in 128 bits, of which those out of range are errors.
indirect enum CELSample {
    /// What generators are asked for.
    enum Kind: CaseIterable { case int, uint, double, count, bool }

    /// A value of the reference.
    enum Meaning: Equatable { case whole(Int128, isSigned: Bool), double(Double), bool(Bool) }

    case int(Int64), uint(UInt64), double(String), count(CELCount), bool(Bool), has(String, Bool), absent(String)
    case not(CELSample), negate(CELSample), convert(String, CELSample)
    case arithmetic(String, CELSample, CELSample), compare(String, CELSample, CELSample)
    case and(CELSample, CELSample), or(CELSample, CELSample), choice(CELSample, CELSample, CELSample)

    // MARK: - Making

    static func random(_ kind: Kind, depth: Int, _ random: inout RandomSource) -> CELSample {
        func make(_ kind: Kind) -> CELSample { .random(kind, depth: depth - 1, &random) }
        guard depth > 0, Int.random(in: 0..<6, using: &random) > 0 else { return leaf(kind, &random) }
        if Int.random(in: 0..<8, using: &random) == 0 { return .choice(make(.bool), make(kind), make(kind)) }
        let numbers: [Kind] = [.int, .uint, .double, .count]
        let number = numbers.randomElement(using: &random) ?? .int
        switch kind {
        case .int, .uint, .double:
            if Int.random(in: 0..<4, using: &random) == 0 {
                return .convert(kind == .int ? "int" : kind == .uint ? "uint" : "double", make(number))
            }
            if kind != .uint, Int.random(in: 0..<5, using: &random) == 0 { return .negate(make(kind)) }
            let operations = kind == .double ? ["+", "-", "*", "/"] : ["+", "-", "*", "/", "%"]
            return .arithmetic(operations.randomElement(using: &random) ?? "+", make(kind), make(kind))
        case .count:
            let operation = ["+", "-", "*", "/"].randomElement(using: &random) ?? "+"
            let isFirst = Bool.random(using: &random)
            return isFirst
                ? .arithmetic(operation, make(.count), make(number))
                : .arithmetic(operation, make(number), make(.count))
        case .bool:
            switch Int.random(in: 0..<5, using: &random) {
            case 0: return .and(make(.bool), make(.bool))
            case 1: return .or(make(.bool), make(.bool))
            case 2: return .not(make(.bool))
            default:
                let operation = ["==", "!=", "<", "<=", ">", ">="].randomElement(using: &random) ?? "<"
                return .compare(operation, make(number), make(Bool.random(using: &random) ? number : .count))
            }
        }
    }

    private static func leaf(_ kind: Kind, _ random: inout RandomSource) -> CELSample {
        // Not in place of a count: what it is combined with would decide the type.
        let isRare = Int.random(in: 0..<12, using: &random) == 0
        if isRare, kind != .count { return .absent("usage.no_such") }
        switch kind {
        case .int:
            return .int([0, 1, -1, 2, 7, -13, 1 << 40, .max, .min].randomElement(using: &random) ?? 0)
        case .uint: return .uint([0, 1, 2, 9, 1 << 50, .max].randomElement(using: &random) ?? 0)
        case .double:
            return .double(["0.0", ".5", "1.25", "3e2", "1e300", "2E-3"].randomElement(using: &random) ?? "0.0")
        case .count: return .count(CELCount.allCases.randomElement(using: &random) ?? .prompt)
        case .bool:
            let fields = [("usage.prompt_tokens", true), ("usage.prompt_tokens_details", true), ("usage.x", false)]
            let (field, isThere) = fields.randomElement(using: &random) ?? ("usage.x", false)
            return Bool.random(using: &random) ? .bool(.random(using: &random)) : .has(field, isThere)
        }
    }

    // MARK: - Text

    /// The text, with no more brackets than the precedence of the operators asks for, but with some that it does not.
    func text(_ random: inout RandomSource) -> String {
        text(atLeast: 0, &random)
    }

    private func text(atLeast precedence: Int, _ random: inout RandomSource) -> String {
        let text = bareText(&random)
        let needsBrackets = self.precedence < precedence || Int.random(in: 0..<15, using: &random) == 0
        let space = ["", "", "", " ", "\n", " // said\n"].randomElement(using: &random) ?? ""
        return needsBrackets ? "(\(space)\(text))" : "\(space)\(text)"
    }

    private var precedence: Int {
        switch self {
        case .choice: 0
        case .or: 1
        case .and: 2
        case .compare: 3
        case .arithmetic(let sign, _, _): sign == "+" || sign == "-" ? 4 : 5
        case .not, .negate: 6
        case .int(let value): value < 0 ? 6 : 7
        default: 7
        }
    }

    private func bareText(_ random: inout RandomSource) -> String {
        switch self {
        case .int(let value): return "\(value)"
        case .uint(let value): return "\(value)u"
        case .double(let digits): return digits
        case .count(let count):
            return count == .cached ? "usage.prompt_tokens_details.cached_tokens" : "usage.\(count.rawValue)"
        case .bool(let value): return "\(value)"
        case .has(let field, _): return "has(\(field))"
        case .absent(let field): return field
        case .not(let operand): return "!" + operand.text(atLeast: 6, &random)
        case .negate(let operand): return "-" + operand.text(atLeast: 6, &random)
        case .convert(let name, let operand): return "\(name)(\(operand.text(atLeast: 0, &random)))"
        case .arithmetic(let sign, let left, let right), .compare(let sign, let left, let right):
            return left.text(atLeast: precedence, &random) + " \(sign) " + right.text(atLeast: precedence + 1, &random)
        case .and(let left, let right):
            return left.text(atLeast: 2, &random) + "&&" + right.text(atLeast: 3, &random)
        case .or(let left, let right):
            return left.text(atLeast: 1, &random) + "||" + right.text(atLeast: 2, &random)
        case .choice(let condition, let first, let second):
            let front = condition.text(atLeast: 1, &random) + "?" + first.text(atLeast: 1, &random)
            return front + ":" + second.text(atLeast: 0, &random)
        }
    }

    // MARK: - Meaning

    func meaning(_ usage: TokenUsage) -> Meaning? {
        switch self {
        case .int(let value): return .whole(Int128(value), isSigned: true)
        case .uint(let value): return .whole(Int128(value), isSigned: false)
        case .double(let digits): return Double(digits).map(Meaning.double)
        case .count(.prompt): return .double(Double(usage.promptTokens))
        case .count(.completion): return .double(Double(usage.completionTokens))
        case .count(.total): return .double(Double(usage.promptTokens) + Double(usage.completionTokens))
        case .count(.cached): return .double(Double(usage.cachedTokens))
        case .bool(let value), .has(_, let value): return .bool(value)
        case .absent: return nil
        case .not(let operand): return operand.truth(usage).map { .bool(!$0) }
        case .negate(let operand):
            switch operand.meaning(usage) {
            case .whole(let value, true)?: return Self.whole(-value, isSigned: true)
            case .double(let value)?: return .double(-value)
            default: return nil
            }
        case .convert(let name, let operand): return operand.meaning(usage).flatMap { Self.convert($0, name) }
        case .arithmetic(let sign, let left, let right):
            guard let left = left.meaning(usage), let right = right.meaning(usage) else { return nil }
            return Self.calculate(sign, left, right)
        case .compare(let sign, let left, let right):
            guard let left = left.meaning(usage), let right = right.meaning(usage) else { return nil }
            return Self.compare(sign, left, right)
        case .and(let left, let right):
            let sides = [left.truth(usage), right.truth(usage)]
            return sides.contains(false) ? .bool(false) : sides.contains(nil) ? nil : .bool(true)
        case .or(let left, let right):
            let sides = [left.truth(usage), right.truth(usage)]
            return sides.contains(true) ? .bool(true) : sides.contains(nil) ? nil : .bool(false)
        case .choice(let condition, let first, let second):
            return condition.truth(usage).flatMap { $0 ? first.meaning(usage) : second.meaning(usage) }
        }
    }

    private func truth(_ usage: TokenUsage) -> Bool? {
        if case .bool(let value)? = meaning(usage) { value } else { nil }
    }

    private static func whole(_ value: Int128, isSigned: Bool) -> Meaning? {
        let range = isSigned ? Int128(Int64.min)...Int128(Int64.max) : 0...Int128(UInt64.max)
        return range.contains(value) ? .whole(value, isSigned: isSigned) : nil
    }

    private static func double(_ value: Meaning) -> Double? {
        switch value {
        case .whole(let value, true): Double(Int64(value))
        case .whole(let value, false): Double(UInt64(value))
        case .double(let value): value
        case .bool: nil
        }
    }

    private static func convert(_ value: Meaning, _ name: String) -> Meaning? {
        if name == "double" { return double(value).map(Meaning.double) }
        switch value {
        case .whole(let number, _): return whole(number, isSigned: name == "int")
        case .double(let number):
            guard number.magnitude < 1e20, name == "int" || number >= 0 else { return nil }
            return whole(Int128(number), isSigned: name == "int")
        case .bool: return nil
        }
    }

    private static func calculate(_ sign: String, _ left: Meaning, _ right: Meaning) -> Meaning? {
        if case .whole(let first, let isSigned) = left, case .whole(let second, isSigned) = right {
            switch sign {
            case "+": return whole(first + second, isSigned: isSigned)
            case "-": return whole(first - second, isSigned: isSigned)
            case "*":
                let (product, hasOverflow) = first.multipliedReportingOverflow(by: second)
                return hasOverflow ? nil : whole(product, isSigned: isSigned)
            case "/": return second == 0 ? nil : whole(first / second, isSigned: isSigned)
            default:
                // The least number divided by -1 has no quotient, and so no remainder.
                guard second != 0, whole(first / second, isSigned: isSigned) != nil else { return nil }
                return whole(first % second, isSigned: isSigned)
            }
        }
        guard let first = double(left), let second = double(right) else { return nil }
        switch sign {
        case "+": return .double(first + second)
        case "-": return .double(first - second)
        case "*": return .double(first * second)
        default: return sign == "/" ? .double(first / second) : nil
        }
    }

    private static func compare(_ sign: String, _ left: Meaning, _ right: Meaning) -> Meaning? {
        if case .whole(let first, let isSigned) = left, case .whole(let second, isSigned) = right {
            return .bool(compare(sign, first, second))
        }
        guard let first = double(left), let second = double(right) else { return nil }
        if first.isNaN || second.isNaN, sign != "==", sign != "!=" { return nil }
        return .bool(compare(sign, first, second))
    }

    private static func compare<Value: Comparable>(_ sign: String, _ left: Value, _ right: Value) -> Bool {
        switch sign {
        case "==": left == right
        case "!=": left != right
        case "<": left < right
        case "<=": left <= right
        case ">": left > right
        default: left >= right
        }
    }
}
