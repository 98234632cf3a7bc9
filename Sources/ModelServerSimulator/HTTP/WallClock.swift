#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The date, as answers show it.
final class WallClock {
    private var cached: (second: Int, text: String)?

    /// Seconds since 1970 with their fraction.
    var unixTime: Double {
        Date().timeIntervalSince1970
    }

    /// The date in the form HTTP wants (RFC 9110 section 5.6.7), made once a second.
    func httpDate() -> String {
        let second = Int(unixTime)
        if let cached, cached.second == second {
            return cached.text
        }
        let text = Self.httpDate(unixSeconds: second)
        cached = (second, text)
        return text
    }

    static func httpDate(unixSeconds: Int) -> String {
        let days = unixSeconds / 86_400
        let second = unixSeconds % 86_400
        // Days to a date of the Gregorian calendar, with years that begin in March so that the leap day comes last
        // (Howard Hinnant, "chrono-compatible low-level date algorithms").
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        func twoDigits(_ value: Int) -> String {
            value < 10 ? "0\(value)" : "\(value)"
        }
        let time = [second / 3_600, second / 60 % 60, second % 60].map(twoDigits).joined(separator: ":")
        let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days % 7]
        return "\(weekday), \(twoDigits(day)) \(names[month - 1]) \(year) \(time) GMT"
    }
}
