import FoundationEssentials

@testable import Telemetry

/// Pages of real model servers under load.
enum Fixtures: String, CaseIterable {
    case vllm = "metrics-vllm-0.32.0-busy.txt"
    case sglang = "metrics-sglang-0.5.23-busy.txt"
    case llamaCPP = "metrics-llamacpp-busy.txt"

    func bytes() throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return Array(try Data(contentsOf: folder.appending(path: rawValue)))
    }

    /// The samples that a gateway reads from this server.
    var wanted: WantedMetrics {
        switch self {
        case .vllm:
            Self.wanting(
                "vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc",
                "vllm:lora_requests_info", "vllm:cache_config_info"
            )
        case .sglang:
            Self.wanting(
                "sglang:num_queue_reqs", "sglang:num_running_reqs", "sglang:token_usage", "sglang:page_size",
                "sglang:num_pages"
            )
        case .llamaCPP:
            Self.wanting("llamacpp:requests_processing", "llamacpp:requests_deferred")
        }
    }

    static func wanting(_ names: String...) -> WantedMetrics {
        WantedMetrics(names.map { WantedMetric(name: $0) })
    }
}

/// A sample with its labels taken out of the line.
struct ReadSample: Equatable, CustomStringConvertible {
    var metric: Int
    var value: Double
    var timestamp: Int64?
    var type: ExpositionType
    var labels: [String: String]

    init(
        _ metric: Int,
        _ value: Double,
        timestamp: Int64? = nil,
        _ type: ExpositionType = .untyped,
        _ labels: [String: String] = [:]
    ) {
        self.metric = metric
        self.value = value
        self.timestamp = timestamp
        self.type = type
        self.labels = labels
    }

    /// NaN equals NaN here.
    static func == (left: ReadSample, right: ReadSample) -> Bool {
        (left.value == right.value || left.value.isNaN && right.value.isNaN)
            && (left.metric, left.timestamp, left.type) == (right.metric, right.timestamp, right.type)
            && left.labels == right.labels
    }

    var description: String { "\(metric) \(labels) \(value) @\(timestamp ?? -1) \(type)" }
}

extension ExpositionScanner {
    /// Reads a whole page, cut into pieces of the given lengths (the last length repeats), and collects these labels.
    mutating func read(
        _ page: [UInt8],
        _ format: ExpositionFormat = .prometheusText,
        pieces: [Int] = [.max],
        labels: [String] = []
    ) -> [ReadSample] {
        var samples: [ReadSample] = []
        func collect(_ sample: ExpositionSample, _ line: RawSpan) {
            var found: [String: String] = [:]
            for label in labels { found[label] = sample.label(label, in: line) }
            samples.append(
                ReadSample(sample.metric, sample.value, timestamp: sample.timestampMilliseconds, sample.type, found)
            )
        }
        begin(format)
        var start = 0
        var piece = 0
        while start < page.count {
            let end = start + min(pieces[min(piece, pieces.count - 1)], page.count - start)
            feed(page.span.bytes.extracting(start..<end), collect)
            start = end
            piece += 1
        }
        finish(collect)
        return samples
    }
}
