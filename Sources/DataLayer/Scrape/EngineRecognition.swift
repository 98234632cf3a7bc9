package import GatewayCore

/// Reads the pages of one endpoint, and finds out which engine it is when its labels do not say.
///
/// An endpoint without a label is taken for the default engine. When a page tells nothing of that engine's queue, the
/// other known engines are tried in their order; the first that the page tells of is kept until a page tells nothing of
/// it. A value without isolation: the endpoint's watch owns it.
package struct EngineRecognition: Sendable {
    private let engines: PreparedEngines
    private var extractor: EngineMetricsExtractor?
    private var isLabelled = false

    /// Recognises the engines of `engines`.
    package init(engines: PreparedEngines) {
        self.engines = engines
    }

    /// The engine that pages are read for; `nil` before the first page.
    package var engine: String? { extractor?.mapping.name }

    /// Reads a page of the endpoint.
    ///
    /// - Parameters:
    ///   - page: the page.
    ///   - labels: the endpoint's labels now.
    ///   - previous: its metrics until now.
    ///   - mayTryOthers: whether the page may be read once per known engine, should the present one not be recognised.
    package mutating func read(
        _ page: RawSpan,
        labels: [String: String],
        previous: EndpointMetrics,
        mayTryOthers: Bool
    ) -> EngineMetricsExtractor.Reading {
        settle(labels)
        // In place: a copy of the extractor would copy its arrays with every page.
        guard let reading = extractor?.read(page, previous: previous) else {
            return EngineMetricsExtractor.Reading(metrics: previous)
        }
        if reading.isRecognised || isLabelled || !mayTryOthers { return reading }
        let tried = engine
        for mapping in engines.mappings.mappings where mapping.name != tried {
            var other = engines.extractor(for: mapping)
            let attempt = other.read(page, previous: previous)
            if attempt.isRecognised {
                extractor = other
                return attempt
            }
        }
        return reading
    }

    /// Follows the labels; a label that names no known engine means the default one.
    private mutating func settle(_ labels: [String: String]) {
        let name = engines.mappings.engineName(labels: labels)
        let wasLabelled = isLabelled
        isLabelled = name != nil
        if isLabelled || wasLabelled || extractor == nil {
            guard let mapping = engines.mappings.mapping(labels: labels) else { return }
            if extractor?.mapping != mapping { extractor = engines.extractor(for: mapping) }
        }
    }
}
