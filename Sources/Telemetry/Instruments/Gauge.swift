import Synchronization

/// A number that goes up and down. Any thread may change it at any time, without a lock.
package final class Gauge: MetricInstrument {
    /// The bits of the Double, since only integers have atomic operations.
    private let bits = Atomic<UInt64>((0 as Double).bitPattern)

    /// Starts at zero; families and the registry call it.
    package init(definition: MetricDefinition) {}

    /// Replaces the value.
    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds `amount`, which may be negative. Whole numbers stay exact up to 2^53.
    package func add(_ amount: Double) {
        bits.addDouble(amount)
    }

    /// Adds one.
    package func increment() {
        add(1)
    }

    /// Takes one away.
    package func decrement() {
        add(-1)
    }

    /// The value now.
    package var value: Double {
        Double(bitPattern: bits.load(ordering: .relaxed))
    }

    /// The value now, for the page.
    package var reading: GaugeReading { GaugeReading(value: value) }
}

/// What a gauge said.
package struct GaugeReading: MetricReading {
    private(set) var value: Double

    /// Adds the other's value.
    package mutating func add(_ other: GaugeReading) {
        value += other.value
    }

    /// Writes the value.
    package func write(_ labels: borrowing LabelPairs, into writer: inout PrometheusWriter) {
        writer.sample(labels, value: value)
    }
}

extension Atomic where Value == UInt64 {
    /// Adds to the Double whose bits are stored here.
    func addDouble(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
