/// Values of JSON scalars that a ``JSONScanner`` has passed, so whose grammar is known to be valid.
extension JSONValue {
    /// The bytes between the quotes of a string, or all bytes of any other value.
    package var contentRange: Range<Int> {
        kind == .string ? range.lowerBound + 1..<range.upperBound - 1 : range
    }

    /// The text of a string with its escapes resolved; `nil` for any other type and for a string that escapes half a
    /// surrogate pair, which no Swift string can hold.
    package func string(in bytes: RawSpan) -> String? {
        guard kind == .string else { return nil }
        guard hasEscapes else {
            return bytes.extracting(contentRange).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
        return JSONText.unescaped(contentRange, in: bytes).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether this string, with its escapes resolved, is `text`, which is ASCII.
    @inline(__always)
    package func equals(_ text: StaticString, in bytes: RawSpan) -> Bool {
        // Most comparisons end at the length, and it is told without a call.
        guard hasEscapes || range.upperBound &- range.lowerBound &- 2 == text.utf8CodeUnitCount else { return false }
        return hasSameText(as: text, in: bytes)
    }

    private func hasSameText(as text: StaticString, in bytes: RawSpan) -> Bool {
        guard kind == .string else { return false }
        guard hasEscapes else { return bytes.matches(text, at: range.lowerBound &+ 1) }
        guard let unescaped = JSONText.unescaped(contentRange, in: bytes) else { return false }
        return unescaped.count == text.utf8CodeUnitCount && unescaped.span.bytes.matches(text, at: 0)
    }

    /// Whether this value is `true`.
    package func isTrue(in bytes: RawSpan) -> Bool {
        kind == .boolean && bytes.byte(at: range.lowerBound) == UInt8(ascii: "t")
    }

    /// The value of a number that is integral and not negative, in any notation (`10`, `1e1` and `10.0` are the same);
    /// `nil` for any other number, one above `Int.max`, and any other type.
    package func nonNegativeInteger(in bytes: RawSpan) -> Int? {
        kind == .number ? JSONText.nonNegativeInteger(range, in: bytes) : nil
    }
}

/// The spelling of numbers and escapes.
enum JSONText {
    /// The value of the four hexadecimal digits at `offset`; `nil` when they are not.
    static func codeUnit(in bytes: RawSpan, at offset: Int) -> UInt16? {
        guard offset >= 0, bytes.byteCount &- offset >= 4 else { return nil }
        var unit: UInt16 = 0
        for index in 0..<4 {
            guard let digit = hexadecimalDigit(bytes.byte(at: offset &+ index)) else { return nil }
            unit = unit &<< 4 | UInt16(digit)
        }
        return unit
    }

    /// The value of a hexadecimal digit; `nil` for any other byte.
    @inline(__always)
    static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: nil
        }
    }

    /// The scalar of a surrogate pair.
    static func scalar(lead: UInt16, trail: UInt16) -> Unicode.Scalar? {
        Unicode.Scalar(0x1_0000 + UInt32(lead & 0x3FF) << 10 + UInt32(trail & 0x3FF))
    }

    /// The bytes of a string's content with its escapes resolved; `nil` when half a surrogate pair is escaped.
    static func unescaped(_ content: Range<Int>, in bytes: RawSpan) -> [UInt8]? {
        var text: [UInt8] = []
        text.reserveCapacity(content.count)
        var offset = content.lowerBound
        while offset < content.upperBound {
            let byte = bytes.byte(at: offset)
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                offset &+= 1
                continue
            }
            let escape = bytes.byte(at: offset &+ 1)
            offset &+= 2
            switch escape {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(in: bytes, after: &offset) else { return nil }
                text.append(contentsOf: scalar.utf8)
            default: text.append(escape)
            }
        }
        return text
    }

    /// The scalar of the `\u` escape whose digits start at `offset`, with the second half of a pair; moves behind it.
    private static func scalar(in bytes: RawSpan, after offset: inout Int) -> Unicode.Scalar? {
        guard let first = codeUnit(in: bytes, at: offset) else { return nil }
        offset &+= 4
        guard UTF16.isLeadSurrogate(first) else { return Unicode.Scalar(first) }
        guard bytes.matches("\\u", at: offset), let second = codeUnit(in: bytes, at: offset &+ 2),
            UTF16.isTrailSurrogate(second)
        else { return nil }
        offset &+= 6
        return scalar(lead: first, trail: second)
    }

    /// The value of the number in `range`; see ``JSONValue/nonNegativeInteger(in:)``.
    ///
    /// The number is read as a row of decimal digits and a power of ten, so that no binary fraction rounds it.
    static func nonNegativeInteger(_ range: Range<Int>, in bytes: RawSpan) -> Int? {
        var value = 0
        var exponent = 0
        var trailingZeros = 0
        var isFraction = false
        var offset = range.lowerBound
        let isNegative = bytes.byte(at: offset) == UInt8(ascii: "-")
        if isNegative { offset &+= 1 }
        scan: while offset < range.upperBound {
            let byte = bytes.byte(at: offset)
            offset &+= 1
            switch byte {
            case UInt8(ascii: "."):
                isFraction = true
            case UInt8(ascii: "0"):
                // Zeros are held back, so that those at the end cost no digits: 1.0000000000000000000000 is 1.
                trailingZeros &+= 1
                if isFraction { exponent &-= 1 }
            case UInt8(ascii: "1")...UInt8(ascii: "9"):
                if isFraction { exponent &-= 1 }
                guard let shifted = shifted(value, by: trailingZeros &+ 1) else { return nil }
                let (sum, overflow) = shifted.addingReportingOverflow(Int(byte &- UInt8(ascii: "0")))
                if overflow { return nil }
                value = sum
                trailingZeros = 0
            default:
                exponent &+= signedExponent(offset..<range.upperBound, in: bytes)
                break scan
            }
        }
        if value == 0 { return 0 }
        exponent &+= trailingZeros
        guard !isNegative, exponent >= 0 else { return nil }
        return shifted(value, by: exponent)
    }

    /// `value` times ten to the power of `places`; `nil` on overflow.
    private static func shifted(_ value: Int, by places: Int) -> Int? {
        if value == 0 { return 0 }
        guard places <= 19 else { return nil }
        var result = value
        for _ in 0..<places {
            let (product, overflow) = result.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            result = product
        }
        return result
    }

    /// The exponent whose sign or first digit starts `range`, held within ±2^40, beyond any count of digits in a body.
    private static func signedExponent(_ range: Range<Int>, in bytes: RawSpan) -> Int {
        var magnitude = 0
        for offset in range where bytes.byte(at: offset) &- UInt8(ascii: "0") < 10 {
            magnitude = min(magnitude &* 10 &+ Int(bytes.byte(at: offset) &- UInt8(ascii: "0")), 1 &<< 40)
        }
        return bytes.byte(at: range.lowerBound) == UInt8(ascii: "-") ? -magnitude : magnitude
    }
}
