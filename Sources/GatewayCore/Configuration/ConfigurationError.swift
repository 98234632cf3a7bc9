/// One thing that is wrong, or of no effect, in a configuration.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// Where it stands.
    public let position: SourcePosition
    /// The path of the value in its document, such as `spec.targetPorts[0].number`; empty for the document itself.
    public let path: String
    /// What is wrong: a sentence without a full stop that has the offending value.
    public let message: String
    /// The known name nearest to the one that was written.
    public let suggestion: String?

    /// Makes a problem.
    public init(position: SourcePosition, path: String, message: String, suggestion: String? = nil) {
        self.position = position
        self.path = path
        self.message = message
        self.suggestion = suggestion
    }

    /// `file:line:column: path: message (did you mean "name"?)`.
    public var description: String {
        var text = "\(position): "
        if !path.isEmpty { text += "\(path): " }
        text += message
        if let suggestion { text += " (did you mean \"\(suggestion)\"?)" }
        return text
    }

    /// `text` in double quotes for a message: control characters escaped, cut after 80 characters.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < 80 else { return result + "…\"" }
            count += 1
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.properties.generalCategory == .control:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// A configuration that cannot be used: everything that is wrong with it, at least one problem.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, in the order of the file.
    public let problems: [ConfigurationProblem]

    /// Makes an error of at least one problem, and puts the problems in the order of their positions.
    public init(_ problems: [ConfigurationProblem]) {
        precondition(!problems.isEmpty, "a configuration error needs a problem")
        self.problems = Self.ordered(problems)
    }

    /// Makes an error of one problem.
    public init(position: SourcePosition, path: String = "", message: String, suggestion: String? = nil) {
        problems = [
            ConfigurationProblem(position: position, path: path, message: message, suggestion: suggestion)
        ]
    }

    /// One line for each problem.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }

    /// `problems` by position; those at one position keep their order.
    package static func ordered(_ problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
        problems.enumerated()
            .sorted { left, right in
                if SourcePosition.precedes(left.element.position, right.element.position) { return true }
                if SourcePosition.precedes(right.element.position, left.element.position) { return false }
                return left.offset < right.offset
            }
            .map(\.element)
    }
}
