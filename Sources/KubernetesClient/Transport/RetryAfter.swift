import FoundationEssentials

/// Reads `Retry-After` (RFC 9110 §10.2.3).
enum RetryAfter {
    /// The longest time that is believed.
    static let longest = Duration.seconds(3600)

    /// How long to wait, not less than zero and at most ``longest``; `nil` when the field cannot be read.
    ///
    /// - Parameters:
    ///   - value: seconds, or a date of HTTP.
    ///   - now: the server's time, as its `Date` field has it; a client's clock may be wrong.
    static func delay(_ value: String, now: Date) -> Duration? {
        let text = value.filter { $0 != " " }.isEmpty ? "" : value
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            guard let seconds = Int(text) else { return longest }
            return min(.seconds(seconds), longest)
        }
        guard let date = self.date(text) else { return nil }
        let seconds = date.timeIntervalSince(now)
        return min(max(.seconds(seconds), .zero), longest)
    }

    /// A date of HTTP in the form that must be sent (RFC 9110 §5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func date(_ text: String) -> Date? {
        let parts = text.split { $0 == " " || $0 == ":" || $0 == "," }
        guard parts.count == 8, parts[7] == "GMT", let month = months.firstIndex(of: parts[2]) else { return nil }
        let numbers = [parts[1], parts[3], parts[4], parts[5], parts[6]].compactMap { Int($0) }
        guard numbers.count == 5, (1970...9999).contains(numbers[1]), (1...31).contains(numbers[0]),
            (0..<24).contains(numbers[2]), (0..<60).contains(numbers[3]), (0...60).contains(numbers[4])
        else { return nil }
        let days = daysSince1970(year: numbers[1], month: month + 1, day: numbers[0])
        return Date(timeIntervalSince1970: Double(((days * 24 + numbers[2]) * 60 + numbers[3]) * 60 + numbers[4]))
    }

    private static let months: [Substring] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Days of the Gregorian calendar, with years that begin in March so that leap days stand at their end.
    private static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }
}
