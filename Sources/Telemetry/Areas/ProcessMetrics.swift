/// The conventional `process_` metrics, read from the kernel when a page is written. On systems without `/proc` the
/// families stay off the page.
package struct ProcessMetrics: Sendable {
    private let families: [ObservedFamily]

    /// Registers the process families.
    package init(registry: MetricRegistry) throws(MetricRegistrationError) {
        typealias Names = MetricCatalogue.Process
        let startTime = ProcessReading.startTime()
        families = [
            try registry.observed(Names.cpu, Self.source(ProcessReading.cpuSeconds)),
            try registry.observed(Names.residentMemory, Self.source(ProcessReading.residentBytes)),
            try registry.observed(Names.openDescriptors, Self.source(ProcessReading.openDescriptors)),
            try registry.observed(Names.descriptorLimit, Self.source(ProcessReading.descriptorLimit)),
            try registry.observed(Names.startTime, Self.source { startTime }),
        ]
    }

    private static func source(_ read: @escaping @Sendable () -> Double?) -> ObservedFamily.Source {
        { samples in
            if let value = read() { samples.add(value) }
        }
    }
}
