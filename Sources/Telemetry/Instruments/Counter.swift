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

    /// The count so far, for the page.
    package var reading: CounterReading { CounterReading(count: value) }
}

/// What a counter said.
package struct CounterReading: MetricReading {
    private(set) var count: UInt64

    /// Adds the other's events.
    package mutating func add(_ other: CounterReading) {
        count &+= other.count
    }

    /// Writes the count.
    package func write(_ labels: borrowing LabelPairs, into writer: inout PrometheusWriter) {
        writer.sample(labels, count: count)
    }
}
