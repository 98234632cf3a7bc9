// Every reader comes in two or three forms: with a default, optional, and required. A required value that is missing or
// wrong reads as the stand-in that its documentation names; `finish()` throws before anybody can use it.
extension ParameterDecoder {
    // MARK: - Text

    /// The text at `key`; `nil` when it is absent.
    public func string(_ key: String) -> String? {
        recorder?.note(key, .text)
        guard let value = value(key) else { return nil }
        return text(value, key: key)
    }

    /// The text at `key`; `fallback` when it is absent.
    public func string(_ key: String, default fallback: String) -> String {
        recorder?.note(key, .text) { $0.setFallback(.string(fallback)) }
        return string(key) ?? fallback
    }

    /// The text at `key`, which must not be missing or empty. Stand-in: `""`.
    public func requiredString(_ key: String) -> String {
        recorder?.note(key, .text)
        guard let value = value(key) else {
            reportMissing(key)
            return ""
        }
        let text = text(value, key: key)
        if text?.isEmpty == true { report("must not be empty", at: key, value: value) }
        return text ?? ""
    }

    /// The texts in the list at `key`; empty when it is absent.
    public func strings(_ key: String) -> [String] {
        recorder?.note(key, .list(.text))
        return array(key).enumerated().compactMap { index, element in text(element, key: key, index: index) }
    }

    /// The texts of the object at `key`, such as labels; empty when it is absent.
    public func stringMap(_ key: String) -> [String: String] {
        recorder?.note(key, .textMap)
        guard let value = value(key) else { return [:] }
        guard case .object(let members) = value.content else {
            reportMismatch(value, expected: "an object", key: key)
            return [:]
        }
        var result: [String: String] = [:]
        for member in members {
            if case .string(let text) = member.value.content {
                result[member.key] = text
            } else {
                reportMismatch(member.value, expected: "text (in quotes)", key: key, member: member.key)
            }
        }
        return result
    }

