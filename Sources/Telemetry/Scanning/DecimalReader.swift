/// Reads the numbers of metric pages: what strconv.ParseFloat of Go reads, less hexadecimal floats and underscores.
enum DecimalReader {
    private enum Limit {
        /// Integers up to here are exact in a Double.
        static let mantissa: UInt64 = 1 << 53
        /// Another digit fits below this value.
        static let beforeDigit: UInt64 = (.max - 9) / 10
        /// Exponents beyond this are zero or infinity whatever the digits of a line.
        static let exponent = 1_000_000
    }

    /// The powers of ten that are exact in a Double.
    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    /// The value of the text in `range`, or nil if it is not one number and nothing else. Too large a number is
    /// infinite.
    static func double(_ bytes: RawSpan, _ range: Range<Int>) -> Double? {
        var offset = range.lowerBound
        let end = range.upperBound
        if offset == end { return nil }
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative || bytes[offset] == UInt8(ascii: "+") { offset += 1 }
        guard offset < end else { return nil }
        guard bytes[offset].isDigit || bytes[offset] == UInt8(ascii: ".") else {
            return special(bytes, offset..<end).map { isNegative ? -$0 : $0 }
        }
        var mantissa: UInt64 = 0
        var exponent = 0
        var isExact = true
        var digitCount = 0
        var hasPoint = false
        while offset < end {
            let byte = bytes[offset]
            if byte.isDigit {
                digitCount += 1
                if mantissa < Limit.beforeDigit {
                    mantissa = mantissa * 10 + UInt64(byte - 0x30)
                } else {
                    isExact = false
                }
                if hasPoint { exponent -= 1 }
            } else if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
            } else {
                break
            }
            offset += 1
        }
        guard digitCount > 0 else { return nil }
        if offset < end {
            guard bytes[offset] | 0x20 == UInt8(ascii: "e") else { return nil }
            guard let written = exponentPart(bytes, offset + 1..<end) else { return nil }
            exponent += written
        }
        // Both operands are exact, so the one rounding of the operation gives the nearest Double (Clinger's fast path).
        if isExact, mantissa <= Limit.mantissa, abs(exponent) < powers.count {
            let digits = Double(mantissa)
            let value = exponent < 0 ? digits / powers[-exponent] : digits * powers[exponent]
            return isNegative ? -value : value
        }
        return Double(bytes.text(range))
    }

    /// The whole number in `range`, or nil if it is not one or does not fit.
    static func integer(_ bytes: RawSpan, _ range: Range<Int>) -> Int64? {
        var offset = range.lowerBound
        guard offset < range.upperBound else { return nil }
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative || bytes[offset] == UInt8(ascii: "+") { offset += 1 }
        guard offset < range.upperBound else { return nil }
        var value: Int64 = 0
        while offset < range.upperBound {
            guard bytes[offset].isDigit else { return nil }
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (difference, underflowed) = product.subtractingReportingOverflow(Int64(bytes[offset] - 0x30))
            if overflowed || underflowed { return nil }
            value = difference
            offset += 1
        }
        // Counting downwards reaches the smallest number, whose magnitude does not fit.
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    private static func exponentPart(_ bytes: RawSpan, _ range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        guard offset < range.upperBound else { return nil }
        let isNegative = bytes[offset] == UInt8(ascii: "-")
        if isNegative || bytes[offset] == UInt8(ascii: "+") { offset += 1 }
        guard offset < range.upperBound else { return nil }
        var value = 0
        while offset < range.upperBound {
            guard bytes[offset].isDigit else { return nil }
            value = min(value * 10 + Int(bytes[offset] - 0x30), Limit.exponent)
            offset += 1
        }
        return isNegative ? -value : value
    }

    private static func special(_ bytes: RawSpan, _ range: Range<Int>) -> Double? {
        guard range.count <= "infinity".utf8.count else { return nil }
        switch bytes.text(range).lowercased() {
        case "nan": return .nan
        case "inf", "infinity": return .infinity
        default: return nil
        }
    }
}

extension UInt8 {
    @inline(__always)
    fileprivate var isDigit: Bool { self &- 0x30 < 10 }
}
