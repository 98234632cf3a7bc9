/// Why a text is no expression, and where.
struct CELFault: Error, Hashable, CustomStringConvertible {
    /// What is wrong, without a full stop.
    let message: String
    /// The line, from 1 on.
    let line: Int
    /// The character of the line, from 1 on.
    let column: Int
    /// The text at fault, cut to ``textMax`` characters; empty at the end of the expression.
    let text: String

    /// The most characters of an expression that an error shows.
    static let textMax = 40

    /// Makes the fault of the bytes in `range`.
    init(_ message: String, at range: Range<Int>, in bytes: [UInt8]) {
        self.message = message
        let before = bytes[..<range.lowerBound]
        line = 1 + before.lazy.filter { $0 == UInt8(ascii: "\n") }.count
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        column = 1 + String(decoding: before[lineStart...], as: UTF8.self).unicodeScalars.count
        let text = String(decoding: bytes[range], as: UTF8.self)
        self.text = text.count > Self.textMax ? "\(text.prefix(Self.textMax))…" : text
    }

    /// One sentence with the place and the text.
    var description: String {
        "\(message), at \(line):\(column) (\(text.isEmpty ? "the end" : "'\(text)'"))"
    }
}
