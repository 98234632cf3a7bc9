import GatewayCore

/// What a client wants of a request's latency, from the request's header.
struct LatencyObjective: Hashable, Sendable {
    /// The time to first token in milliseconds; 0 when the client wants nothing that can be understood.
    let ttft: Double
    /// The time per output token in milliseconds; 0 when the client wants nothing that can be understood.
    let tpot: Double

    /// Reads ``GatewayCore/HeaderNames/ttftObjective`` and ``GatewayCore/HeaderNames/tpotObjective``: decimal numbers.
    /// What is not a finite number above 0 counts as 0.
    init(_ headers: HeaderMap) {
        ttft = Self.milliseconds(headers.first(of: HeaderNames.ttftObjective))
        tpot = Self.milliseconds(headers.first(of: HeaderNames.tpotObjective))
    }

    /// Whether the client wants anything.
    var isSet: Bool { ttft > 0 || tpot > 0 }

    private static func milliseconds(_ text: String?) -> Double {
        guard let number = text.flatMap({ Double($0) }), number.isFinite, number > 0 else { return 0 }
        return number
    }
}