    /// The member of `Choice` whose raw value stands at `key`; `nil` when it is absent.
    public func enumeration<Choice>(_ key: String, of type: Choice.Type) -> Choice?
    where Choice: RawRepresentable<String> & CaseIterable {
        recorder?.note(key, .choice(Choice.allCases.map(\.rawValue)))
        guard let value = value(key), let text = text(value, key: key) else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue)
        report(
            "\(ConfigurationProblem.quoted(text)) is not one of \(names.joined(separator: ", "))",
            at: key, value: value, candidates: names, name: text
        )
        return nil
    }

    /// The member of `Choice` whose raw value stands at `key`; `fallback` when it is absent.
    public func enumeration<Choice>(_ key: String, default fallback: Choice, of type: Choice.Type = Choice.self)
        -> Choice
    where Choice: RawRepresentable<String> & CaseIterable {
        recorder?.note(key, .choice(Choice.allCases.map(\.rawValue))) { $0.setFallback(.string(fallback.rawValue)) }
        return enumeration(key, of: type) ?? fallback
    }

    // MARK: - Numbers and truth

    /// `true` or `false` at `key`; `nil` when it is absent.
    public func bool(_ key: String) -> Bool? {
        recorder?.note(key, .boolean)
        guard let value = value(key) else { return nil }
        guard case .bool(let flag) = value.content else {
            reportMismatch(value, expected: "true or false", key: key)
            return nil
        }
        return flag
    }

    /// `true` or `false` at `key`; `fallback` when it is absent.
    public func bool(_ key: String, default fallback: Bool) -> Bool {
        recorder?.note(key, .boolean) { $0.setFallback(.bool(fallback)) }
        return bool(key) ?? fallback
    }

    /// The whole number at `key`; `nil` when it is absent.
    public func int(_ key: String, in range: ClosedRange<Int> = .min ... .max) -> Int? {
        recorder?.note(key, .integer) { $0.setRange(range) }
        guard let value = value(key) else { return nil }
        return integer(value, in: range, key: key)
    }

    /// The whole number at `key`; `fallback` when it is absent.
    public func int(_ key: String, default fallback: Int, in range: ClosedRange<Int> = .min ... .max) -> Int {
        recorder?.note(key, .integer) { $0.setFallback(.int(Int64(clamping: fallback))) }
        return int(key, in: range) ?? fallback
    }

    /// The whole number at `key`, which must not be missing. Stand-in: the range's lower bound.
    public func requiredInt(_ key: String, in range: ClosedRange<Int> = .min ... .max) -> Int {
        recorder?.note(key, .integer) { $0.setRange(range) }
        guard let value = value(key) else {
            reportMissing(key)
            return range.lowerBound
        }
        return integer(value, in: range, key: key) ?? range.lowerBound
    }

    /// The whole numbers in the list at `key`; empty when it is absent.
    public func ints(_ key: String, in range: ClosedRange<Int> = .min ... .max) -> [Int] {
        recorder?.note(key, .list(.integer)) { $0.setRange(range) }
        return array(key).enumerated().compactMap { index, element in
            integer(element, in: range, key: key, index: index)
        }
    }

    /// The finite number at `key`; `nil` when it is absent.
    public func double(_ key: String, in range: ClosedRange<Double>? = nil) -> Double? {
        recorder?.note(key, .number) { $0.setRange(range) }
        guard let value = value(key) else { return nil }
        return number(value, in: range, key: key)
    }

    /// The finite number at `key`; `fallback` when it is absent.
    public func double(_ key: String, default fallback: Double, in range: ClosedRange<Double>? = nil) -> Double {
        recorder?.note(key, .number) { $0.setFallback(.double(fallback)) }
        return double(key, in: range) ?? fallback
    }

    /// The finite numbers in the list at `key`; empty when it is absent.
    public func doubles(_ key: String, in range: ClosedRange<Double>? = nil) -> [Double] {
        recorder?.note(key, .list(.number)) { $0.setRange(range) }
        return array(key).enumerated().compactMap { index, element in number(element, in: range, key: key, index: index)
        }
    }

    // MARK: - Durations and amounts

    /// How a bare whole number in place of a duration is read.
    public enum BareDuration: Sendable {
        /// It is refused: the number does not say its unit.
        case refused
        /// It counts nanoseconds, as in Go structures that hold a `time.Duration`.
        case nanoseconds
    }

    /// The duration at `key`, such as `50ms` or `1m30s` (``GoDuration``); `nil` when it is absent.
    public func duration(
        _ key: String,
        in range: ClosedRange<Duration>? = nil,
        bareNumbers: BareDuration = .refused
    ) -> Duration? {
        recorder?.note(key, .duration) { $0.setRange(range) }
        guard let value = value(key) else { return nil }
        let duration: Duration? =
            switch value.content {
            case .string(let text): GoDuration.parse(text)
            case .int(let count) where bareNumbers == .nanoseconds: .nanoseconds(count)
            // Zero is zero in every unit, and Go's text form allows it bare too.
            case .int(0): .zero
            default: nil
            }
        guard let duration else {
            reportMismatch(value, expected: "a duration such as \"50ms\" or \"1m30s\"", key: key)
            return nil
        }
        if let range, !range.contains(duration) {
            let bounds = "\(GoDuration.format(range.lowerBound)) to \(GoDuration.format(range.upperBound))"
            report("\(value) is not in \(bounds)", at: key, value: value)
            return nil
        }
        return duration
    }

    /// The duration at `key`, such as `50ms` or `1m30s` (``GoDuration``); `fallback` when it is absent.
    public func duration(
        _ key: String,
        default fallback: Duration,
        in range: ClosedRange<Duration>? = nil,
        bareNumbers: BareDuration = .refused
    ) -> Duration {
        recorder?.note(key, .duration) { $0.setFallback(.string(GoDuration.format(fallback))) }
        return duration(key, in: range, bareNumbers: bareNumbers) ?? fallback
    }

    /// The amount at `key`, a whole number or text such as `1Gi` (``Quantity``); `nil` when it is absent.
    public func quantity(_ key: String, in range: ClosedRange<Int64> = 0 ... .max) -> Int64? {
        recorder?.note(key, .amount) { $0.setRange(range) }
        guard let value = value(key) else { return nil }
        let amount: Int64? =
            switch value.content {
            case .string(let text): Quantity.parse(text)
            case .int(let count): count
            // `2e3` without quotes is a number to YAML; a fraction is rounded as in text.
            case .double(let number): Int64(exactly: number.rounded(.awayFromZero))
            default: nil
            }
        guard let amount else {
            reportMismatch(value, expected: "an amount such as 100, \"1k\" or \"1Gi\"", key: key)
            return nil
        }
        guard range.contains(amount) else {
            report("\(value) is not \(Self.bounds(range))", at: key, value: value)
            return nil
        }
        return amount
    }

    /// The amount at `key`, a whole number or text such as `1Gi` (``Quantity``); `fallback` when it is absent.
    public func quantity(_ key: String, default fallback: Int64, in range: ClosedRange<Int64> = 0 ... .max) -> Int64 {
        recorder?.note(key, .amount) { $0.setFallback(.int(fallback)) }
        return quantity(key, in: range) ?? fallback
    }

    // MARK: - One value

    private func text(_ value: ConfigurationValue, key: String, index: Int? = nil) -> String? {
        guard case .string(let text) = value.content else {
            let isScalar =
                switch value.content {
                case .int, .double, .bool: true
                default: false
                }
            reportMismatch(value, expected: isScalar ? "text (in quotes)" : "text", key: key, index: index)
            return nil
        }
        return text
    }

    private func integer(_ value: ConfigurationValue, in range: ClosedRange<Int>, key: String, index: Int? = nil)
        -> Int?
    {
        guard case .int(let wide) = value.content, let number = Int(exactly: wide) else {
            reportMismatch(value, expected: "a whole number", key: key, index: index)
            return nil
        }
        guard range.contains(number) else {
            reportRange("\(number) is not \(Self.bounds(range))", value, key: key, index: index)
            return nil
        }
        return number
    }

    private func number(
        _ value: ConfigurationValue,
        in range: ClosedRange<Double>?,
        key: String,
        index: Int? = nil
    ) -> Double? {
        let number: Double? =
            switch value.content {
            case .int(let whole): Double(whole)
            case .double(let number) where number.isFinite: number
            default: nil
            }
        guard let number else {
            reportMismatch(value, expected: "a number", key: key, index: index)
            return nil
        }
        if let range, !range.contains(number) {
            let message =
                range.lowerBound == .leastNonzeroMagnitude
                ? "\(number) is not above 0\(Self.atMost(range.upperBound))"
                : "\(value) is not in \(range.lowerBound) to \(range.upperBound)"
            reportRange(message, value, key: key, index: index)
            return nil
        }
        return number
    }

    private func reportRange(_ message: String, _ value: ConfigurationValue, key: String, index: Int?) {
        if let index {
            report(message, at: key, index: index, value: value)
        } else {
            report(message, at: key, value: value)
        }
    }

    /// The upper end of a range behind `above 0`.
    private static func atMost(_ limit: Double) -> String {
        limit == .greatestFiniteMagnitude ? "" : " and at most \(limit)"
    }

    /// A range as a message says it: ends that are the type's own are left out.
    private static func bounds<Bound: FixedWidthInteger>(_ range: ClosedRange<Bound>) -> String {
        if range.upperBound == .max { return "at least \(range.lowerBound)" }
        if range.lowerBound == .min { return "at most \(range.upperBound)" }
        return "in \(range.lowerBound) to \(range.upperBound)"
    }
}
