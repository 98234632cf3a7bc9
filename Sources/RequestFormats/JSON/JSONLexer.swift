/// The tokens of JSON: each function validates one that starts at `offset` and moves behind it.
enum JSONLexer {
    /// Passes the string whose opening quote stands at `offset`; returns whether it has escapes.
    static func passString(in bytes: RawSpan, from offset: inout Int) throws(FormatError) -> Bool {
        let count = bytes.byteCount
        var hasEscapes = false
        var position = offset &+ 1
        // Most strings of a body are keys and other words, and those end here.
        if let end = bytes.endOfShortString(from: position) {
            offset = end &+ 1
            return false
        }
        while true {
            position = bytes.endOfStringBlocks(from: position, hasEscapes: &hasEscapes)
            position = bytes.endOfPlainText(from: position)
            guard position < count else {
                throw JSONFault.endOfInput(expected: "the end of a string").error(at: position)
            }
            let byte = bytes.byte(at: position)
            if byte == UInt8(ascii: "\"") {
                offset = position &+ 1
                return hasEscapes
            } else if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                position = try endOfEscape(in: bytes, at: position)
            } else if byte < 0x20 {
                throw JSONFault.controlCharacter(byte).error(at: position)
            } else {
                position = try endOfMultibyteText(in: bytes, from: position)
            }
        }
    }

    /// Passes the number that starts at `offset`.
    static func passNumber(in bytes: RawSpan, from offset: inout Int) throws(FormatError) {
        if bytes.byte(at: offset) == UInt8(ascii: "-") { offset &+= 1 }
        if offset < bytes.byteCount, bytes.byte(at: offset) == UInt8(ascii: "0") {
            offset &+= 1
        } else {
            try passDigits(in: bytes, from: &offset)
        }
        if offset < bytes.byteCount, bytes.byte(at: offset) == UInt8(ascii: ".") {
            offset &+= 1
            try passDigits(in: bytes, from: &offset)
        }
        if offset < bytes.byteCount, bytes.byte(at: offset) | 0x20 == UInt8(ascii: "e") {
            offset &+= 1
            if offset < bytes.byteCount {
                let sign = bytes.byte(at: offset)
                if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset &+= 1 }
            }
            try passDigits(in: bytes, from: &offset)
        }
    }

    /// Passes the number at `offset` when it is a plain integer from 0 to `UInt32.max` without leading zeros and
    /// something other than a fraction or an exponent follows; `nil`, without moving, for anything else. Prompts may
    /// hold a hundred thousand token ids, and this is several times faster than to pass a number and then to read it.
    @inline(__always)
    static func passPlainTokenID(in bytes: RawSpan, from offset: inout Int) -> UInt32? {
        var position = offset
        var value: UInt64 = 0
        // Ten digits are the most of a UInt32, so the sum cannot overflow.
        let end = min(bytes.byteCount, position &+ 10)
        while position < end {
            let digit = bytes.byte(at: position) &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value &* 10 &+ UInt64(digit)
            position &+= 1
        }
        let length = position &- offset
        guard length > 0, length == 1 || bytes.byte(at: offset) != UInt8(ascii: "0"), value <= UInt32.max,
            position < bytes.byteCount
        else { return nil }
        let next = bytes.byte(at: position)
        guard next == UInt8(ascii: ",") || next == UInt8(ascii: "]") || next <= 0x20 else { return nil }
        offset = position
        return UInt32(truncatingIfNeeded: value)
    }

    /// Passes `true`, `false` or `null`, whichever starts at `offset`.
    static func passLiteral(in bytes: RawSpan, from offset: inout Int) throws(FormatError) {
        let literal: StaticString
        switch bytes.byte(at: offset) {
        case UInt8(ascii: "t"): literal = "true"
        case UInt8(ascii: "f"): literal = "false"
        default: literal = "null"
        }
        guard bytes.matches(literal, at: offset) else {
            let fault = JSONFault.unexpectedByte(bytes.byte(at: offset), expected: "'true', 'false' or 'null'")
            throw fault.error(at: offset)
        }
        offset &+= literal.utf8CodeUnitCount
    }

    /// Passes one or more digits.
    private static func passDigits(in bytes: RawSpan, from offset: inout Int) throws(FormatError) {
        let start = offset
        while offset < bytes.byteCount, bytes.byte(at: offset) &- UInt8(ascii: "0") < 10 {
            offset &+= 1
        }
        guard offset > start else { throw JSONFault.invalidNumber.error(at: start) }
    }

    /// The offset behind the escape sequence whose backslash stands at `start`.
    private static func endOfEscape(in bytes: RawSpan, at start: Int) throws(FormatError) -> Int {
        guard start &+ 1 < bytes.byteCount else {
            throw JSONFault.endOfInput(expected: "an escape sequence").error(at: start &+ 1)
        }
        switch bytes.byte(at: start &+ 1) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return start &+ 2
        case UInt8(ascii: "u"):
            guard JSONText.codeUnit(in: bytes, at: start &+ 2) != nil else {
                throw JSONFault.invalidEscape.error(at: start)
            }
            return start &+ 6
        default:
            throw JSONFault.invalidEscape.error(at: start)
        }
    }

    /// The offset behind the run of UTF-8 sequences of two or more bytes that starts at `start`. The ranges are those
    /// of table 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing above U+10FFFF.
    private static func endOfMultibyteText(in bytes: RawSpan, from start: Int) throws(FormatError) -> Int {
        var position = start
        while position < bytes.byteCount {
            // Lead byte lowest. Bytes behind the end read as zero, which is no continuation byte.
            let word = bytes.paddedHalfWord(at: position)
            let second = UInt8(truncatingIfNeeded: word &>> 8)
            let isValid: Bool
            if word & 0x00C0_C0F0 == 0x0080_80E0 {
                let lead = UInt8(truncatingIfNeeded: word)
                isValid = (lead != 0xE0 || second >= 0xA0) && (lead != 0xED || second < 0xA0)
                position &+= 3
            } else if word & 0x0000_C0E0 == 0x0000_80C0 {
                isValid = UInt8(truncatingIfNeeded: word) >= 0xC2
                position &+= 2
            } else if word & 0xC0C0_C0F8 == 0x8080_80F0 {
                let lead = UInt8(truncatingIfNeeded: word)
                isValid = lead < 0xF4 && (lead != 0xF0 || second >= 0x90) || lead == 0xF4 && second < 0x90
                position &+= 4
            } else if word & 0x80 == 0 {
                return position
            } else {
                throw JSONFault.invalidUTF8.error(at: position)
            }
            guard isValid else {
                let lead = UInt8(truncatingIfNeeded: word)
                throw JSONFault.invalidUTF8.error(at: position &- (lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4))
            }
        }
        return position
    }
}
