/// Durations as Kubernetes objects and Go programs write them: `50ms`, `1m30s`, `1.5h`.
public enum GoDuration {
    /// The duration that `text` says; `nil` when it is not one or does not fit 64 bits of nanoseconds (about 292
    /// years).
    ///
    /// The syntax of Go's `time.ParseDuration`: an optional sign, then one or more decimal numbers each with a unit of
    /// `ns`, `us` (or `µs`), `ms`, `s`, `m`, `h`. `0` needs no unit. Digits below a nanosecond are dropped.
    public static func parse(_ text: String) -> Duration? {
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        if rest.elementsEqual([UInt8(ascii: "0")]) { return .zero }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            guard let part = parsePart(&rest) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        }
        return .nanoseconds(isNegative ? -total : total)
    }

    /// The duration that `text` says in the subset that the Gateway API allows (GEP-2257): one to four groups of a
    /// whole number of up to five digits and a unit of `h`, `m`, `s` or `ms`. Anything else is `nil`.
    public static func parseGatewayAPI(_ text: String) -> Duration? {
        var groups = 0
        var digits = 0
        var unit: [UInt8] = []
        let units: Set<[UInt8]> = [Array("h".utf8), Array("m".utf8), Array("s".utf8), Array("ms".utf8)]
        for byte in text.utf8 {
            if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                if !unit.isEmpty {
                    guard units.contains(unit) else { return nil }
                    unit = []
                    digits = 0
                }
                digits += 1
                guard digits <= 5 else { return nil }
            } else {
                guard digits > 0 else { return nil }
                if unit.isEmpty { groups += 1 }
                unit.append(byte)
                guard unit.count <= 2 else { return nil }
            }
        }
        guard units.contains(unit), groups <= 4 else { return nil }
        return parse(text)
    }

    /// `duration` as Go prints it: `0s`, `50ms`, `1.5s`, `1m30s`, `1h0m0s`. ``parse(_:)`` reads it back unchanged, for
    /// durations of whole nanoseconds within 64 bits.
    public static func format(_ duration: Duration) -> String {
        let nanoseconds = duration.wholeNanoseconds
        guard nanoseconds != 0 else { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let magnitude = nanoseconds.magnitude
        switch magnitude {
        case ..<1_000: return sign + "\(magnitude)ns"
        case ..<1_000_000: return sign + decimal(magnitude, unit: 1_000) + "µs"
        case ..<1_000_000_000: return sign + decimal(magnitude, unit: 1_000_000) + "ms"
        default: break
        }
        let minutes = magnitude / 60_000_000_000
        let seconds = decimal(magnitude % 60_000_000_000, unit: 1_000_000_000) + "s"
        if minutes == 0 { return sign + seconds }
        if minutes < 60 { return sign + "\(minutes)m" + seconds }
        return sign + "\(minutes / 60)h\(minutes % 60)m" + seconds
    }

    /// Takes one number with its unit from the front of `rest`; returns its nanoseconds.
    private static func parsePart(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        var whole: Int64 = 0
        var fraction: Int64 = 0
        var fractionScale: Int64 = 1
        var digits = 0
        while let digit = rest.first.flatMap(decimalDigit) {
            rest.removeFirst()
            digits += 1
            let (scaled, overflow) = whole.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = scaled.addingReportingOverflow(digit)
            guard !overflow, !sumOverflow else { return nil }
            whole = sum
        }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            while let digit = rest.first.flatMap(decimalDigit) {
                rest.removeFirst()
                digits += 1
                // Fifteen places are more than an hour has nanoseconds; the digits after them change nothing.
                guard fractionScale < 1_000_000_000_000_000 else { continue }
                fraction = fraction * 10 + digit
                fractionScale *= 10
            }
        }
        guard digits > 0, let unit = parseUnit(&rest) else { return nil }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit)
        let below = fractionScale.dividingFullWidth(fraction.multipliedFullWidth(by: unit)).quotient
        let (sum, sumOverflow) = scaled.addingReportingOverflow(below)
        return overflow || sumOverflow ? nil : sum
    }

    /// Takes a unit from the front of `rest`: everything up to the next digit or point. Returns its nanoseconds.
    private static func parseUnit(_ rest: inout ArraySlice<UInt8>) -> Int64? {
        let unit = rest.prefix { decimalDigit($0) == nil && $0 != UInt8(ascii: ".") }
        rest.removeFirst(unit.count)
        return switch String(decoding: unit, as: UTF8.self) {
        case "ns": 1
        case "us", "µs", "μs": 1_000
        case "ms": 1_000_000
        case "s": 1_000_000_000
        case "m": 60_000_000_000
        case "h": 3_600_000_000_000
        default: nil
        }
    }

    private static func decimalDigit(_ byte: UInt8) -> Int64? {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") ? Int64(byte - UInt8(ascii: "0")) : nil
    }

    /// `value / unit` in decimal notation without trailing zeros; `unit` is a power of ten.
    private static func decimal(_ value: UInt64, unit: UInt64) -> String {
        guard value % unit != 0 else { return "\(value / unit)" }
        var fraction = String(value % unit + unit).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(value / unit).\(fraction)"
    }
}
