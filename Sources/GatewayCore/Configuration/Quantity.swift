/// Amounts as Kubernetes objects write them: `100`, `1k`, `500M`, `1Gi`, `1.5Gi`, `2e3`.
///
/// The syntax is that of `k8s.io/apimachinery/pkg/api/resource.Quantity`: a signed decimal number with one of the
/// binary suffixes `Ki Mi Gi Ti Pi Ei`, the decimal suffixes `n u m k M G T P E`, or a decimal exponent.
public enum Quantity {
    /// The whole number that `text` says; a fraction is rounded away from zero, as Kubernetes does. `nil` when the text
    /// is not a quantity or the number does not fit 64 bits.
    public static func parse(_ text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        guard let number = parseNumber(&rest), let scale = parseSuffix(rest) else { return nil }
        var magnitude = number.digits
        var exponent = scale.decimal - number.places
        guard let shifted = multiply(magnitude, by: scale.binary) else { return nil }
        magnitude = shifted
        while exponent > 0, magnitude > 0 {
            guard let scaled = multiply(magnitude, by: 10) else { return nil }
            magnitude = scaled
            exponent -= 1
        }
        var hasRemainder = false
        while exponent < 0, magnitude > 0 {
            let (quotient, remainder) = magnitude.quotientAndRemainder(dividingBy: 10)
            hasRemainder = hasRemainder || remainder != 0
            magnitude = quotient
            exponent += 1
        }
        if hasRemainder { magnitude += 1 }
        guard magnitude <= UInt128(Int64.max) else { return nil }
        return isNegative ? -Int64(magnitude) : Int64(magnitude)
    }

    /// Takes a decimal number from the front of `rest`: its digits without the point, and how many stood after it.
    private static func parseNumber(_ rest: inout ArraySlice<UInt8>) -> (digits: UInt128, places: Int)? {
        var value: UInt128 = 0
        var places = 0
        var count = 0
        var isFraction = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
                guard let scaled = multiply(value, by: 10) else { return nil }
                value = scaled + UInt128(byte - UInt8(ascii: "0"))
                count += 1
                if isFraction { places += 1 }
            } else {
                break
            }
            rest.removeFirst()
        }
        return count > 0 ? (value, places) : nil
    }

    /// What a suffix multiplies by: a power of two and a power of ten.
    private static func parseSuffix(_ suffix: ArraySlice<UInt8>) -> (binary: UInt128, decimal: Int)? {
        switch String(decoding: suffix, as: UTF8.self) {
        case "": return (1, 0)
        case "n": return (1, -9)
        case "u": return (1, -6)
        case "m": return (1, -3)
        case "k": return (1, 3)
        case "M": return (1, 6)
        case "G": return (1, 9)
        case "T": return (1, 12)
        case "P": return (1, 15)
        case "E": return (1, 18)
        case "Ki": return (1 << 10, 0)
        case "Mi": return (1 << 20, 0)
        case "Gi": return (1 << 30, 0)
        case "Ti": return (1 << 40, 0)
        case "Pi": return (1 << 50, 0)
        case "Ei": return (1 << 60, 0)
        default: return parseExponent(suffix)
        }
    }

    /// `e3`, `E-2`. The magnitude is bounded: no number of 128 bits has more than 39 digits.
    private static func parseExponent(_ suffix: ArraySlice<UInt8>) -> (binary: UInt128, decimal: Int)? {
        guard suffix.first == UInt8(ascii: "e") || suffix.first == UInt8(ascii: "E"),
            let exponent = Int(String(decoding: suffix.dropFirst(), as: UTF8.self)),
            (-1_000...1_000).contains(exponent)
        else { return nil }
        return (1, exponent)
    }

    /// `value * factor`, `nil` above 2^120, which leaves room for a digit to be added.
    private static func multiply(_ value: UInt128, by factor: UInt128) -> UInt128? {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return overflow || product > 1 << 120 ? nil : product
    }
}
