/// Numbers as Prometheus and its client libraries write them.
enum ExpositionNumber {
    /// Appends the shortest text that reads back as `value`. Whole numbers below 2^53 are written without exponent, the
    /// rest as in ``appendCanonical(_:to:)``.
    static func append(_ value: Double, to page: inout [UInt8]) {
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
            append(whole, to: &page)
        } else {
            appendCanonical(value, to: &page)
        }
    }

    /// Appends a whole number.
    static func append(_ value: some FixedWidthInteger, to page: inout [UInt8]) {
        page.append(contentsOf: String(value).utf8)
    }

    /// Appends a bucket bound. The text is part of a series' identity, so it is the one that the Go and Python client
    /// libraries write: shortest digits, an exponent of at least two digits from 1e+06 up and below 1e-04.
    static func appendCanonical(_ value: Double, to page: inout [UInt8]) {
        if value.isNaN { return page.append(contentsOf: "NaN".utf8) }
        if value.isInfinite { return page.append(contentsOf: (value < 0 ? "-Inf" : "+Inf").utf8) }
        if value.sign == .minus { page.append(UInt8(ascii: "-")) }
        let (digits, point) = shortestDigits(of: value.magnitude)
        let exponent = point - 1
        if exponent < -4 || exponent >= 6 {
            appendScientific(digits, exponent, to: &page)
        } else {
            appendPlain(digits, point, to: &page)
        }
    }

    private static func appendScientific(_ digits: [UInt8], _ exponent: Int, to page: inout [UInt8]) {
        page.append(digits[0])
        if digits.count > 1 {
            page.append(UInt8(ascii: "."))
            page.append(contentsOf: digits[1...])
        }
        page.append(UInt8(ascii: "e"))
        page.append(exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        if exponent.magnitude < 10 { page.append(UInt8(ascii: "0")) }
        append(exponent.magnitude, to: &page)
    }

    private static func appendPlain(_ digits: [UInt8], _ point: Int, to page: inout [UInt8]) {
        let zero = UInt8(ascii: "0")
        if point <= 0 {
            page.append(zero)
            page.append(UInt8(ascii: "."))
            page.append(contentsOf: repeatElement(zero, count: -point))
            page.append(contentsOf: digits)
        } else if point >= digits.count {
            page.append(contentsOf: digits)
            page.append(contentsOf: repeatElement(zero, count: point - digits.count))
        } else {
            page.append(contentsOf: digits[..<point])
            page.append(UInt8(ascii: "."))
            page.append(contentsOf: digits[point...])
        }
    }

    /// The shortest decimal digits of a finite value and where the decimal point stands in them: 12.5 gives ("125", 2).
    /// The standard library finds the digits; only their arrangement differs.
    private static func shortestDigits(of magnitude: Double) -> (digits: [UInt8], point: Int) {
        var digits: [UInt8] = []
        var point: Int?
        var exponent = 0
        var text = magnitude.description.utf8[...]
        if let mark = text.firstIndex(of: UInt8(ascii: "e")) {
            exponent = Int(Substring(text[text.index(after: mark)...])) ?? 0
            text = text[..<mark]
        }
        for byte in text {
            if byte == UInt8(ascii: ".") { point = digits.count } else { digits.append(byte) }
        }
        var place = (point ?? digits.count) + exponent
        let leading = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(leading)
        place -= leading
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return digits.isEmpty ? ([UInt8(ascii: "0")], 1) : (digits, place)
    }
}
