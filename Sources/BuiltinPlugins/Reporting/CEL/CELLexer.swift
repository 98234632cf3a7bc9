/// One word of an expression.
enum CELToken: Hashable {
    /// A whole number; its sign is a token of its own.
    case int(UInt64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case name(String)
    case symbol(Symbol)
    case end

    /// Operators and brackets.
    enum Symbol: String, CaseIterable {
        case equal = "==", notEqual = "!=", lessOrEqual = "<=", greaterOrEqual = ">=", and = "&&", or = "||"
        case less = "<", greater = ">", not = "!", plus = "+", minus = "-", times = "*", divide = "/", modulo = "%"
        case question = "?", colon = ":", dot = ".", comma = ",", open = "(", close = ")"
    }
}

/// Takes an expression apart. White space and comments (`//` to the end of the line) separate words.
struct CELLexer {
    let bytes: [UInt8]
    /// Where the last word stands.
    private(set) var range = 0..<0
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The next word; ``CELToken/end`` again and again behind the last.
    mutating func next() throws(CELFault) -> CELToken {
        skipSpace()
        let start = offset
        defer { range = start..<offset }
        guard let byte = byte(at: offset) else { return .end }
        if byte.isDigit || byte == UInt8(ascii: "."), byte.isDigit || self.byte(at: offset + 1)?.isDigit == true {
            return try number()
        }
        if byte.isNameStart {
            skip(while: \.isNamePart)
            let text = text(from: start)
            // A letter directly in front of a quote makes a raw or a byte string of it.
            if let quote = self.byte(at: offset), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
                throw CELFault("raw strings and bytes are not known here", at: start..<offset + 1, in: bytes)
            }
            return .name(text)
        }
        if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") { return try string(endingWith: byte) }
        // Two characters before one.
        for symbol in CELToken.Symbol.allCases where bytes[offset...].starts(with: symbol.rawValue.utf8) {
            offset += symbol.rawValue.utf8.count
            return .symbol(symbol)
        }
        offset = endOfCharacter(at: offset)
        throw CELFault("no expression has this character here", at: start..<offset, in: bytes)
    }

    private func byte(at index: Int) -> UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    private func text(from start: Int) -> String {
        String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func skip(while condition: (UInt8) -> Bool) {
        while let byte = byte(at: offset), condition(byte) { offset += 1 }
    }

    private mutating func skipSpace() {
        while let byte = byte(at: offset) {
            if byte == UInt8(ascii: "/"), self.byte(at: offset + 1) == byte {
                skip { $0 != UInt8(ascii: "\n") }
            } else if byte == UInt8(ascii: " ") || 9...13 ~= byte {
                offset += 1
            } else {
                return
            }
        }
    }

    private func endOfCharacter(at index: Int) -> Int {
        var end = index + 1
        while let byte = byte(at: end), byte & 0xC0 == 0x80 { end += 1 }
        return end
    }

    // MARK: - Literals

    /// `12`, `0x1F`, `12u`, `1.5`, `.5`, `1e3`.
    private mutating func number() throws(CELFault) -> CELToken {
        let start = offset
        if bytes[offset] == UInt8(ascii: "0"), byte(at: offset + 1) == UInt8(ascii: "x"),
            byte(at: offset + 2)?.isHexDigit == true
        {
            offset += 2
            skip(while: \.isHexDigit)
            return try whole(String(text(from: start).dropFirst(2)), radix: 16, from: start)
        }
        skip(while: \.isDigit)
        var isWhole = true
        if byte(at: offset) == UInt8(ascii: "."), byte(at: offset + 1)?.isDigit == true {
            isWhole = false
            offset += 1
            skip(while: \.isDigit)
        }
        if let exponent = exponentStart {
            isWhole = false
            offset = exponent
            skip(while: \.isDigit)
        }
        if isWhole { return try whole(text(from: start), radix: 10, from: start) }
        guard let value = Double(text(from: start)), value.isFinite else {
            throw CELFault("the number is too large", at: start..<offset, in: bytes)
        }
        return .double(value)
    }

    /// Where the digits of an exponent begin; `nil` when none comes.
    private var exponentStart: Int? {
        guard byte(at: offset).map({ $0 | 0x20 }) == UInt8(ascii: "e") else { return nil }
        let hasSign = byte(at: offset + 1) == UInt8(ascii: "+") || byte(at: offset + 1) == UInt8(ascii: "-")
        let digits = offset + (hasSign ? 2 : 1)
        return byte(at: digits)?.isDigit == true ? digits : nil
    }

    private mutating func whole(_ digits: String, radix: Int, from start: Int) throws(CELFault) -> CELToken {
        let isUnsigned = byte(at: offset).map { $0 | 0x20 } == UInt8(ascii: "u")
        if isUnsigned { offset += 1 }
        guard let value = UInt64(digits, radix: radix) else {
            throw CELFault("the number is too large", at: start..<offset, in: bytes)
        }
        return isUnsigned ? .uint(value) : .int(value)
    }

    /// A string in single or double quotes, on one line.
    private mutating func string(endingWith quote: UInt8) throws(CELFault) -> CELToken {
        let start = offset
        var content: [UInt8] = []
        offset += 1
        while let byte = byte(at: offset), byte != UInt8(ascii: "\n") {
            offset += 1
            if byte == quote { return .string(String(decoding: content, as: UTF8.self)) }
            guard byte == UInt8(ascii: "\\") else {
                content.append(byte)
                continue
            }
            guard let escaped = self.byte(at: offset), let meaning = Self.escapes[escaped] else {
                let end = offset < bytes.count ? endOfCharacter(at: offset) : offset
                throw CELFault("the escape sequence is not known here", at: offset - 1..<end, in: bytes)
            }
            content.append(meaning)
            offset += 1
        }
        throw CELFault("the string has no end", at: start..<offset, in: bytes)
    }

    private static let escapes: [UInt8: UInt8] = Dictionary(
        uniqueKeysWithValues: zip("\\'\"`?abfnrtv".utf8, [92, 39, 34, 96, 63, 7, 8, 12, 10, 13, 9, 11])
    )
}

extension UInt8 {
    fileprivate var isDigit: Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= self }
    fileprivate var isHexDigit: Bool { isDigit || UInt8(ascii: "a")...UInt8(ascii: "f") ~= self | 0x20 }
    fileprivate var isNameStart: Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= self | 0x20 || self == UInt8(ascii: "_")
    }
    fileprivate var isNamePart: Bool { isNameStart || isDigit }
}
