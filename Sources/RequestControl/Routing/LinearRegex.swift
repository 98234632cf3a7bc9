/// A regular expression whose matching time grows linearly with the text, whatever the pattern: no back-references, no
/// look-around, no backtracking. So a client's header cannot make a route's expression run for ever.
///
/// The syntax is the common core of RE2: literals, `.`, classes `[a-z]` and `[^a-z]`, `\d \w \s` and their capitals,
/// escapes, groups, alternation, `* + ?` and `{m}`, `{m,}`, `{m,n}`. A match is a match of the whole text, as in
/// Envoy's `safe_regex`; `^` at the start and `$` at the end are allowed and change nothing.
package struct LinearRegex: Sendable {
    /// Why a pattern is not accepted.
    package struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
        /// One sentence with the pattern and the position.
        package let description: String
    }

    /// One step of the automaton.
    enum Instruction: Sendable {
        /// Takes one scalar of the set and goes to the next instruction.
        case take(ScalarSet)
        /// Goes to both instructions.
        case split(Int, Int)
        /// Goes to the instruction.
        case jump(Int)
        /// The pattern is matched.
        case match
    }

    /// The most instructions of a compiled pattern: bounds what `{m,n}` can blow up.
    static let instructionsMax = 10_000

    /// The pattern's text.
    package let pattern: String
    private let program: [Instruction]

    /// Compiles `pattern`.
    ///
    /// - Throws: ``PatternError`` for a syntax that is not supported, or a pattern that is too large.
    package init(_ pattern: String) throws(PatternError) {
        self.pattern = pattern
        var parser = LinearRegexParser(pattern)
        let tree = try parser.parse()
        var compiler = LinearRegexCompiler(pattern: pattern)
        try compiler.emit(tree)
        program = try compiler.finish()
    }

    /// Whether all of `text` matches.
    package func matches(_ text: String) -> Bool {
        var present = ThreadList(capacity: program.count)
        var next = ThreadList(capacity: program.count)
        follow(0, into: &present)
        for scalar in text.unicodeScalars {
            if present.isEmpty { return false }
            for position in present.positions {
                if case .take(let set) = program[position], set.contains(scalar) { follow(position + 1, into: &next) }
            }
            swap(&present, &next)
            next.removeAll()
        }
        return present.positions.contains { if case .match = program[$0] { true } else { false } }
    }

    /// Adds the instruction at `start` and everything that it reaches without taking a scalar.
    private func follow(_ start: Int, into threads: inout ThreadList) {
        var pending = [start]
        while let position = pending.popLast() {
            guard threads.insert(position) else { continue }
            switch program[position] {
            case .take, .match: break
            case .jump(let target): pending.append(target)
            case .split(let first, let second): pending += [second, first]
            }
        }
    }

    /// The instructions that the automaton is at, each once.
    private struct ThreadList {
        private(set) var positions: [Int] = []
        private var isMember: [Bool]

        init(capacity: Int) {
            isMember = Array(repeating: false, count: capacity)
        }

        var isEmpty: Bool { positions.isEmpty }

        mutating func insert(_ position: Int) -> Bool {
            if isMember[position] { return false }
            isMember[position] = true
            positions.append(position)
            return true
        }

        mutating func removeAll() {
            for position in positions { isMember[position] = false }
            positions.removeAll(keepingCapacity: true)
        }
    }
}

/// A set of Unicode scalars as ranges.
struct ScalarSet: Sendable {
    var ranges: [ClosedRange<UInt32>]
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isNegated
    }

    /// The scalar of a set of one; `nil` for another set.
    var onlyScalar: UInt32? {
        ranges.count == 1 && ranges[0].count == 1 ? ranges[0].lowerBound : nil
    }

    static func single(_ scalar: Unicode.Scalar) -> ScalarSet {
        ScalarSet(ranges: [scalar.value...scalar.value])
    }

    /// Everything but a line feed.
    static let any = ScalarSet(ranges: [0x0A...0x0A], isNegated: true)
    /// `\d`
    static let digit = ScalarSet(ranges: [0x30...0x39])
    /// `\w`
    static let word = ScalarSet(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    /// `\s`
    static let space = ScalarSet(ranges: [0x09...0x0A, 0x0C...0x0D, 0x20...0x20])
}

/// A parsed pattern.
indirect enum LinearRegexTree: Sendable {
    case empty
    case set(ScalarSet)
    case sequence([LinearRegexTree])
    case either([LinearRegexTree])
    case `repeat`(LinearRegexTree, min: Int, max: Int?)
}

/// Turns a tree into instructions.
struct LinearRegexCompiler {
    let pattern: String
    private var program: [LinearRegex.Instruction] = []

    init(pattern: String) {
        self.pattern = pattern
    }

    mutating func finish() throws(LinearRegex.PatternError) -> [LinearRegex.Instruction] {
        try append(.match)
        return program
    }

    mutating func emit(_ tree: LinearRegexTree) throws(LinearRegex.PatternError) {
        switch tree {
        case .empty: break
        case .set(let set): try append(.take(set))
        case .sequence(let parts): for part in parts { try emit(part) }
        case .either(let branches): try emit(branches)
        case .repeat(let part, let min, let max): try emit(part, min: min, max: max)
        }
    }

    private mutating func emit(_ branches: [LinearRegexTree]) throws(LinearRegex.PatternError) {
        var jumps: [Int] = []
        for branch in branches.dropLast() {
            let split = program.count
            try append(.jump(0))
            try emit(branch)
            jumps.append(program.count)
            try append(.jump(0))
            program[split] = .split(split + 1, program.count)
        }
        if let last = branches.last { try emit(last) }
        for jump in jumps { program[jump] = .jump(program.count) }
    }

    private mutating func emit(
        _ part: LinearRegexTree,
        min: Int,
        max: Int?
    ) throws(LinearRegex.PatternError) {
        for _ in 0..<min {
            let start = program.count
            try emit(part)
            // A part without instructions is empty however often it is repeated. Nested counts of it would multiply the
            // time to compile without ever reaching the limit of instructions.
            if program.count == start { return }
        }
        guard let max else {
            let split = program.count
            try append(.jump(0))
            try emit(part)
            try append(.jump(split))
            program[split] = .split(split + 1, program.count)
            return
        }
        var splits: [Int] = []
        for _ in min..<Swift.max(min, max) {
            splits.append(program.count)
            try append(.jump(0))
            try emit(part)
        }
        for split in splits { program[split] = .split(split + 1, program.count) }
    }

    private mutating func append(_ instruction: LinearRegex.Instruction) throws(LinearRegex.PatternError) {
        guard program.count < LinearRegex.instructionsMax else {
            throw LinearRegex.PatternError(description: "the regular expression '\(pattern)' is too large")
        }
        program.append(instruction)
    }
}
