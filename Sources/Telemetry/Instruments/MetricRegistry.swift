import Synchronization

/// A family as the page sees it.
protocol MetricCollector: Sendable {
    var definition: MetricDefinition { get }
    /// Writes the samples; the registry has written the family's head.
    func collect(into writer: inout PrometheusWriter)
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
/// Safe from any thread. Families stand on the page in the order in which they were registered.
package final class MetricRegistry: Sendable {
    private struct State {
        var collectors: [any MetricCollector] = []
        /// Every sample name in use, and the family that uses it.
        var owners: [String: String] = [:]
    }

    /// The limits of every family made here.
    package let limits: CardinalityLimits
    private let state = Mutex(State())

    /// An empty registry.
    package init(limits: CardinalityLimits = CardinalityLimits()) {
        self.limits = limits
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
        for collector in collectors {
            writer.begin(collector.definition)
            collector.collect(into: &writer)
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
            for sampleName in definition.sampleNames {
                if let owner = state.owners[sampleName] {
                    let reason = "the sample name \(sampleName) is already used by \(owner)"
                    throw MetricRegistrationError(name: definition.name, reason: reason)
                }
            }
            for sampleName in definition.sampleNames { state.owners[sampleName] = definition.name }
            state.collectors.append(collector)
        }
    }
}
