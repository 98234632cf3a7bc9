import GatewayCore

/// Prints values as block-style YAML that ``YAMLDocumentReader`` reads back to equal values.
///
/// Objects keep the order of their keys; lists stand at the indentation of their key. Text is plain where that is
/// unambiguous, also for readers of YAML 1.1, and in double quotes with JSON's escapes everywhere else.
enum YAMLPrinter {
    /// The text of `value` as a document, ending in a line break.
    static func print(_ value: ConfigurationValue) -> String {
        var text = ""
        switch value.content {
        case .object(let members) where !members.isEmpty: write(members, indentation: 0, to: &text)
        case .array(let elements) where !elements.isEmpty: write(elements, indentation: 0, to: &text)
        default: text += scalar(value.content) + "\n"
        }
        return text
    }

    private static func write(_ members: [ConfigurationValue.Member], indentation: Int, to text: inout String) {
        for (index, member) in members.enumerated() {
            // The first key of an object in a list follows the dash on its line.
            if index > 0 || text.isEmpty || text.last == "\n" { indent(indentation, &text) }
            text += scalar(.string(member.key)) + ":"
            switch member.value.content {
            case .object(let inner) where !inner.isEmpty:
                text += "\n"
                write(inner, indentation: indentation + 2, to: &text)
            case .array(let elements) where !elements.isEmpty:
                text += "\n"
                write(elements, indentation: indentation, to: &text)
            default:
                text += " " + scalar(member.value.content) + "\n"
            }
        }
    }

    private static func write(_ elements: [ConfigurationValue], indentation: Int, to text: inout String) {
        for element in elements {
            if text.isEmpty || text.last == "\n" { indent(indentation, &text) }
            text += "- "
            switch element.content {
            case .object(let members) where !members.isEmpty:
                write(members, indentation: indentation + 2, to: &text)
            case .array(let inner) where !inner.isEmpty:
                write(inner, indentation: indentation + 2, to: &text)
            default:
                text += scalar(element.content) + "\n"
            }
        }
    }

    private static func indent(_ count: Int, _ text: inout String) {
        text += String(repeating: " ", count: count)
    }

    private static func scalar(_ content: ConfigurationValue.Content) -> String {
        switch content {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .int(let number): "\(number)"
        case .double(let number): double(number)
        case .string(let text): isPlain(text) ? text : quoted(text)
        case .array: "[]"
        case .object: "{}"
        }
    }

    private static func double(_ number: Double) -> String {
        if number.isNaN { return ".nan" }
        if number.isInfinite { return number < 0 ? "-.inf" : ".inf" }
        return "\(number)"
    }

    /// Whether `text` can stand without quotes: letters, digits and a few marks that mean nothing inside a scalar,
    /// beginning with a letter, and no word or number of either version of YAML.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, "a"..."z" ~= first || "A"..."Z" ~= first else { return false }
        let isSimple = text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".", "/", "=", "+": true
            default: false
            }
        }
        let reserved: Set<String> = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
        return isSimple && !reserved.contains(text.lowercased())
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            default:
                if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.value == 0xFEFF
                    || (0x2028...0x2029).contains(scalar.value)
                {
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
