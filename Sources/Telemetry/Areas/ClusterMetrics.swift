/// The instruments of what is followed in a cluster, by resource type such as `pods`.
package struct ClusterMetrics: Sendable {
    /// Whether the objects are known and followed, 1 or 0.
    package let synced: GaugeFamily
    /// Times that all objects were listed.
    package let lists: CounterFamily
    /// Objects that came, changed or went.
    package let events: CounterFamily
    /// Objects that could not be read.
    package let malformed: CounterFamily

    /// Registers the families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Cluster
        synced = try registry.gauges(Names.synced)
        lists = try registry.counters(Names.lists)
        events = try registry.counters(Names.events)
        malformed = try registry.counters(Names.malformed)
    }
}

/// The instrument of an election among replicas.
package struct ElectionMetrics: Sendable {
    /// Whether this process leads, 1 or 0.
    package let isLeader: Gauge

    /// Registers the family.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        isLeader = try registry.gauge(MetricCatalogue.Cluster.isLeader)
    }
}
