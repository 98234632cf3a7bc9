/// The ways in which bytes can fail to be JSON.
enum JSONFault {
    case endOfInput(expected: StaticString)
    case unexpectedByte(UInt8, expected: StaticString)
    case controlCharacter(UInt8)
    case invalidEscape
    case invalidUTF8
    case invalidNumber
    case nestedTooDeeply(limit: Int)
    case trailingBytes

    /// The error that reports this fault at `offset`. Not inlined, so that the scanner's loops stay small.
    @inline(never)
    func error(at offset: Int) -> FormatError {
        let code: FormatError.Code
        let text: String
        switch self {
        case .endOfInput(let expected):
            (code, text) = (.invalidJSON, "the body ends where \(expected) is expected")
        case .unexpectedByte(let byte, let expected):
            (code, text) = (.invalidJSON, "found \(Self.name(of: byte)) where \(expected) is expected")
        case .controlCharacter(let byte):
            (code, text) = (.invalidJSON, "the control character \(Self.name(of: byte)) must be escaped in a string")
        case .invalidEscape:
            (code, text) = (.invalidJSON, "a string has an invalid escape sequence")
        case .invalidUTF8:
            (code, text) = (.invalidJSON, "a string has a byte sequence that is not UTF-8")
        case .invalidNumber:
            (code, text) = (.invalidJSON, "a number has a missing digit")
        case .nestedTooDeeply(let limit):
            (code, text) = (.nestedTooDeeply, "objects and arrays nest deeper than the limit of \(limit)")
        case .trailingBytes:
            (code, text) = (.invalidJSON, "more bytes follow the end of the document")
        }
        return FormatError(code, "the request body is not valid JSON: \(text)", byteOffset: offset)
    }

    /// A printable name of a byte: the character itself when it is visible ASCII, else its value in hexadecimal.
    private static func name(of byte: UInt8) -> String {
        guard (0x21...0x7E).contains(byte) else {
            let digits = String(byte, radix: 16)
            return "0x" + (digits.utf8.count == 1 ? "0" : "") + digits
        }
        return "'\(Character(Unicode.Scalar(byte)))'"
    }
}
