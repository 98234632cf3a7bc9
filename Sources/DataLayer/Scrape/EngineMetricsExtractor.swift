package import GatewayCore
import Telemetry

/// Reads what one engine tells from its metrics page, as its mapping says.
///
/// Each field is read for itself: one that is missing keeps its last value, and the others are updated. Among several
/// series that match a specification the one with the latest timestamp counts, the first of equals; so of an engine
/// that serves several data-parallel ranks on one page the first rank is taken and not the sum. The ranks are better
/// made endpoints of their own. A value without isolation: its endpoint's watch owns it and uses it page after page.
package struct EngineMetricsExtractor: Sendable {
    /// A field of a page.
    package enum Field: Int, Hashable, Sendable, CaseIterable {
        case queuedRequests, runningRequests, kvCacheUsage, loraInfo, cacheInfo, cacheBlockSize, cacheBlockCount
        case workDone
    }

    /// What a page gave.
    package struct Reading: Hashable, Sendable {
        /// The earlier metrics with what the page tells.
        package var metrics: EndpointMetrics
        /// The fields that the engine should tell and did not, or not in a form that can be read.
        package var faults: [Field] = []
        /// Whether the page told anything at all.
        package var isAnyFound = false
        /// Whether the page told of queued or running requests: the sign by which an engine is recognised.
        package var isRecognised = false
    }

    /// A series that matches a field so far best.
    private struct Choice {
        var value: Double
        var timestamp: Int64
        var isNumber: Bool
    }

    /// What the labels of info metrics say.
    private struct Labels {
        var lora: (rank: Double, running: String?, waiting: String?, max: String?)?
        var cache: (timestamp: Int64, blockSize: String?, blockCount: String?)?
        /// All series of the mapping's counter of work together, as their order on a page may change; `nil` for none.
        var workDone: Double?
    }

    /// The engine's mapping.
    package let mapping: EngineMetricMapping
    private var scanner: ExpositionScanner
    /// By index of the scanner's metric.
    private let fields: [Field]
    private var choices: [Choice?] = Array(repeating: nil, count: Field.allCases.count)
    private var restarts = RestartWatch()

    /// Prepares the reading of pages of one engine.
    package init(mapping: EngineMetricMapping) {
        self.mapping = mapping
        let specs: [(Field, MetricSpec?)] = [
            (.queuedRequests, mapping.queuedRequests), (.runningRequests, mapping.runningRequests),
            (.kvCacheUsage, mapping.kvCacheUsage), (.loraInfo, mapping.loraInfo), (.cacheInfo, mapping.cacheInfo),
            (.cacheBlockSize, mapping.cacheBlockSize), (.cacheBlockCount, mapping.cacheBlockCount),
            (.workDone, mapping.workDone),
        ]
        let told = specs.compactMap { field, spec in spec.map { (field, $0) } }
        fields = told.map(\.0)
        scanner = ExpositionScanner(
            wanted: WantedMetrics(
                told.map { _, spec in
                    WantedMetric(
                        name: spec.name,
                        selector: spec.labels.map { WantedMetric.LabelMatch(label: $0.name, value: $0.value) }
                    )
                }
            )
        )
    }

    /// Reads `page`, which must be whole.
    ///
    /// - Parameters:
    ///   - page: Prometheus text; anything else gives a reading in which nothing was found.
    ///   - previous: the endpoint's metrics until now.
    package mutating func read(_ page: RawSpan, previous: EndpointMetrics) -> Reading {
        // Taken out while the scanner is at work, and put back: the array is the same one for every page.
        var choices: [Choice?] = []
        swap(&choices, &self.choices)
        for index in choices.indices { choices[index] = nil }
        var labels = Labels()
        let (fields, mapping) = (fields, mapping)
        let take = { (sample: ExpositionSample, line: RawSpan) in
            switch fields[sample.metric] {
            case .loraInfo: Self.takeLoRA(sample, line, &labels)
            case .cacheInfo: Self.takeCacheInfo(sample, line, mapping, &labels)
            case .workDone: if sample.value.isFinite { labels.workDone = (labels.workDone ?? 0) + sample.value }
            case let field: Self.choose(sample, &choices[field.rawValue])
            }
        }
        scanner.begin(.prometheusText)
        scanner.feed(page, take)
        scanner.finish(take)
        self.choices = choices
        var reading = reading(labels, previous)
        // A page that does not tell of the engine's queue may be another program's.
        if reading.isRecognised, restarts.isRestart(workDone: labels.workDone, previous, reading.metrics) {
            reading.metrics.engineRestarts = previous.engineRestarts &+ 1
        }
        return reading
    }

    private func reading(_ labels: Labels, _ previous: EndpointMetrics) -> Reading {
        var reading = Reading(metrics: previous)
        take(.queuedRequests, mapping.queuedRequests, &reading) { $0.waitingQueueSize = Self.count($1) }
        take(.runningRequests, mapping.runningRequests, &reading) { $0.runningRequests = Self.count($1) }
        reading.isRecognised = reading.isAnyFound
        take(.kvCacheUsage, mapping.kvCacheUsage, &reading) { $0.kvCacheUsage = Self.share($1) }
        if let lora = labels.lora {
            reading.metrics.activeModels = Self.names(lora.running)
            reading.metrics.waitingModels = Self.names(lora.waiting)
            if let max = lora.max {
                let number = Self.whole(max)
                if number == nil { reading.faults.append(.loraInfo) }
                reading.metrics.maxActiveModels = number ?? reading.metrics.maxActiveModels
            }
            reading.isAnyFound = true
        }
        takeCacheSize(labels, &reading)
        return reading
    }

    /// The size of the cache by labels where the page has them, else by gauges.
    private func takeCacheSize(_ labels: Labels, _ reading: inout Reading) {
        if let cache = labels.cache {
            let (size, count) = (Self.whole(cache.blockSize), Self.whole(cache.blockCount))
            if size == nil || count == nil { reading.faults.append(.cacheInfo) }
            reading.metrics.cacheBlockSizeTokens = size ?? 0
            reading.metrics.cacheBlockCount = count ?? 0
            reading.isAnyFound = true
        } else if mapping.cacheBlockSize != nil || mapping.cacheBlockCount != nil {
            take(.cacheBlockSize, mapping.cacheBlockSize, &reading) { $0.cacheBlockSizeTokens = Self.count($1) }
            take(.cacheBlockCount, mapping.cacheBlockCount, &reading) { $0.cacheBlockCount = Self.count($1) }
        } else if mapping.cacheInfo != nil {
            reading.faults.append(.cacheInfo)
        }
    }

    private func take(
        _ field: Field,
        _ spec: MetricSpec?,
        _ reading: inout Reading,
        _ store: (inout EndpointMetrics, Double) -> Void
    ) {
        guard spec != nil else { return }
        guard let choice = choices[field.rawValue] else {
            reading.faults.append(field)
            return
        }
        if !choice.isNumber { reading.faults.append(field) }
        store(&reading.metrics, choice.value)
        reading.isAnyFound = true
    }

    /// Only gauges and counters have a value of their own; a series of any other type counts as 0.
    private static func choose(_ sample: ExpositionSample, _ choice: inout Choice?) {
        let timestamp = sample.timestampMilliseconds ?? 0
        if let choice, choice.timestamp >= timestamp { return }
        let isNumber = (sample.type == .gauge || sample.type == .counter) && !sample.value.isNaN
        choice = Choice(value: isNumber ? sample.value : 0, timestamp: timestamp, isNumber: isNumber)
    }

    /// Series of earlier adapter sets stay on the page; the current one has the largest value, which is a time.
    private static func takeLoRA(_ sample: ExpositionSample, _ line: RawSpan, _ labels: inout Labels) {
        let rank = sample.value.isNaN ? -Double.infinity : sample.value
        if let lora = labels.lora, lora.rank >= rank { return }
        labels.lora = (
            rank,
            sample.label("running_lora_adapters", in: line),
            sample.label("waiting_lora_adapters", in: line),
            sample.label("max_lora", in: line)
        )
    }

    private static func takeCacheInfo(
        _ sample: ExpositionSample,
        _ line: RawSpan,
        _ mapping: EngineMetricMapping,
        _ labels: inout Labels
    ) {
        let timestamp = sample.timestampMilliseconds ?? 0
        if let cache = labels.cache, cache.timestamp >= timestamp { return }
        labels.cache = (
            timestamp,
            sample.label(mapping.cacheBlockSizeLabel, in: line),
            sample.label(mapping.cacheBlockCountLabel, in: line)
        )
    }

    /// A count in 0 ... 2^53; what is outside is moved to the nearer end.
    private static func count(_ value: Double) -> Int {
        Int(min(max(value, 0), 0x1p53))
    }

    private static func share(_ value: Double) -> Double {
        min(max(value, 0), 1)
    }

    /// A whole number that is not negative; `nil` for any other text, such as the `None` of an engine that is starting.
    private static func whole(_ text: String?) -> Int? {
        guard let text, let number = Int(text), number >= 0 else { return nil }
        return number
    }

    private static func names(_ text: String?) -> [String] {
        (text ?? "").utf8.split(separator: UInt8(ascii: ",")).compactMap { part in
            // Nearly always there is nothing to cut off, which is told without a look at Unicode's properties.
            if let first = part.first, let last = part.last, isPlain(first), isPlain(last) { return String(part) }
            let name = Substring(part).drop { $0.isWhitespace }
            guard let end = name.lastIndex(where: { !$0.isWhitespace }) else { return nil }
            return String(name[...end])
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte)
    }
}
