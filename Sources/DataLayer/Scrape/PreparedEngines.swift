package import GatewayCore

/// The readers of the known engines' pages, each prepared once. A copy of a reader shares the tables that a page is
/// compared with: a thousand endpoints with tables of their own would fetch each from memory again with every page.
package struct PreparedEngines: Sendable {
    /// The engines.
    let mappings: EngineMappings
    /// Readers that have read nothing.
    private let extractors: [EngineMetricsExtractor]

    /// Prepares the readers of `mappings`.
    package init(_ mappings: EngineMappings) {
        self.mappings = mappings
        extractors = mappings.mappings.map { EngineMetricsExtractor(mapping: $0) }
    }

    /// A reader for `mapping`, one of ``mappings``.
    func extractor(for mapping: EngineMetricMapping) -> EngineMetricsExtractor {
        extractors.first { $0.mapping.name == mapping.name } ?? EngineMetricsExtractor(mapping: mapping)
    }
}
