/// What one run saw, printed as one JSON object on standard output.
struct LoadReport: Sendable {
    /// Nanoseconds from a request's due time (or its start, in a closed loop) to the last byte of its reply.
    var latencies: [Int64] = []
    /// Nanoseconds to the first byte of the reply's body.
    var firstByteLatencies: [Int64] = []
    /// Why requests failed, with counts.
    var errors: [String: Int] = [:]
    /// The first failure in words.
    var firstError: String?
    /// Connections opened beyond the first of each slot: a keep-alive proxy causes none.
    var reconnects = 0
    /// Reads of body bytes over all replies: far fewer than events times replies means a proxy that gathers chunks.
    var bodyReads = 0
    var elapsedNanoseconds: Int64 = 0

    mutating func fail(_ reason: String, _ sentence: String) {
        errors[reason, default: 0] += 1
        if firstError == nil {
            firstError = sentence
        }
    }

    var errorCount: Int {
        errors.values.reduce(0, +)
    }

    /// The report as JSON; times in microseconds.
    var json: String {
        let seconds = Double(elapsedNanoseconds) / 1e9
        let reasons = errors.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        let sentence = firstError.map { "\"\(Self.escaped($0))\"" } ?? "null"
        let readsPerReply = latencies.isEmpty ? 0 : Double(bodyReads) / Double(latencies.count)
        return """
            {"completed":\(latencies.count),"errors":\(errorCount),"error_reasons":{\(reasons)},\
            "first_error":\(sentence),"reconnects":\(reconnects),"seconds":\(seconds),\
            "requests_per_second":\(seconds > 0 ? Double(latencies.count) / seconds : 0),\
            "body_reads_per_reply":\(readsPerReply),\
            "latency_us":\(Self.quantiles(latencies)),"first_byte_us":\(Self.quantiles(firstByteLatencies))}
            """
    }

    /// Nearest-rank quantiles.
    private static func quantiles(_ nanoseconds: [Int64]) -> String {
        guard !nanoseconds.isEmpty else { return "null" }
        let sorted = nanoseconds.sorted()
        func at(_ fraction: Double) -> Double {
            let rank = Int((fraction * Double(sorted.count)).rounded(.up))
            return Double(sorted[min(max(rank, 1), sorted.count) - 1]) / 1e3
        }
        return "{\"p50\":\(at(0.5)),\"p90\":\(at(0.9)),\"p99\":\(at(0.99)),\"max\":\(at(1))}"
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case _ where scalar.value < 0x20: " "
            default: String(scalar)
            }
        }.joined()
    }
}
