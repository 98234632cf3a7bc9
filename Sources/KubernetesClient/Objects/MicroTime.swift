import FoundationEssentials

/// A time of day as the API writes it where it needs fractions: RFC 3339 in UTC with six digits
/// (`2026-01-02T03:04:05.000006Z`).
package struct MicroTime: Hashable, Comparable, Sendable {
    /// Microseconds since 1970.
    package let microseconds: Int64

    /// Makes the time that is so many microseconds after 1970.
    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The time by this machine's clock, which may be wrong.
    package static var now: MicroTime {
        MicroTime(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }

    package static func < (left: MicroTime, right: MicroTime) -> Bool { left.microseconds < right.microseconds }

    /// The text.
    package var text: String {
        let (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        let whole = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
        let digits = String(1_000_000 + fraction).dropFirst()
        return "\(whole.dropLast()).\(digits)Z"
    }
}
