import Synchronization

/// The samples that a callback hands over while a page is written.
package struct ObservedSamples {
    fileprivate let labelCount: Int
    fileprivate let seriesMax: Int
    fileprivate var values: [[String]: Double] = [:]

    /// Adds a series. The first one wins if two carry the same label values, since a page must not name a series twice;
    /// series beyond the family's limit, and those without exactly one value per label, are left out.
    package mutating func add(_ value: Double, _ labels: String...) {
        guard hasRoom(for: labels), values[labels] == nil else { return }
        values[labels] = value
    }

    /// Adds to a series, which begins at 0: for figures of several parts that a series is about together.
    package mutating func accumulate(_ value: Double, _ labels: String...) {
        guard hasRoom(for: labels) else { return }
        values[labels, default: 0] += value
    }

    private func hasRoom(for labels: [String]) -> Bool {
        labels.count == labelCount && (values.count < seriesMax || values[labels] != nil)
    }
}

/// A counter or gauge family whose values live elsewhere and are read when a page is written: an age, a queue length, a
/// number the kernel keeps. Until a source is set it writes nothing.
package final class ObservedFamily: MetricCollector {
    /// Fills in the series; runs on the thread that writes the page and must not block it for long.
    package typealias Source = @Sendable (_ samples: inout ObservedSamples) -> Void

    /// What the family is.
    package let definition: MetricDefinition
    private let limits: CardinalityLimits
    private let source = Mutex<Source?>(nil)

    init(definition: MetricDefinition, limits: CardinalityLimits) {
        self.definition = definition
        self.limits = limits
    }

    /// Sets where the values come from, replacing the earlier source; nil takes the family off the page.
    package func observe(_ newSource: Source?) {
        source.withLock { $0 = newSource }
    }

    func collect(into writer: inout PrometheusWriter) {
        guard let samples = samples() else { return }
        for (values, value) in samples.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            writer.sample(LabelPairs(labels: definition.labels, values: values), value: value)
        }
    }

    func collect(as twin: TwinLabels, into writer: inout PrometheusWriter) {
        guard let samples = samples() else { return }
        var sums: [[String]: Double] = [:]
        for (values, value) in samples {
            if let key = twin.values(of: values) { sums[key, default: 0] += value }
        }
        for (values, sum) in sums.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            writer.sample(LabelPairs(labels: twin.labels, values: values), value: sum)
        }
    }

    private func samples() -> [[String]: Double]? {
        guard let source = source.withLock({ $0 }) else { return nil }
        // Figures of several have no common one that would tell something: what comes later than the limit is left out.
        let isBounded = definition.labels.contains(where: \.isBounded)
        var samples = ObservedSamples(
            labelCount: definition.labels.count,
            seriesMax: isBounded ? limits.valuesPerLabel : limits.seriesPerFamily
        )
        source(&samples)
        return samples.values
    }
}
