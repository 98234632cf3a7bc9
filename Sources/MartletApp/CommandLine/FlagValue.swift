import GatewayCore

/// The text that a flag was given, and the readers of the kinds of value. Their errors name the flag and the text.
struct FlagValue: Sendable {
    /// The flag's name without dashes.
    let flag: String
    /// The value as it was written.
    let text: String
    /// Whether the flag was not given before.
    let isFirst: Bool

    /// Every duration that can be written.
    static let anyDuration = Duration.nanoseconds(Int64.min) ... .nanoseconds(Int64.max)

    /// The truth values of Go's `strconv.ParseBool`.
    func boolean() throws(CommandError) -> Bool {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw error("is neither true nor false")
        }
    }

    /// A whole number.
    func integer(in range: ClosedRange<Int>) throws(CommandError) -> Int {
        guard let number = Int(text) else { throw error("is not a whole number") }
        guard range.contains(number) else { throw error("is not from \(range.lowerBound) to \(range.upperBound)") }
        return number
    }

    /// A duration in Go's form.
    func duration(in range: ClosedRange<Duration>) throws(CommandError) -> Duration {
        guard let duration = GoDuration.parse(text) else { throw error("is not a duration such as 50ms or 1m30s") }
        guard duration >= range.lowerBound else { throw error("is below \(Self.format(range.lowerBound))") }
        guard duration <= range.upperBound else { throw error("is above \(Self.format(range.upperBound))") }
        return duration
    }

    /// An amount of bytes in the form of Kubernetes, with a `B` behind it or without: `10MiB`, `25MB`, `4194304`.
    func bytes() throws(CommandError) -> Int {
        var amount = text
        if amount.hasSuffix("B") || amount.hasSuffix("b") { amount.removeLast() }
        guard let bytes = Quantity.parse(amount) else { throw error("is not an amount of bytes such as 4Mi or 10MiB") }
        guard bytes > 0 else { throw error("is not above 0") }
        return Int(bytes)
    }

    /// Texts between commas, without blanks around them and without empty ones.
    var list: [String] {
        text.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
    }

    /// `--flag 'text' reason.`
    func error(_ reason: String) -> CommandError {
        CommandError("--\(flag) '\(text)' \(reason).")
    }

    /// A duration without the zeros that Go prints behind it: `30s`, `1m`, `1h30m`.
    static func format(_ duration: Duration) -> String {
        var text = GoDuration.format(duration)
        if text.hasSuffix("m0s") { text.removeLast(2) }
        if text.hasSuffix("h0m") { text.removeLast(2) }
        return text
    }

    /// Bytes in the largest binary unit that leaves a whole number: `4Mi`.
    static func formatBytes(_ bytes: Int) -> String {
        for (unit, power) in [("Gi", 30), ("Mi", 20), ("Ki", 10)] where bytes > 0 && bytes % (1 << power) == 0 {
            return "\(bytes >> power)\(unit)"
        }
        return "\(bytes)"
    }
}
