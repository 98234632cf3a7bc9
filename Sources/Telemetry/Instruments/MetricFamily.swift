import Synchronization

/// What an instrument said at one moment.
package protocol MetricReading {
    /// The same without the traces of single requests: what sums of several are made of.
    var withoutTraces: Self { get }
    /// Adds what another instrument of the same family said.
    mutating func add(_ other: Self)
    /// Writes the series with these labels.
    func write(_ labels: borrowing LabelPairs, into writer: inout PrometheusWriter)
}

extension MetricReading {
    /// Most have none.
    package var withoutTraces: Self { self }
}

/// What a family holds one of per label set: ``Counter``, ``Gauge`` or ``Histogram``.
package protocol MetricInstrument: AnyObject, Sendable {
    /// What it says.
    associatedtype Reading: MetricReading

    /// Starts at zero.
    init(definition: MetricDefinition)
    /// Whether the series should stand on the page now; only asked of series with labels.
    var isWorthWriting: Bool { get }
    /// What it says now.
    var reading: Reading { get }
}

extension MetricInstrument {
    /// Always, unless the instrument knows better.
    package var isWorthWriting: Bool { true }
}

/// Counters that differ in their labels.
package typealias CounterFamily = MetricFamily<Counter>
/// Gauges that differ in their labels.
package typealias GaugeFamily = MetricFamily<Gauge>
/// Histograms that differ in their labels.
package typealias HistogramFamily = MetricFamily<Histogram>

/// How many series and label values are kept apart.
package struct CardinalityLimits: Sendable, Hashable {
    /// Distinct values of one bounded label in one family, at least 1.
    package var valuesPerLabel: Int
    /// Series of one family, at least 1. Beyond it every bounded label of a new series becomes "other".
    package var seriesPerFamily: Int

    /// The defaults: 1,000 values per label, 10,000 series per family.
    package init(valuesPerLabel: Int = 1_000, seriesPerFamily: Int = 10_000) {
        self.valuesPerLabel = max(1, valuesPerLabel)
        self.seriesPerFamily = max(1, seriesPerFamily)
    }
}

/// The instruments of one name, one per set of label values.
///
/// Safe from any thread. A look-up takes a lock and one hash of the values; whoever counts often keeps the child. A
/// child stays usable after ``remove(where:)``, it is only no longer on the page.
package final class MetricFamily<Instrument: MetricInstrument>: MetricCollector {
    /// What the family is.
    package let definition: MetricDefinition
    private let limits: CardinalityLimits
    private let state: Mutex<Children>
    private let removals = Atomic<Int>(0)

    private struct Children {
        var byValues: [[String]: Instrument] = [:]
        /// One per label; only those of bounded labels are asked.
        var bounds: [LabelValueBound]
    }

    init(definition: MetricDefinition, limits: CardinalityLimits) {
        self.definition = definition
        self.limits = limits
        let bound = LabelValueBound(limit: limits.valuesPerLabel)
        state = Mutex(Children(bounds: Array(repeating: bound, count: definition.labels.count)))
    }

    /// The instrument for these label values, in the order of the definition; made on first use.
    ///
    /// - Precondition: one value per label.
    package func child(_ values: String...) -> Instrument {
        child(values)
    }

    /// The instrument for these label values, in the order of the definition; made on first use.
    ///
    /// - Precondition: one value per label.
    package func child(_ values: [String]) -> Instrument {
        requireOneValuePerLabel(values)
        return state.withLock { children in
            if let known = children.byValues[values] { return known }
            return makeChild(admit(values, children), &children)
        }
    }

    /// The instrument of something that failed: bounded labels get new values only while few are known, since whoever
    /// sends requests that nobody serves must not use up those that are kept apart.
    package func childOfRefused(_ values: [String]) -> Instrument {
        requireOneValuePerLabel(values)
        return state.withLock { children in
            if let known = children.byValues[values] { return known }
            return makeChild(admit(values, children, share: LabelValueBound.shareOfRefused), &children)
        }
    }

    /// The instrument for label values that the caller keeps within limits itself, because several families share them.
    func child(admitted values: [String]) -> Instrument {
        requireOneValuePerLabel(values)
        return state.withLock { makeChild(values, &$0) }
    }

    /// Names values of a bounded label that are always kept apart and do not count towards its limit: those that an
    /// operator wrote down. Replaces the earlier set; series made before stay as they are.
    package func pin(_ values: some Sequence<String>, of label: String) {
        guard let index = definition.labels.firstIndex(where: { $0.name == label }) else { return }
        let pinned = Array(values)
        state.withLock { $0.bounds[index].pin(pinned) }
    }

    /// Another number whenever series may have gone: for whoever keeps a child and must not count unseen.
    package var generation: Int { removals.load(ordering: .acquiring) }

    /// Takes series off the page, for example those of an endpoint that left. `values` are in the order of the labels.
    package func remove(where isGone: (_ values: [String]) -> Bool) {
        defer { removals.wrappingAdd(1, ordering: .releasing) }
        state.withLock { children in
            for values in children.byValues.keys.filter(isGone) {
                children.byValues[values] = nil
                for (index, value) in values.enumerated() { children.bounds[index].release(value) }
            }
        }
    }

    /// Takes off the page every series with this value of this label.
    package func remove(_ label: String, equals value: String) {
        guard let index = definition.labels.firstIndex(where: { $0.name == label }) else { return }
        remove { $0[index] == value }
    }

    /// The instruments and their label values, as they are now, in no order.
    package var series: [[String]: Instrument] {
        state.withLock { $0.byValues }
    }

    /// The number of series.
    package var seriesCount: Int {
        state.withLock { $0.byValues.count }
    }

    /// Writes the series in the order of their label values, so that two pages of the same state are the same bytes.
    func collect(into writer: inout PrometheusWriter) {
        let children = state.withLock { $0.byValues }
        let sorted = children.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for (values, instrument) in sorted where values.isEmpty || instrument.isWorthWriting {
            instrument.reading.write(LabelPairs(labels: definition.labels, values: values), into: &writer)
        }
    }

    /// Writes the series under the older name: those whose labels there are the same are added up.
    func collect(as twin: TwinLabels, into writer: inout PrometheusWriter) {
        let children = state.withLock { $0.byValues }
        var sums: [[String]: Instrument.Reading] = [:]
        for (values, instrument) in children where values.isEmpty || instrument.isWorthWriting {
            guard let key = twin.values(of: values) else { continue }
            let reading = instrument.reading.withoutTraces
            sums[key]?.add(reading)
            if sums[key] == nil { sums[key] = reading }
        }
        for (values, sum) in sums.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            sum.write(LabelPairs(labels: twin.labels, values: values), into: &writer)
        }
    }

    private func requireOneValuePerLabel(_ values: [String]) {
        precondition(
            values.count == definition.labels.count,
            "\(definition.name) has \(definition.labels.count) labels, but was given \(values.count) values"
        )
    }

    private func makeChild(_ values: [String], _ children: inout Children) -> Instrument {
        if let known = children.byValues[values] { return known }
        for (index, value) in values.enumerated() where definition.labels[index].isBounded {
            children.bounds[index].retain(value)
        }
        let made = Instrument(definition: definition)
        children.byValues[values] = made
        return made
    }

    private func admit(_ values: [String], _ children: borrowing Children, share: Int = 1) -> [String] {
        let isFull = children.byValues.count >= limits.seriesPerFamily
        var admitted = values
        for (index, label) in definition.labels.enumerated() where label.isBounded {
            admitted[index] =
                isFull ? LabelValueBound.overflow : children.bounds[index].admitted(values[index], share: share)
        }
        return admitted
    }
}
