import Synchronization

/// A family as the page sees it.
protocol MetricCollector: Sendable {
    var definition: MetricDefinition { get }
    /// Writes the samples; the registry has written the family's head.
    func collect(into writer: inout PrometheusWriter)
    /// Writes the samples under the family's older name; the registry has written its head.
    func collect(as twin: TwinLabels, into writer: inout PrometheusWriter)
}

/// How the series of a family become those of its twin.
struct TwinLabels {
    /// The twin's labels.
    let labels: [MetricLabel]
    /// For each of them, the place of its value among those of the family.
    private let places: [Int]
    /// The place and the value of the only series that count.
    private let only: (place: Int, value: String)?

    /// Nil when the family has no twin, or one that reads labels which it does not have.
    init?(_ definition: MetricDefinition) {
        guard let twin = definition.twin, let twinDefinition = definition.twinDefinition else { return nil }
        let names = definition.labels.map(\.name)
        let places = twin.labels.compactMap { names.firstIndex(of: $0.source) }
        guard places.count == twin.labels.count else { return nil }
        labels = twinDefinition.labels
        self.places = places
        only = twin.only.flatMap { only in names.firstIndex(of: only.label).map { ($0, only.value) } }
    }

    /// The twin's values for those of a series of the family; nil when it does not count.
    func values(of values: [String]) -> [String]? {
        if let only, values[only.place] != only.value { return nil }
        return places.map { values[$0] }
    }
}

/// A metric that cannot be registered: a mistake of the program, found at start.
package struct MetricRegistrationError: Error, Hashable, CustomStringConvertible {
    /// The name of the metric.
    package let name: String
    /// What is wrong.
    package let reason: String

    package var description: String { "The metric \(name) cannot be registered: \(reason)." }
}

/// The metrics of one application. There is no global one: the application makes it and hands the instruments out.
///
/// Safe from any thread. Families stand on the page in the order in which they were registered, and
/// behind them those under their older names.
package final class MetricRegistry: Sendable {
    private struct State {
        var collectors: [any MetricCollector] = []
        /// Every sample name in use, and the family that uses it.
        var owners: [String: String] = [:]
    }

    /// The limits of every family made here.
    package let limits: CardinalityLimits
    /// Whether pages have the deprecated families too.
    package let writesDeprecated: Bool
    private let state = Mutex(State())

    /// An empty registry.
    ///
    /// - Parameters:
    ///   - limits: how many series and label values are kept apart.
    ///   - writesDeprecated: whether pages have the deprecated families and the older names of others.
    package init(limits: CardinalityLimits = CardinalityLimits(), writesDeprecated: Bool = false) {
        self.limits = limits
        self.writesDeprecated = writesDeprecated
    }

    /// Makes and registers a counter without labels.
    package func counter(_ definition: MetricDefinition) throws(MetricRegistrationError) -> Counter {
        try single(definition, .counter)
    }

    /// Makes and registers a gauge without labels.
    package func gauge(_ definition: MetricDefinition) throws(MetricRegistrationError) -> Gauge {
        try single(definition, .gauge)
    }

    /// Makes and registers a histogram without labels.
    package func histogram(_ definition: MetricDefinition) throws(MetricRegistrationError) -> Histogram {
        try single(definition, .histogram)
    }

    /// Makes and registers counters that differ in their labels.
    package func counters(_ definition: MetricDefinition) throws(MetricRegistrationError) -> CounterFamily {
        try family(definition, .counter)
    }

    /// Makes and registers gauges that differ in their labels.
    package func gauges(_ definition: MetricDefinition) throws(MetricRegistrationError) -> GaugeFamily {
        try family(definition, .gauge)
    }

    /// Makes and registers histograms that differ in their labels.
    package func histograms(_ definition: MetricDefinition) throws(MetricRegistrationError) -> HistogramFamily {
        try family(definition, .histogram)
    }

    /// Makes and registers a counter or gauge family whose values are read when a page is written.
    package func observed(
        _ definition: MetricDefinition,
        _ source: ObservedFamily.Source? = nil
    ) throws(MetricRegistrationError) -> ObservedFamily {
        if definition.type == .histogram {
            throw MetricRegistrationError(name: definition.name, reason: "a histogram cannot be observed by a callback")
        }
        let family = ObservedFamily(definition: definition, limits: limits)
        family.observe(source)
        try add(family)
        return family
    }

    /// The definitions in the order of registration.
    package var definitions: [MetricDefinition] {
        state.withLock { $0.collectors.map(\.definition) }
    }

    /// The whole page in the given format. Takes the time of all callbacks and of writing every series, so it belongs
    /// on a thread that no request waits for.
    package func page(_ format: ExpositionFormat) -> [UInt8] {
        let collectors = state.withLock { $0.collectors }
        var writer = PrometheusWriter(format: format)
        for collector in collectors where writesDeprecated || collector.definition.stability != .deprecated {
            writer.begin(collector.definition)
            collector.collect(into: &writer)
        }
        guard writesDeprecated else { return writer.finish() }
        for collector in collectors {
            guard let definition = collector.definition.twinDefinition else { continue }
            guard let twin = TwinLabels(collector.definition) else { continue }
            writer.begin(definition)
            collector.collect(as: twin, into: &writer)
        }
        return writer.finish()
    }

    private func single<Instrument: MetricInstrument>(
        _ definition: MetricDefinition,
        _ type: MetricType
    ) throws(MetricRegistrationError) -> Instrument {
        if let label = definition.labels.first {
            let reason = "it has the label \"\(label.name)\" and so must be made as a family"
            throw MetricRegistrationError(name: definition.name, reason: reason)
        }
        return try family(definition, type).child([])
    }

    private func family<Instrument: MetricInstrument>(
        _ definition: MetricDefinition,
        _ type: MetricType
    ) throws(MetricRegistrationError) -> MetricFamily<Instrument> {
        if definition.type != type {
            let reason = "it is defined as a \(definition.type.rawValue) and made as a \(type.rawValue)"
            throw MetricRegistrationError(name: definition.name, reason: reason)
        }
        let family = MetricFamily<Instrument>(definition: definition, limits: limits)
        try add(family)
        return family
    }

    private func add(_ collector: any MetricCollector) throws(MetricRegistrationError) {
        let definition = collector.definition
        if let defect = definition.defect { throw MetricRegistrationError(name: definition.name, reason: defect) }
        try state.withLock { (state) throws(MetricRegistrationError) in
            let sampleNames = definition.sampleNames + (definition.twinDefinition?.sampleNames ?? [])
            for sampleName in sampleNames {
                if let owner = state.owners[sampleName] {
                    let reason = "the sample name \(sampleName) is already used by \(owner)"
                    throw MetricRegistrationError(name: definition.name, reason: reason)
                }
            }
            for sampleName in sampleNames { state.owners[sampleName] = definition.name }
            state.collectors.append(collector)
        }
    }
}
