import GatewayCore
import GatewayTesting
import Scheduling
import Telemetry
import Testing

/// What decisions show of plugins on the metrics page.
@Suite struct SchedulerMeterTests {
    private let registry = MetricRegistry()

    private func lines(_ prefix: String) -> [Substring] {
        String(decoding: registry.page(.prometheusText), as: UTF8.self).split(separator: "\n").filter {
            $0.hasPrefix(prefix)
        }
    }

    @Test func keptDecisionsTimeTheirSteps() throws {
        let clock = ManualClock()
        let metrics = try SchedulingMetrics(registry: registry)
        let filters = [NameFilter(["e0", "e1"])]
        let scheduler = makeScheduler(
            [makeProfile(filters: filters, scorers: [(1, ClosureScorer { _ in 1 })])],
            plugins: [SlowPlugin(clock: clock, nanoseconds: 300_000, admits: true)],
            metrics: metrics
        )
        var context = SchedulingContext.sample()
        _ = try scheduler.schedule(&context, candidates: .sample(count: 3))
        #expect(lines("llm_d_epp_plugin_duration_seconds_count").isEmpty, "nothing is timed without a trace")
        for _ in 0..<2 {
            var trace: SchedulingTrace? = scheduler.trace(clock: clock, begunAt: clock.now)
            _ = try scheduler.schedule(&context, candidates: .sample(count: 3), trace: &trace)
            scheduler.countSteps(of: try #require(trace))
        }
        let told = Set(lines("llm_d_epp_plugin_duration_seconds_count").map(String.init))
        for (point, name) in [
            ("Filter", "f0"), ("Scorer", "s0"), ("Picker", "picker"), ("Admission", "p0"), ("Screener", "p0"),
        ] {
            #expect(
                told.contains { line in
                    line.contains("extension_point=\"\(point)\"") && line.contains("plugin_name=\"\(name)\"")
                        && line.hasSuffix(" 2")
                },
                "\(point) \(name)"
            )
        }
        // Only the slow plugin takes time by the clock that stands still, twice each, and as a producer by its type.
        let sums = lines("llm_d_epp_plugin_duration_seconds_sum").compactMap { line in
            line.split(separator: " ").last.flatMap { Double($0) }
        }
        let slow = sums.filter { $0 > 0 }
        #expect(slow.count == 3 && slow.allSatisfy { abs($0 - 0.0006) < 1e-9 })
    }

    @Test func cachesTellWhatTheChosenEndpointHolds() throws {
        let metrics = try SchedulingMetrics(registry: registry)
        let scheduler = makeScheduler(
            [makeProfile()], plugins: [KnowingCache(held: 48, total: 64)], metrics: metrics
        )
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 1))
        scheduler.willSend(decision, context: &context)
        let labels = #"{plugin_name="p0",plugin_type="test"}"#
        let (ratio, bytes) = ("llm_d_epp_prefix_indexer_hit_ratio_sum", "llm_d_epp_prefix_indexer_hit_bytes_sum")
        #expect(lines(ratio) == ["\(ratio)\(labels) 0.75"])
        #expect(lines(bytes) == ["\(bytes)\(labels) 192"])
        let (queries, hits) = ("llm_d_epp_encoder_cache_queries_total", "llm_d_epp_encoder_cache_hits_total")
        let plugin = #"{plugin_type="test",plugin_name="p0""#
        #expect(
            lines(queries) == [
                "\(queries)\(plugin),modality=\"audio\"} 1", "\(queries)\(plugin),modality=\"image\"} 1",
            ]
        )
        #expect(lines(hits) == ["\(hits)\(plugin),pod=\"e0\",modality=\"image\"} 1"])
        #expect(lines("llm_d_epp_encoder_cache_hit_ratio_sum").first?.hasSuffix(" 0.5") == true)
        #expect(scheduler.rememberedPrefixes.map(\.blocks) == [9])
        #expect(scheduler.rememberedPrefixes.map(\.name) == ["p0"])
    }
}

/// Holds so many tokens of every prompt, and of its two media the picture.
private final class KnowingCache: PrefixCacheProducer, MediaCacheProducer {
    static let descriptor = PluginDescriptor(type: "knowing-cache", summary: "Knows what is held.")

    private let held: Int
    private let total: Int

    init(held: Int, total: Int) {
        self.held = held
        self.total = total
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        (held, total) = (0, 0)
    }

    var rememberedBlocks: Int? { 9 }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {}

    func holdsPrefix(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Bool { held > 0 }

    func cachedTokens(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> Int { held }

    func lookedUpTokens(of context: SchedulingContext) -> Int { total }

    func lookUps(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> [MediaLookUp] {
        [MediaLookUp(modality: "image", isHeld: true), MediaLookUp(modality: "audio", isHeld: false)]
    }
}
