package import GatewayCore
import Telemetry

/// Reads what one engine tells from its metrics page, as its mapping says.
///
/// Each field is read for itself: one that is missing keeps its last value, and the others are updated. Among several
/// series that match a specification the one with the latest timestamp counts, the first of equals; so of an engine
/// that serves several data-parallel ranks on one page the first rank is taken and not the sum. The ranks are better
/// made endpoints of their own. A value without isolation: its endpoint's watch owns it and uses it page after page.
package struct EngineMetricsExtractor: Sendable {
    /// What a page gave.
    package struct Reading: Hashable, Sendable {
        /// The earlier metrics with what the page tells.
        package var metrics: EndpointMetrics
        /// The attributes that the page tells.
        package var attributes: [AttributeReading] = []
        /// What is wrong with the page, and the fields that the engine should tell and did not, or not as it should.
        package var faults: [ScrapeFault] = []
        /// Whether the page told anything at all.
        package var isAnyFound = false
        /// Whether the page told of queued or running requests: the sign by which an engine is recognised.
        package var isRecognised = false
        /// Whether the page told both how many requests wait and how many run, and each is none.
        package var isIdle = false
    }

    /// A series that matches a field so far best.
    private struct Choice {
        var value: Double
        var timestamp: Int64
        var fault: ScrapeFaultReason?
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
    /// By index of the scanner's metric: what it tells. Attributes, in the order of the mapping, come last.
    private let fields: [ScrapedField]
    /// By index of the scanner's metric.
    private var choices: [Choice?]
    private var restarts = RestartWatch()

    /// Prepares the reading of pages of one engine.
    package init(mapping: EngineMetricMapping) {
        self.mapping = mapping
        let specs: [(ScrapedField, MetricSpec?)] = [
            (.queuedRequests, mapping.queuedRequests), (.runningRequests, mapping.runningRequests),
            (.kvCacheUsage, mapping.kvCacheUsage), (.loraInfo, mapping.loraInfo), (.cacheInfo, mapping.cacheInfo),
            (.cacheBlockSize, mapping.cacheBlockSize), (.cacheBlockCount, mapping.cacheBlockCount),
            (.workDone, mapping.workDone),
        ]
        var told = specs.compactMap { field, spec in spec.map { (field, $0) } }
        told += mapping.customMetrics.map { (.attribute, $0.metric) }
        fields = told.map(\.0)
        choices = Array(repeating: nil, count: told.count)
        scanner = ExpositionScanner(wanted: WantedMetrics(told.map { WantedMetric($0.1) }))
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
            default: Self.choose(sample, &choices[sample.metric])
            }
        }
        let faults = scanner.readWhole(page, take)
        self.choices = choices
        var reading = reading(labels, Reading(metrics: previous, faults: faults))
        // A page that does not tell of the engine's queue may be another program's.
        if reading.isRecognised, isWorkDoneCertain(faults),
            restarts.isRestart(workDone: labels.workDone, reading.metrics)
        {
            reading.metrics.engineRestarts = previous.engineRestarts &+ 1
        }
        return reading
    }

    /// Whether the page tells the counter of work as the engine wrote it. A series that a spoilt page lacks, or has
    /// twice, would look like a counter that fell, on this page or on the next.
    private func isWorkDoneCertain(_ pageFaults: [ScrapeFault]) -> Bool {
        pageFaults.isEmpty && !scanner.redeclared.contains { fields[$0] == .workDone }
    }

    /// Whether the page told that `field` is 0.
    private func isZero(_ field: ScrapedField) -> Bool {
        guard let index = fields.firstIndex(of: field), let choice = choices[index] else { return false }
        return choice.value == 0 && choice.fault == nil
    }

    /// Adds to `reading` what was found on the page.
    private func reading(_ labels: Labels, _ reading: Reading) -> Reading {
        var reading = reading
        take(.queuedRequests, in: Self.counts, &reading) { $0.waitingQueueSize = Int($1) }
        take(.runningRequests, in: Self.counts, &reading) { $0.runningRequests = Int($1) }
        reading.isRecognised = reading.isAnyFound
        reading.isIdle = isZero(.queuedRequests) && isZero(.runningRequests)
        take(.kvCacheUsage, in: 0...1, &reading) { $0.kvCacheUsage = $1 }
        if let lora = labels.lora {
            reading.metrics.activeModels = Self.names(lora.running)
            reading.metrics.waitingModels = Self.names(lora.waiting)
            if let max = lora.max {
                let number = Self.whole(max)
                if number == nil { reading.faults.append(ScrapeFault(.loraInfo, .unreadable)) }
                reading.metrics.maxActiveModels = number ?? reading.metrics.maxActiveModels
            }
            reading.isAnyFound = true
        }
        takeCacheSize(labels, &reading)
        if !mapping.customMetrics.isEmpty { takeAttributes(&reading) }
        for index in scanner.redeclared { reading.faults.append(fault(index, .duplicate)) }
        return reading
    }

    /// The size of the cache by labels where the page has them, else by gauges.
    private func takeCacheSize(_ labels: Labels, _ reading: inout Reading) {
        if let cache = labels.cache {
            let (size, count) = (Self.whole(cache.blockSize), Self.whole(cache.blockCount))
            if size == nil || count == nil { reading.faults.append(ScrapeFault(.cacheInfo, .unreadable)) }
            reading.metrics.cacheBlockSizeTokens = size ?? 0
            reading.metrics.cacheBlockCount = count ?? 0
            reading.isAnyFound = true
        } else if mapping.cacheBlockSize != nil || mapping.cacheBlockCount != nil {
            take(.cacheBlockSize, in: Self.counts, &reading) { $0.cacheBlockSizeTokens = Int($1) }
            take(.cacheBlockCount, in: Self.counts, &reading) { $0.cacheBlockCount = Int($1) }
        } else if mapping.cacheInfo != nil {
            reading.faults.append(ScrapeFault(.cacheInfo, .missing))
        }
    }

    /// The attributes whose values are finite numbers; the others stay as they were.
    private func takeAttributes(_ reading: inout Reading) {
        let first = fields.count - mapping.customMetrics.count
        for index in first..<fields.count {
            guard let choice = choices[index] else {
                reading.faults.append(fault(index, .missing))
                continue
            }
            reading.isAnyFound = true
            if let reason = choice.fault ?? (choice.value.isFinite ? nil : .notANumber) {
                reading.faults.append(fault(index, reason))
            } else {
                let key = mapping.customMetrics[index - first].key
                reading.attributes.append(AttributeReading(key: key, value: choice.value))
            }
        }
    }

    /// A fault of the metric that the scanner knows by `index`.
    private func fault(_ index: Int, _ reason: ScrapeFaultReason) -> ScrapeFault {
        guard fields[index] == .attribute else { return ScrapeFault(fields[index], reason) }
        let custom = index - (fields.count - mapping.customMetrics.count)
        return ScrapeFault(.attribute, reason, attribute: mapping.customMetrics[custom].key)
    }

    /// Stores the value of `field`, moved into `range`, where the engine is known to tell it.
    private func take(
        _ field: ScrapedField,
        in range: ClosedRange<Double>,
        _ reading: inout Reading,
        _ store: (inout EndpointMetrics, Double) -> Void
    ) {
        guard let index = fields.firstIndex(of: field) else { return }
        guard let choice = choices[index] else {
            reading.faults.append(ScrapeFault(field, .missing))
            return
        }
        let value = min(max(choice.value, range.lowerBound), range.upperBound)
        if let reason = choice.fault ?? (value == choice.value ? nil : .outOfRange) {
            reading.faults.append(ScrapeFault(field, reason))
        }
        store(&reading.metrics, value)
        reading.isAnyFound = true
    }

    /// Only gauges and counters have a value of their own; a series of any other type counts as 0.
    private static func choose(_ sample: ExpositionSample, _ choice: inout Choice?) {
        let timestamp = sample.timestampMilliseconds ?? 0
        if let choice, choice.timestamp >= timestamp { return }
        if sample.type != .gauge, sample.type != .counter {
            choice = Choice(value: 0, timestamp: timestamp, fault: .wrongType)
        } else if sample.value.isNaN {
            choice = Choice(value: 0, timestamp: timestamp, fault: .notANumber)
        } else {
            choice = Choice(value: sample.value, timestamp: timestamp)
        }
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

    /// What a count can be; in this range a `Double` holds every whole number.
    private static let counts = 0...0x1p53

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
