import NIOCore

/// Writing JSON text by hand: the order of members is part of what is reproduced, which an encoder would not keep.
enum JSONText {
    /// A string with quotes and escapes.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        quoted.reserveCapacity(text.utf8.count + 2)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// A list of strings.
    static func list(_ texts: [String]) -> String {
        "[" + texts.map(quoted).joined(separator: ",") + "]"
    }
}

extension ByteBuffer {
    /// Writes the four bytes of a generated token, which never need an escape.
    mutating func writeToken(_ token: SimulatedToken) {
        writeInteger(token.value, endianness: .little)
    }
}
