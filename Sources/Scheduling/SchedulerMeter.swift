import GatewayCore
import Telemetry

/// Counts what the decisions of one scheduler show of its plugins. Instruments are looked up once, so that a decision
/// only adds to them. Safe from any thread.
final class SchedulerMeter: Sendable {
    private struct PrefixCache: Sendable {
        let producer: any PrefixCacheProducer
        let ratio: Histogram
        let bytes: Histogram
    }

    private struct MediaCache: Sendable {
        let producer: any MediaCacheProducer
        let type: String
        let name: String
        let ratio: Histogram
    }

    /// The bytes that a token of a prompt counts as, where only bytes are known.
    private static let bytesPerToken = 4

    private let metrics: SchedulingMetrics
    /// By the plugins' numbers in traces.
    private let durations: [Histogram]
    private let prefixCaches: [PrefixCache]
    private let mediaCaches: [MediaCache]

    init(_ pipeline: PluginPipeline, outline: TraceOutline, metrics: SchedulingMetrics) {
        self.metrics = metrics
        durations = outline.entries.map { entry in
            metrics.pluginDuration.child(entry.stage.extensionPoint, entry.type, entry.name)
        }
        prefixCaches = pipeline.plugins.compactMap { instance in
            (instance.plugin as? any PrefixCacheProducer).map { producer in
                PrefixCache(
                    producer: producer,
                    ratio: metrics.prefixHitRatio.child(instance.name, instance.type),
                    bytes: metrics.prefixHitBytes.child(instance.name, instance.type)
                )
            }
        }
        mediaCaches = pipeline.plugins.compactMap { instance in
            (instance.plugin as? any MediaCacheProducer).map { producer in
                MediaCache(
                    producer: producer,
                    type: instance.type,
                    name: instance.name,
                    ratio: metrics.encoderCacheHitRatio.child(instance.type, instance.name)
                )
            }
        }
    }

    /// Counts the times of a decision's steps.
    func countSteps(of trace: SchedulingTrace) {
        trace.forEachStep { plugin, nanoseconds in durations[plugin].observe(Double(nanoseconds) * 1e-9) }
    }

    /// Counts what the chosen endpoint is believed to hold, before the plugins note that the request goes there.
    func willSend(_ decision: SchedulingDecision, _ context: SchedulingContext) {
        for cache in prefixCaches {
            let total = cache.producer.lookedUpTokens(of: context)
            guard total > 0 else { continue }
            let held = cache.producer.cachedTokens(of: context, on: decision.endpoint)
            cache.ratio.observe(min(1, Double(held) / Double(total)))
            cache.bytes.observe(Double(held) * Double(Self.bytesPerToken))
        }
        for cache in mediaCaches { count(cache, cache.producer.lookUps(of: context, on: decision.endpoint), decision) }
    }

    private func count(_ cache: MediaCache, _ lookUps: [MediaLookUp], _ decision: SchedulingDecision) {
        guard !lookUps.isEmpty else { return }
        var held = 0
        for lookUp in lookUps {
            metrics.encoderCacheQueries.child(cache.type, cache.name, lookUp.modality).increment()
            guard lookUp.isHeld else { continue }
            held += 1
            let pod = decision.endpoint.id.name
            metrics.encoderCacheHits.child(cache.type, cache.name, pod, lookUp.modality).increment()
        }
        cache.ratio.observe(Double(held) / Double(lookUps.count))
    }
}

extension SchedulingTrace.Step.Stage {
    /// The name of the extension point in metrics.
    fileprivate var extensionPoint: String {
        switch self {
        case .screener: "Screener"
        case .producer: "DataProducer"
        case .admitter: "Admission"
        case .filter: "Filter"
        case .scorer: "Scorer"
        case .picker: "Picker"
        }
    }
}
