/// Writes a metrics page in the text format of Prometheus.
struct MetricsText {
    static let contentType = "text/plain; version=1.0.0; charset=utf-8"

    /// The page so far.
    private(set) var text = ""

    /// How numbers look: Python's servers write `4.0`, others `4`.
    private let alwaysFraction: Bool

    init(alwaysFraction: Bool = true) {
        self.alwaysFraction = alwaysFraction
        text.reserveCapacity(32_768)
    }

    /// Begins a family.
    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// Adds a series to the family begun last. `labels` is empty or a list of pairs without braces.
    mutating func series(_ name: String, _ labels: String = "", _ value: Double) {
        text += labels.isEmpty ? "\(name) " : "\(name){\(labels)} "
        text += number(value) + "\n"
    }

    /// Adds a family with one series.
    mutating func single(_ name: String, _ type: String, _ help: String, _ labels: String = "", _ value: Double) {
        family(name, type, help)
        series(name, labels, value)
    }

    /// Adds a family that is a histogram.
    ///
    /// - Parameters:
    ///   - before: pairs that stand before the bound in a bucket's labels, as their names are in order of the alphabet.
    ///   - after: pairs that stand after it.
    mutating func histogram(
        _ name: String,
        _ help: String,
        _ histogram: SimulatedHistogram,
        before: String,
        after: String
    ) {
        family(name, "histogram", help)
        let following = after.isEmpty ? "" : "," + after
        let preceding = before.isEmpty ? "" : before + ","
        var cumulative = 0
        for (index, count) in histogram.counts.enumerated() {
            cumulative += count
            let bound = index < histogram.bounds.count ? "\(histogram.bounds[index])" : "+Inf"
            series(name + "_bucket", "\(preceding)le=\"\(bound)\"\(following)", Double(cumulative))
        }
        let labels = [before, after].filter { !$0.isEmpty }.joined(separator: ",")
        series(name + "_count", labels, Double(histogram.count))
        series(name + "_sum", labels, histogram.sum)
    }

    private func number(_ value: Double) -> String {
        if !alwaysFraction, value == value.rounded(), abs(value) < 1e15 {
            return "\(Int(value))"
        }
        return "\(value)"
    }

    /// A label's value with the escapes the format wants.
    static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

/// The series of `vllm:lora_requests_info`. As on the real page, a set of adapters once seen stays, and the newest
/// value, a date, tells which one holds.
struct AdapterSeries {
    /// More sets than this are not kept; the oldest go.
    private static let limit = 512

    /// Seconds since 1970 at which each set was last seen, in the order they first appeared.
    private(set) var seen: [(adapters: String, unixTime: Double)] = []

    /// Notes the adapters of all running and waiting requests.
    mutating func note(_ adapters: [String], at unixTime: Double) {
        let key = adapters.joined(separator: ",")
        if let index = seen.lastIndex(where: { $0.adapters == key }) {
            // Two sets within the clock's resolution must still tell which is the newer.
            seen[index].unixTime = max(unixTime, seen[index].unixTime)
        } else {
            if seen.count == Self.limit, let oldest = seen.indices.min(by: { seen[$0].unixTime < seen[$1].unixTime }) {
                seen.remove(at: oldest)
            }
            seen.append((key, unixTime))
        }
    }
}

/// What a metrics page is made of.
struct MetricsSource {
    var model: String
    var parameters: EngineParameters
    var counters: EngineCounters
    var adapterSeries: AdapterSeries
    var unixTime: Double

    /// The page as an engine has it.
    func page(for engine: EngineKind) -> String {
        switch engine {
        case .vllm: vllmPage()
        case .sglang: sglangPage()
        case .triton: tritonPage()
        case .llamacpp: llamaCppPage()
        }
    }
}
