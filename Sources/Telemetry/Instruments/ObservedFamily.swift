import Synchronization

/// The samples that a callback hands over while a page is written.
package struct ObservedSamples {
    fileprivate let labelCount: Int
    fileprivate let seriesMax: Int
    fileprivate var values: [[String]: Double] = [:]

    /// Adds a series. The first one wins if two carry the same label values, since a page must not name a series twice;
    /// series beyond the family's limit, and those without exactly one value per label, are left out.
    package mutating func add(_ value: Double, _ labels: String...) {
        guard labels.count == labelCount, values.count < seriesMax, values[labels] == nil else { return }
        values[labels] = value
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
        guard let source = source.withLock({ $0 }) else { return }
        var samples = ObservedSamples(labelCount: definition.labels.count, seriesMax: limits.seriesPerFamily)
        source(&samples)
        for (values, value) in samples.values.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            writer.sample(LabelPairs(labels: definition.labels, values: values), value: value)
        }
    }
}
