/// Reads an expression by recursive descent, with the precedence of CEL's grammar, and checks types on the way.
struct CELParser {
    /// A part of the expression that has been read.
    private struct Operand {
        let node: Int
        let type: CELType
        /// The levels below and with it.
        let depth: Int
        let range: Range<Int>
    }

    /// The operations read so far, operands first.
    private(set) var nodes: [CELExpression.Node] = []
    /// The fields that `usage` does not have.
    private(set) var absentFields: [String] = []

    private var lexer: CELLexer
    private var token = CELToken.end
    private var tokenRange = 0..<0
    private var previousEnd = 0
    /// Brackets count twice: for themselves, and as an operand.
    private var nesting = 0

    init(_ text: String) throws(CELFault) {
        lexer = CELLexer(Array(text.utf8))
        let bytes = lexer.bytes
        guard bytes.count <= CELExpression.bytesMax else {
            let message = "the expression has \(bytes.count) bytes; the limit is \(CELExpression.bytesMax)"
            throw CELFault(message, at: 0..<bytes.count, in: bytes)
        }
        try advance()
    }

    /// Reads the whole expression; its last node is its result. Gives the result's type.
    mutating func parse() throws(CELFault) -> CELType {
        let operand = try expression()
        guard token == .end else { throw unexpected("an operator or the end") }
        return try scalar(operand).type
    }

    // MARK: - Words

    private mutating func advance() throws(CELFault) {
        previousEnd = tokenRange.upperBound
        token = try lexer.next()
        tokenRange = lexer.range
    }

    /// Passes `symbol` if it comes next.
    private mutating func pass(_ symbol: CELToken.Symbol) throws(CELFault) -> Bool {
        guard token == .symbol(symbol) else { return false }
        try advance()
        return true
    }

    private mutating func require(_ symbol: CELToken.Symbol) throws(CELFault) {
        guard try pass(symbol) else { throw unexpected("'\(symbol.rawValue)'") }
    }

    private func fault(_ message: String, at range: Range<Int>) -> CELFault {
        CELFault(message, at: range, in: lexer.bytes)
    }

    private func unexpected(_ expected: String) -> CELFault {
        fault("expected \(expected)", at: tokenRange)
    }

    // MARK: - Nodes

    private mutating func add(
        _ node: CELExpression.Node,
        _ type: CELType,
        from start: Int,
        over operands: Operand...
    ) throws(CELFault) -> Operand {
        let depth = 1 + (operands.map(\.depth).max() ?? 0)
        let range = start..<previousEnd
        guard depth <= CELExpression.depthMax else { throw tooDeep(at: range) }
        nodes.append(node)
        return Operand(node: nodes.count - 1, type: type, depth: depth, range: range)
    }

    private func tooDeep(at range: Range<Int>) -> CELFault {
        fault("operators and brackets nest deeper than \(CELExpression.depthMax) levels", at: range)
    }

    /// The operand, unless it is a map, of which only fields can be used.
    private func scalar(_ operand: Operand) throws(CELFault) -> Operand {
        guard case .map(let map) = operand.type else { return operand }
        let fields = map.fields.joined(separator: ", ")
        throw fault("a map has no value of its own: select one of \(fields)", at: operand.range)
    }

    private func mismatch(_ sign: String, _ left: Operand, _ right: Operand) -> CELFault {
        var message = "'\(sign)' does not go with \(left.type.name) and \(right.type.name)"
        if left.type.isNumber, right.type.isNumber { message += "; convert with int(), uint() or double()" }
        return fault(message, at: left.range.lowerBound..<right.range.upperBound)
    }

    // MARK: - Grammar

    /// `condition ? first : second`, or only the first part of it.
    private mutating func expression() throws(CELFault) -> Operand {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= 2 * CELExpression.depthMax else { throw tooDeep(at: tokenRange) }
        let condition = try disjunction()
        guard try pass(.question) else { return condition }
        guard condition.type.canBeBool else {
            throw fault("the condition in front of '?' must be bool, not \(condition.type.name)", at: condition.range)
        }
        let first = try scalar(disjunction())
        try require(.colon)
        let second = try scalar(expression())
        guard let type = first.type.joined(with: second.type) else { throw mismatch("? :", first, second) }
        return try add(
            .choice(condition.node, first.node, second.node), type, from: condition.range.lowerBound,
            over: condition, first, second
        )
    }

