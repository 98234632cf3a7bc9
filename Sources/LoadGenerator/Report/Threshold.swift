import GatewayCore

/// A condition that fails a run, such as `p99_ttft>1s`.
package struct Threshold: Sendable, Hashable, CustomStringConvertible {
    private enum Comparison: String, CaseIterable {
        case atLeast = ">="
        case atMost = "<="
        case above = ">"
        case below = "<"
    }

    private let name: String
    private let comparison: Comparison
    private let limit: Double
    private let text: String

    /// Reads a name, one of `>`, `<`, `>=` and `<=`, and a number or a duration.
    ///
    /// The name is one of the JSON report; `_ms` may be left out, `p50` is `median` and `e2e` is `e2el`. With `ratio:`
    /// in front it is the ratio of two targets.
    ///
    /// - Returns: `nil` for what is none of that, and for a duration where the number is no time.
    package init?(_ text: String) {
        let compact = text.filter { !$0.isWhitespace }
        guard let sign = Comparison.allCases.first(where: { compact.contains($0.rawValue) }) else { return nil }
        let sides = compact.split(separator: sign.rawValue.first ?? ">", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[0].isEmpty else { return nil }
        let value = sides[1].drop { $0 == "=" }
        var name = Self.canonical(String(sides[0]))
        if let number = Double(value) {
            limit = number
        } else if let duration = GoDuration.parse(String(value)), !name.hasPrefix("ratio:") {
            limit = duration.fractionalSeconds * (name == "duration" ? 1 : 1_000)
            if name != "duration", !name.hasSuffix("_ms") { name += "_ms" }
        } else {
            return nil
        }
        self.name = name
        comparison = sign
        self.text = text
    }

    /// Whether the name asks for the ratio of two targets.
    package var isRatio: Bool { name.hasPrefix("ratio:") }

    /// Whether there is such a number in `names`.
    package func isKnown(in names: [String]) -> Bool {
        let plain = isRatio ? String(name.dropFirst("ratio:".count)) : name
        return names.contains(plain) || names.contains(plain + "_ms")
    }

    /// Says whether the run fails by this threshold; a number that was not measured fails as well.
    ///
    /// - Returns: a sentence that says why it fails; `nil` when it does not.
    package func failure(_ value: (String) -> Double?) -> String? {
        let plain = isRatio ? String(name.dropFirst("ratio:".count)) : name
        guard let measured = value(plain) ?? value(plain + "_ms") else {
            return "\(text): \(plain) was not measured."
        }
        let isMet =
            switch comparison {
            case .atLeast: measured >= limit
            case .atMost: measured <= limit
            case .above: measured > limit
            case .below: measured < limit
            }
        return isMet ? "\(text): \(plain) is \(measured.fixed(3))." : nil
    }

    package var description: String { text }

    private static func canonical(_ name: String) -> String {
        var name = name
        if let range = name.firstRange(of: "p50_") { name.replaceSubrange(range, with: "median_") }
        if name.hasSuffix("_e2e") { name += "l" }
        if name.hasSuffix("_e2e_ms") { name = String(name.dropLast("_ms".count)) + "l_ms" }
        return name
    }
}
