import Synchronization

/// A count of events that only grows. Any thread may add to it at any time; adding takes one atomic instruction.
package final class Counter: MetricInstrument {
    private let count = Atomic<UInt64>(0)

    /// Starts at zero; families and the registry call it.
    package init(definition: MetricDefinition) {}

    /// Adds `amount` events.
    package func increment(by amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count so far.
    package var value: UInt64 {
        count.load(ordering: .relaxed)
    }

    /// Writes the series.
    package func write(_ labels: borrowing LabelPairs, into writer: inout PrometheusWriter) {
        writer.sample(labels, count: value)
    }
}
