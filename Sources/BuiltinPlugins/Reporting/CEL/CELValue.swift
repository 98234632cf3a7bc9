/// A value while an expression is evaluated.
///
/// An operation that CEL calls an error has no value. Nothing traps: whole numbers that leave their range, and division
/// by zero, are such errors.
enum CELValue: Hashable {
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case bool(Bool)
    case string(String)

    /// The number as a whole one, cut towards zero; `nil` for what is no number or does not fit.
    var wholeNumber: Int? {
        switch self {
        case .int(let value): Int(exactly: value)
        case .uint(let value): Int(exactly: value)
        case .double(let value): Int(exactly: value.rounded(.towardZero))
        case .bool, .string: nil
        }
    }

    private var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        case .bool, .string: nil
        }
    }

    /// `-x`; none of an uint.
    var negated: CELValue? {
        switch self {
        case .int(let value): value == .min ? nil : .int(-value)
        case .double(let value): .double(-value)
        case .uint, .bool, .string: nil
        }
    }

    /// The number as another kind of number; none when it does not fit. Fractions are cut off.
    func converted(_ conversion: CELConversion) -> CELValue? {
        switch (conversion, self) {
        case (.int, .uint(let value)): Int64(exactly: value).map(CELValue.int)
        case (.int, .double(let value)): Int64(exactly: value.rounded(.towardZero)).map(CELValue.int)
        case (.uint, .int(let value)): UInt64(exactly: value).map(CELValue.uint)
        case (.uint, .double(let value)):
            value < 0 ? nil : UInt64(exactly: value.rounded(.towardZero)).map(CELValue.uint)
        case (.double, _): number.map(CELValue.double)
        case (.int, .int), (.uint, .uint): self
        default: nil
        }
    }

    /// The result of an operator.
    static func arithmetic(_ operation: CELArithmetic, _ left: CELValue, _ right: CELValue) -> CELValue? {
        switch (left, right) {
        case (.int(let left), .int(let right)): whole(operation, left, right).map(CELValue.int)
        case (.uint(let left), .uint(let right)): whole(operation, left, right).map(CELValue.uint)
        case (.string(let left), .string(let right)): operation == .add ? .string(left + right) : nil
        default: fraction(operation, left, right).map(CELValue.double)
        }
    }

    private static func whole<Number: FixedWidthInteger>(
        _ operation: CELArithmetic,
        _ left: Number,
        _ right: Number
    ) -> Number? {
        let (result, hasOverflow) =
            switch operation {
            case .add: left.addingReportingOverflow(right)
            case .subtract: left.subtractingReportingOverflow(right)
            case .multiply: left.multipliedReportingOverflow(by: right)
            case .divide: left.dividedReportingOverflow(by: right)
            case .remainder: left.remainderReportingOverflow(dividingBy: right)
            }
        return hasOverflow ? nil : result
    }

    /// Counts are doubles, and what is calculated with one becomes a double.
    private static func fraction(_ operation: CELArithmetic, _ left: CELValue, _ right: CELValue) -> Double? {
        guard let left = left.number, let right = right.number else { return nil }
        switch operation {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide: return left / right
        case .remainder: return nil
        }
    }

    /// Whether a comparison holds; none for what cannot be compared, as NaN cannot be ordered.
    static func compare(_ comparison: CELComparison, _ left: CELValue, _ right: CELValue) -> Bool? {
        let order = order(left, right)
        switch comparison {
        case .equal: return order.map { $0 == 0 } ?? false
        case .notEqual: return order.map { $0 != 0 } ?? true
        case .less: return order.map { $0 < 0 }
        case .lessOrEqual: return order.map { $0 <= 0 }
        case .greater: return order.map { $0 > 0 }
        case .greaterOrEqual: return order.map { $0 >= 0 }
        }
    }

    /// Below, equal to, or above 0; `nil` without an order.
    private static func order(_ left: CELValue, _ right: CELValue) -> Int? {
        switch (left, right) {
        case (.int(let left), .int(let right)): order(left, right)
        case (.uint(let left), .uint(let right)): order(left, right)
        case (.bool(let left), .bool(let right)): order(left ? 1 : 0, right ? 1 : 0)
        // By code points, which is also the order of UTF-8: "é" is not "e" with an accent behind it.
        case (.string(let left), .string(let right)): order(Array(left.utf8), Array(right.utf8))
        default: numericOrder(left, right)
        }
    }

    private static func order<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
        left < right ? -1 : left == right ? 0 : 1
    }

    private static func order(_ left: [UInt8], _ right: [UInt8]) -> Int {
        left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
    }

    /// The order of a double and another number.
    private static func numericOrder(_ left: CELValue, _ right: CELValue) -> Int? {
        guard let left = left.number, let right = right.number, !left.isNaN, !right.isNaN else { return nil }
        return order(left, right)
    }
}
