/// Text of any origin as it may stand in a log line: nothing in it ends the line, moves the cursor of a terminal or
/// changes the order in which letters are shown. Both forms of lines write it the same way, that of a JSON string.
enum LogText {
    /// Whether `text` may stand without quotes in a line of text.
    static func isBare(_ text: String) -> Bool {
        if text.isEmpty { return false }
        for byte in text.utf8 where !isPlain(byte) && byte < 0x80 || byte == space || byte == equals { return false }
        return text.utf8.allSatisfy { $0 < 0x80 } || text.unicodeScalars.allSatisfy { !isHarmful($0) }
    }

    /// Adds `text` as the inside of a JSON string, at most `limit` bytes of it; what is longer ends in an ellipsis.
    static func append(_ text: String, to bytes: inout [UInt8], limit: Int, keepsLineFeeds: Bool = false) {
        let isDone = text.utf8.withContiguousStorageIfAvailable { plain in
            guard plain.count <= limit, plain.allSatisfy(isPlain) else { return false }
            bytes.append(contentsOf: plain)
            return true
        }
        if isDone == true { return }
        let start = bytes.count
        for scalar in text.unicodeScalars {
            let before = bytes.count
            append(scalar, to: &bytes, keepsLineFeeds: keepsLineFeeds)
            guard bytes.count - start > limit else { continue }
            bytes.removeSubrange(before...)
            bytes += ellipsis.utf8
            return
        }
    }

    /// What stands where something was left out.
    static let ellipsis = "…"

    private static let space = UInt8(ascii: " ")
    private static let equals = UInt8(ascii: "=")
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    /// What the lines of a message behind the first begin with, so that none can pass for a record of its own.
    private static let continuation = "\n    "

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != quote && byte != backslash
    }

    /// Whether a scalar is a control character, separates lines, or changes the direction of what is around it.
    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F: true
        case 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    private static func append(_ scalar: Unicode.Scalar, to bytes: inout [UInt8], keepsLineFeeds: Bool) {
        switch scalar {
        case "\n" where keepsLineFeeds: bytes += continuation.utf8
        case "\n": bytes += #"\n"#.utf8
        case "\r": bytes += #"\r"#.utf8
        case "\t": bytes += #"\t"#.utf8
        case "\"" where !keepsLineFeeds, "\\" where !keepsLineFeeds:
            bytes.append(backslash)
            bytes.append(UInt8(truncatingIfNeeded: scalar.value))
        case _ where isHarmful(scalar):
            let digits = String(scalar.value, radix: 16)
            bytes += #"\u"#.utf8
            for _ in digits.utf8.count..<4 { bytes.append(UInt8(ascii: "0")) }
            bytes += digits.utf8
        default:
            bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
        }
    }
}
