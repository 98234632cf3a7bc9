/// Reads the text of a ``LinearRegex``.
struct LinearRegexParser {
    private let pattern: String
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    /// The deepest nesting of groups.
    private static let depthMax = 100

    init(_ pattern: String) {
        self.pattern = pattern
        scalars = Array(pattern.unicodeScalars)
    }

    mutating func parse() throws(LinearRegex.PatternError) -> LinearRegexTree {
        if peek == "^" { position += 1 }
        let tree = try alternation()
        if position < scalars.count { throw error("unbalanced ')'") }
        return tree
    }

    private var peek: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private func error(_ what: String) -> LinearRegex.PatternError {
        LinearRegex.PatternError(description: "the regular expression '\(pattern)': \(what) at position \(position)")
    }

    private mutating func next() -> Unicode.Scalar? {
        guard let scalar = peek else { return nil }
        position += 1
        return scalar
    }

    private mutating func alternation() throws(LinearRegex.PatternError) -> LinearRegexTree {
        var branches = [try sequence()]
        while peek == "|" {
            position += 1
            branches.append(try sequence())
        }
        return branches.count == 1 ? branches[0] : .either(branches)
    }

    private mutating func sequence() throws(LinearRegex.PatternError) -> LinearRegexTree {
        var parts: [LinearRegexTree] = []
        while let scalar = peek, scalar != "|", scalar != ")" {
            if scalar == "$", position == scalars.count - 1 {
                position += 1
                break
            }
            parts.append(try repetition(of: atom()))
        }
        return parts.isEmpty ? .empty : parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func repetition(of atom: LinearRegexTree) throws(LinearRegex.PatternError) -> LinearRegexTree {
        let tree: LinearRegexTree
        switch peek {
        case "*": tree = .repeat(atom, min: 0, max: nil)
        case "+": tree = .repeat(atom, min: 1, max: nil)
        case "?": tree = .repeat(atom, min: 0, max: 1)
        case "{": return try counted(atom)
        default: return atom
        }
        position += 1
        try refuseSecondRepetition()
        return tree
    }

    /// `{m}`, `{m,}` or `{m,n}`.
    private mutating func counted(_ atom: LinearRegexTree) throws(LinearRegex.PatternError) -> LinearRegexTree {
        position += 1
        let min = try number()
        var max: Int? = min
        if peek == "," {
            position += 1
            max = peek == "}" ? nil : try number()
        }
        guard next() == "}" else { throw error("expected '}'") }
        if let max, max < min { throw error("'{\(min),\(max)}' counts downwards") }
        try refuseSecondRepetition()
        return .repeat(atom, min: min, max: max)
    }

    private mutating func refuseSecondRepetition() throws(LinearRegex.PatternError) {
        if peek == "?" { position += 1 }
        if let scalar = peek, scalar == "*" || scalar == "+" || scalar == "{" {
            throw error("a repetition of a repetition")
        }
    }

    private mutating func number() throws(LinearRegex.PatternError) -> Int {
        var value = 0
        var digits = 0
        while let scalar = peek, ScalarSet.digit.contains(scalar) {
            value = value * 10 + Int(scalar.value - 0x30)
            digits += 1
            position += 1
            if value > 1000 { throw error("a count over 1000") }
        }
        guard digits > 0 else { throw error("expected a number") }
        return value
    }

    private mutating func atom() throws(LinearRegex.PatternError) -> LinearRegexTree {
        switch next() {
        case "(": return try group()
        case "[": return .set(try characterClass())
        case ".": return .set(.any)
        case "\\": return .set(try escape())
        case "*", "+", "?", "{": throw error("a repetition of nothing")
        case "^", "$": throw error("an anchor inside of the expression")
        case .some(let scalar): return .set(.single(scalar))
        case nil: throw error("unexpected end")
        }
    }

    private mutating func group() throws(LinearRegex.PatternError) -> LinearRegexTree {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.depthMax { throw error("groups nested too deeply") }
        if peek == "?" {
            position += 1
            guard next() == ":" else { throw error("only '(?:' is supported of the '(?' groups") }
        }
        let tree = try alternation()
        guard next() == ")" else { throw error("missing ')'") }
        return tree
    }

    private mutating func escape() throws(LinearRegex.PatternError) -> ScalarSet {
        guard let scalar = next() else { throw error("an escape of nothing") }
        switch scalar {
        case "d": return .digit
        case "w": return .word
        case "s": return .space
        case "D": return ScalarSet(ranges: ScalarSet.digit.ranges, isNegated: true)
        case "W": return ScalarSet(ranges: ScalarSet.word.ranges, isNegated: true)
        case "S": return ScalarSet(ranges: ScalarSet.space.ranges, isNegated: true)
        case "t": return .single("\t")
        case "n": return .single("\n")
        case "r": return .single("\r")
        default:
            if ScalarSet.word.contains(scalar) { throw error("the escape '\\\(scalar)' is not supported") }
            return .single(scalar)
        }
    }

    private mutating func characterClass() throws(LinearRegex.PatternError) -> ScalarSet {
        var set = ScalarSet(ranges: [])
        if peek == "^" {
            position += 1
            set.isNegated = true
        }
        var isFirst = true
        while let scalar = next() {
            if scalar == "]", !isFirst { return set }
            isFirst = false
            if scalar == "[", peek == ":" { throw error("classes such as [:alpha:] are not supported") }
            let start = scalar == "\\" ? try escape() : .single(scalar)
            if start.isNegated { throw error("a negated class inside of a class") }
            if peek == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                guard let end = next(), end != "[" else { throw error("missing end of a range") }
                let last = end == "\\" ? try escape() : .single(end)
                guard let low = start.onlyScalar, let high = last.onlyScalar, !last.isNegated else {
                    throw error("a class as the end of a range")
                }
                guard low <= high else { throw error("a range that runs backwards") }
                set.ranges.append(low...high)
            } else {
                set.ranges += start.ranges
            }
        }
        throw error("missing ']'")
    }
}
