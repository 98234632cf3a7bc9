import GatewayCore

/// What a request must keep to count for goodput.
package struct LatencyObjectives: Hashable, Sendable, CustomStringConvertible {
    /// The longest time to the first token.
    package var timeToFirstToken: Duration?
    /// The longest pause between two tokens.
    package var interTokenLatency: Duration?
    /// The longest mean time of a token behind the first one.
    package var timePerOutputToken: Duration?
    /// The longest time to the end of the answer.
    package var endToEnd: Duration?

    /// Reads a list such as `ttft=500ms,itl=50ms`; the names are ttft, itl, tpot and e2e.
    ///
    /// - Returns: `nil` for another name, for a value that is no duration, and for a name that stands there twice.
    package init?(_ text: String) {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2, let limit = GoDuration.parse(String(sides[1])), limit > .zero else { return nil }
            switch sides[0] {
            case "ttft" where timeToFirstToken == nil: timeToFirstToken = limit
            case "itl" where interTokenLatency == nil: interTokenLatency = limit
            case "tpot" where timePerOutputToken == nil: timePerOutputToken = limit
            case "e2e" where endToEnd == nil: endToEnd = limit
            case "e2el" where endToEnd == nil: endToEnd = limit
            default: return nil
            }
        }
    }

    /// Whether a request that was answered kept all of them.
    func areKept(by record: RequestRecord) -> Bool {
        func keeps(_ limit: Duration?, _ value: Int64?) -> Bool {
            limit.map { (value ?? 0) <= $0.wholeNanoseconds } ?? true
        }
        return keeps(timeToFirstToken, record.timeToFirstToken ?? record.duration)
            && keeps(interTokenLatency, record.gaps.max())
            && keeps(timePerOutputToken, record.timePerOutputToken)
            && keeps(endToEnd, record.duration)
    }

    package var description: String {
        [
            ("ttft", timeToFirstToken), ("itl", interTokenLatency), ("tpot", timePerOutputToken), ("e2e", endToEnd),
        ].compactMap { name, limit in limit.map { "\(name)=\(GoDuration.format($0))" } }.joined(separator: ",")
    }
}