    private mutating func disjunction() throws(CELFault) -> Operand {
        var left = try conjunction()
        while try pass(.or) {
            let right = try conjunction()
            try checkBools("||", left, right)
            left = try add(.or(left.node, right.node), .bool, from: left.range.lowerBound, over: left, right)
        }
        return left
    }

    private mutating func conjunction() throws(CELFault) -> Operand {
        var left = try relation()
        while try pass(.and) {
            let right = try relation()
            try checkBools("&&", left, right)
            left = try add(.and(left.node, right.node), .bool, from: left.range.lowerBound, over: left, right)
        }
        return left
    }

    private func checkBools(_ sign: String, _ left: Operand, _ right: Operand) throws(CELFault) {
        for operand in [left, right] where !operand.type.canBeBool {
            throw fault("'\(sign)' needs bool on both sides, not \(operand.type.name)", at: operand.range)
        }
    }

    private mutating func relation() throws(CELFault) -> Operand {
        var left = try sum()
        while case .symbol(let symbol) = token, let comparison = CELComparison(rawValue: symbol.rawValue) {
            try advance()
            let right = try scalar(sum())
            left = try scalar(left)
            guard left.type.joined(with: right.type) != nil else { throw mismatch(symbol.rawValue, left, right) }
            left = try add(
                .compare(comparison, left.node, right.node), .bool, from: left.range.lowerBound, over: left, right
            )
        }
        return left
    }

    private mutating func sum() throws(CELFault) -> Operand {
        var left = try product()
        while case .symbol(let symbol) = token, symbol == .plus || symbol == .minus {
            try advance()
            left = try arithmetic(symbol, left, product())
        }
        return left
    }

    private mutating func product() throws(CELFault) -> Operand {
        var left = try unary()
        while case .symbol(let symbol) = token, symbol == .times || symbol == .divide || symbol == .modulo {
            try advance()
            left = try arithmetic(symbol, left, unary())
        }
        return left
    }

    private mutating func arithmetic(
        _ symbol: CELToken.Symbol,
        _ left: Operand,
        _ right: Operand
    ) throws(CELFault) -> Operand {
        let (left, right) = (try scalar(left), try scalar(right))
        guard let operation = CELArithmetic(rawValue: symbol.rawValue),
            let type = operation.result(left.type, right.type)
        else { throw mismatch(symbol.rawValue, left, right) }
        let node = CELExpression.Node.arithmetic(operation, left.node, right.node)
        return try add(node, type, from: left.range.lowerBound, over: left, right)
    }

    private mutating func unary() throws(CELFault) -> Operand {
        let start = tokenRange.lowerBound
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= 2 * CELExpression.depthMax else { throw tooDeep(at: tokenRange) }
        if try pass(.not) {
            let operand = try unary()
            guard operand.type.canBeBool else {
                throw fault("'!' needs bool, not \(operand.type.name)", at: operand.range)
            }
            return try add(.not(operand.node), .bool, from: start, over: operand)
        }
        guard try pass(.minus) else { return try member() }
        if let literal = try number(isNegative: true, from: start) { return literal }
        let operand = try scalar(unary())
        guard operand.type.isNumber, operand.type != .uint else {
            throw fault("'-' needs a number with a sign, not \(operand.type.name)", at: operand.range)
        }
        return try add(.negate(operand.node), operand.type, from: start, over: operand)
    }

    /// A value and the fields that are selected of it.
    private mutating func member() throws(CELFault) -> Operand {
        var operand = try primary()
        while try pass(.dot) {
            guard case .name(let name) = token else { throw unexpected("the name of a field") }
            try advance()
            operand = try select(name, of: operand)
        }
        return operand
    }

