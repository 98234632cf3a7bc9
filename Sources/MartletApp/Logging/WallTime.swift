#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A time of day in UTC, as log lines have it. It jumps with the machine's clock: only for people to read.
struct WallTime: Hashable, Sendable {
    /// Microseconds since 1970, before it below 0.
    let microseconds: Int64

    /// Makes a time from microseconds since 1970.
    init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The present time.
    static var now: WallTime {
        var time = timespec()
        guard clock_gettime(CLOCK_REALTIME, &time) == 0 else { return WallTime(microseconds: 0) }
        return WallTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    /// Adds `2026-11-27T02:00:00.123Z` (RFC 3339).
    func appendText(to bytes: inout [UInt8]) {
        let (days, inDay) = Self.divide(microseconds, by: 86_400_000_000)
        let (year, month, day) = Self.date(ofDay: days)
        let milliseconds = inDay / 1_000
        Self.append(year, digits: 4, to: &bytes)
        for (mark, value) in [("-", month), ("-", day)] as [(Unicode.Scalar, Int64)] {
            bytes.append(UInt8(ascii: mark))
            Self.append(value, digits: 2, to: &bytes)
        }
        let parts: [(Unicode.Scalar, Int64)] = [
            ("T", milliseconds / 3_600_000), (":", milliseconds / 60_000 % 60), (":", milliseconds / 1_000 % 60),
        ]
        for (mark, value) in parts {
            bytes.append(UInt8(ascii: mark))
            Self.append(value, digits: 2, to: &bytes)
        }
        bytes.append(UInt8(ascii: "."))
        Self.append(milliseconds % 1_000, digits: 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// Adds the seconds since 1970 with six decimals, as a JSON number.
    func appendSeconds(to bytes: inout [UInt8]) {
        if microseconds < 0 { bytes.append(UInt8(ascii: "-")) }
        let magnitude = Int64(clamping: microseconds.magnitude)
        bytes += String(magnitude / 1_000_000).utf8
        bytes.append(UInt8(ascii: "."))
        Self.append(magnitude % 1_000_000, digits: 6, to: &bytes)
    }

    private static func append(_ value: Int64, digits: Int, to bytes: inout [UInt8]) {
        var power: Int64 = 1
        for _ in 1..<digits { power *= 10 }
        while power > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(value / power % 10))
            power /= 10
        }
    }

    /// Quotient and remainder, which is never negative.
    private static func divide(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    /// The Gregorian date of a day since 1970. Years are counted from March, so that the leap day is their last, and in
    /// eras of 400 years, which all have as many days.
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = divide(day + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1
        )
    }
}
