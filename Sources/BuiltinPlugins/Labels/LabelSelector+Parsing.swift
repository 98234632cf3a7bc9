extension LabelSelector {
    /// Why a text is no selector.
    struct SyntaxError: Error, Hashable, CustomStringConvertible {
        /// A sentence without a full stop.
        let description: String
    }

    /// Reads the text form that `kubectl --selector` takes: requirements with commas between them, each one of `key`,
    /// `!key`, `key=value`, `key==value`, `key!=value`, `key in (a, b)` and `key notin (a, b)`.
    init(parsing text: String) throws(SyntaxError) {
        var parser = Parser(text)
        requirements = try parser.requirements()
    }

    /// Takes a selector's text apart.
    private struct Parser {
        private var tokens: ArraySlice<Substring>
        private let text: String

        init(_ text: String) {
            self.text = text
            tokens = Self.tokens(text)[...]
        }

        /// Words, and the signs between them; white space only separates.
        private static func tokens(_ text: String) -> [Substring] {
            var tokens: [Substring] = []
            var rest = text[...]
            while let first = rest.first {
                let length: Int
                if first.isWhitespace {
                    rest = rest.dropFirst()
                    continue
                } else if rest.hasPrefix("==") || rest.hasPrefix("!=") {
                    length = 2
                } else if isSign(first) {
                    length = 1
                } else {
                    length = rest.prefix { !isSign($0) && !$0.isWhitespace }.count
                }
                tokens.append(rest.prefix(length))
                rest = rest.dropFirst(length)
            }
            return tokens
        }

        private static func isSign(_ character: Character) -> Bool {
            "=!(),<>".contains(character)
        }

        mutating func requirements() throws(SyntaxError) -> [Requirement] {
            var requirements: [Requirement] = []
            guard !tokens.isEmpty else { return requirements }
            repeat {
                requirements.append(try requirement())
            } while take(",")
            guard tokens.isEmpty else { throw unexpected("a comma") }
            return requirements
        }

        private mutating func requirement() throws(SyntaxError) -> Requirement {
            if take("!") {
                return Requirement(key: try word("a label's key"), comparison: .doesNotExist, values: [])
            }
            let key = try word("a label's key")
            switch tokens.first {
            case nil, ",":
                return Requirement(key: key, comparison: .exists, values: [])
            case "=", "==":
                tokens.removeFirst()
                return Requirement(key: key, comparison: .isIn, values: [value()])
            case "!=":
                tokens.removeFirst()
                return Requirement(key: key, comparison: .isNotIn, values: [value()])
            case "in":
                tokens.removeFirst()
                return Requirement(key: key, comparison: .isIn, values: try list())
            case "notin":
                tokens.removeFirst()
                return Requirement(key: key, comparison: .isNotIn, values: try list())
            default:
                throw unexpected("=, ==, !=, in or notin")
            }
        }

        private mutating func list() throws(SyntaxError) -> Set<String> {
            guard take("(") else { throw unexpected("(") }
            var values: Set<String> = []
            repeat {
                values.insert(value())
            } while take(",")
            guard take(")") else { throw unexpected("a comma or )") }
            return values
        }

        private mutating func take(_ sign: Substring) -> Bool {
            guard tokens.first == sign else { return false }
            tokens.removeFirst()
            return true
        }

        private mutating func word(_ expected: String) throws(SyntaxError) -> String {
            guard let first = tokens.first, let start = first.first, !Self.isSign(start) else {
                throw unexpected(expected)
            }
            return String(tokens.removeFirst())
        }

        /// A value, which may be empty.
        private mutating func value() -> String {
            guard let first = tokens.first, let start = first.first, !Self.isSign(start) else { return "" }
            return String(tokens.removeFirst())
        }

        private func unexpected(_ expected: String) -> SyntaxError {
            let found = tokens.first.map { "'\($0)'" } ?? "the end"
            return SyntaxError(description: "'\(text)' is not a label selector: expected \(expected), found \(found)")
        }
    }
}
