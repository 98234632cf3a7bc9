/// A field value with parameters, as `Content-Type` and `Content-Disposition` have it: `value; name=text; name="text"`.
struct ParameterizedField {
    /// The value in front of the parameters, in lower case.
    let value: String
    /// The parameters in their order, names in lower case. Reading ends at the first one that is malformed.
    private(set) var parameters: [(name: String, text: String)] = []
    /// Whether all parameters could be read.
    private(set) var isWhole = false

    /// Reads a field value; nothing in it is an error.
    init(_ bytes: RawSpan) {
        var cursor = Cursor(offset: 0)
        value = cursor.take(from: bytes) { $0 != UInt8(ascii: ";") && $0 != 0x20 && $0 != 0x09 }.lowercased()
        while true {
            cursor.skipBlanks(in: bytes)
            guard cursor.offset < bytes.byteCount else {
                isWhole = true
                return
            }
            guard cursor.skip(UInt8(ascii: ";"), in: bytes) else { return }
            cursor.skipBlanks(in: bytes)
            if cursor.offset == bytes.byteCount || bytes.byte(at: cursor.offset) == UInt8(ascii: ";") { continue }
            let name = cursor.take(from: bytes, while: \.isTokenByte)
            guard !name.isEmpty, cursor.skip(UInt8(ascii: "="), in: bytes) else { return }
            guard let text = cursor.takeText(from: bytes) else { return }
            parameters.append((name.lowercased(), text))
        }
    }

    /// The text of the only parameter called `name`; `nil` when there is none, or more than one.
    func only(_ name: String) -> String? {
        let found = parameters.lazy.filter { $0.name == name }.prefix(2)
        return found.count == 1 ? found.first?.text : nil
    }

    /// Whether there is a parameter called `name`.
    func has(_ name: String) -> Bool {
        parameters.contains { $0.name == name }
    }
}

/// A position in a field value.
private struct Cursor {
    var offset: Int

    mutating func skipBlanks(in bytes: RawSpan) {
        while offset < bytes.byteCount, bytes.byte(at: offset) == 0x20 || bytes.byte(at: offset) == 0x09 {
            offset += 1
        }
    }

    /// Moves behind `byte` if it comes next.
    mutating func skip(_ byte: UInt8, in bytes: RawSpan) -> Bool {
        guard offset < bytes.byteCount, bytes.byte(at: offset) == byte else { return false }
        offset += 1
        return true
    }

    mutating func take(from bytes: RawSpan, while isWanted: (UInt8) -> Bool) -> String {
        let start = offset
        while offset < bytes.byteCount, isWanted(bytes.byte(at: offset)) { offset += 1 }
        return bytes.extracting(start..<offset).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// A parameter's text: a token, or a text in quotes, where a backslash stands in front of a quote or a backslash
    /// (browsers write paths with single backslashes, which stay). `nil` when it is neither, or not UTF-8.
    mutating func takeText(from bytes: RawSpan) -> String? {
        guard skip(UInt8(ascii: "\""), in: bytes) else {
            let token = take(from: bytes, while: \.isTokenByte)
            return token.isEmpty ? nil : token
        }
        var text: [UInt8] = []
        while offset < bytes.byteCount {
            var byte = bytes.byte(at: offset)
            offset += 1
            if byte == UInt8(ascii: "\"") { return String(validating: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), offset < bytes.byteCount {
                let next = bytes.byte(at: offset)
                if next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") {
                    byte = next
                    offset += 1
                }
            }
            text.append(byte)
        }
        return nil
    }
}

extension UInt8 {
    /// Whether the byte may stand in a token (RFC 9110, 5.6.2).
    var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension String {
    /// Whether the text is a token (RFC 9110, 5.6.2), as the names of header fields are.
    package var isFieldToken: Bool {
        !isEmpty && utf8.allSatisfy(\.isTokenByte)
    }
}