    private mutating func select(_ name: String, of operand: Operand) throws(CELFault) -> Operand {
        let start = operand.range.lowerBound
        switch operand.type {
        case .map(let map) where map.fields.contains(name):
            guard let count = CELCount(rawValue: name) else {
                return try add(.map, .map(.promptDetails), from: start)
            }
            return try add(.count(count), .count, from: start)
        case .map, .absent:
            absentFields.append(String(decoding: lexer.bytes[start..<previousEnd], as: UTF8.self))
            return try add(.absent, .absent, from: start)
        default:
            throw fault("\(operand.type.name) has no fields", at: start..<previousEnd)
        }
    }

    private mutating func primary() throws(CELFault) -> Operand {
        let start = tokenRange.lowerBound
        if let literal = try number(isNegative: false, from: start) { return literal }
        switch token {
        case .string(let text):
            try advance()
            return try add(.constant(.string(text)), .string, from: start)
        case .name(let name):
            try advance()
            return try named(name, from: start)
        case .symbol(.open):
            try advance()
            let inner = try expression()
            try require(.close)
            return Operand(node: inner.node, type: inner.type, depth: inner.depth, range: start..<previousEnd)
        default:
            throw unexpected("a value")
        }
    }

    /// A number, if one comes next; its sign belongs to it, because the least int has no positive twin.
    private mutating func number(isNegative: Bool, from start: Int) throws(CELFault) -> Operand? {
        let (value, type): (CELValue?, CELType)
        switch token {
        case .int(let magnitude):
            let signed = isNegative ? -Int128(magnitude) : Int128(magnitude)
            (value, type) = (Int64(exactly: signed).map(CELValue.int), .int)
        case .double(let magnitude):
            (value, type) = (.double(isNegative ? -magnitude : magnitude), .double)
        case .uint(let magnitude) where !isNegative:
            (value, type) = (.uint(magnitude), .uint)
        default:
            return nil
        }
        guard let value else { throw fault("the number does not fit 64 bits", at: start..<tokenRange.upperBound) }
        try advance()
        return try add(.constant(value), type, from: start)
    }

    /// What a name stands for: `usage`, a truth value, or a function with its argument.
    private mutating func named(_ name: String, from start: Int) throws(CELFault) -> Operand {
        let range = start..<previousEnd
        switch name {
        case "true", "false":
            return try add(.constant(.bool(name == "true")), .bool, from: start)
        case "usage":
            return try add(.map, .map(.usage), from: start)
        default:
            break
        }
        guard try pass(.open) else {
            throw fault("the name is not known: values are usage, true and false", at: range)
        }
        if name == "has" { return try presence(from: start) }
        guard let conversion = CELConversion(rawValue: name) else {
            let known = (["has"] + CELConversion.allCases.map(\.rawValue)).joined(separator: ", ")
            throw fault("the function is not known: functions are \(known)", at: range)
        }
        let operand = try scalar(expression())
        try require(.close)
        guard operand.type.isNumber else {
            throw fault("\(name)() needs a number, not \(operand.type.name)", at: operand.range)
        }
        return try add(.convert(conversion, operand.node), conversion.type, from: start, over: operand)
    }

    /// `has(usage.…)`, behind its bracket: whether the last field is there. Which fields are is known beforehand.
    private mutating func presence(from start: Int) throws(CELFault) -> Operand {
        let argument = tokenRange.lowerBound
        let holder = try primary()
        var (isField, holderType, field) = (false, holder.type, holder)
        while try pass(.dot) {
            guard case .name(let name) = token else { throw unexpected("the name of a field") }
            try advance()
            (isField, holderType) = (true, field.type)
            field = try select(name, of: field)
        }
        try require(.close)
        guard isField else {
            throw fault("has() needs a field, as in has(usage.prompt_tokens)", at: argument..<previousEnd - 1)
        }
        // To ask whether there is a field is no mistake.
        if field.type == .absent { absentFields.removeLast() }
        guard case .map = holderType else { return try add(.absent, .bool, from: start) }
        return try add(.constant(.bool(field.type != .absent)), .bool, from: start)
    }
}
