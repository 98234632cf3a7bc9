import Testing

@testable import Telemetry

/// Families under their older names.
@Suite struct TwinTests {
    private static let counters = MetricDefinition(
        name: "new_total", type: .counter, labels: [.bounded("model"), "tenant", "side"], help: "N.",
        twin: DeprecatedTwin("old_total", labels: [.init("pod", from: "side"), "model"])
    )
    private static let histograms = MetricDefinition(
        name: "new_seconds", type: .histogram, unit: .seconds, labels: ["model", "tenant"], buckets: [1, 2], help: "N.",
        twin: DeprecatedTwin("old_seconds", labels: ["model"])
    )

    private func page(_ registry: MetricRegistry, _ format: ExpositionFormat = .prometheusText) -> String {
        String(decoding: registry.page(format), as: UTF8.self)
    }

    @Test func seriesAreAddedUpOverTheLabelsThatAreMissing() throws {
        let registry = MetricRegistry(writesDeprecated: true)
        let family = try registry.counters(Self.counters)
        family.child("m", "a", "up").increment(by: 1)
        family.child("m", "b", "up").increment(by: 2)
        family.child("m", "b", "down").increment(by: 4)
        family.child("n", "a", "up").increment(by: 8)
        #expect(
            page(registry).hasSuffix(
                """
                # HELP old_total [ALPHA] [Deprecated: Use new_total] N.
                # TYPE old_total counter
                old_total{pod="down",model="m"} 4
                old_total{pod="up",model="m"} 3
                old_total{pod="up",model="n"} 8

                """
            )
        )
    }

    @Test func bucketsAndSumsOfHistogramsAreAddedUp() throws {
        let registry = MetricRegistry(writesDeprecated: true)
        let family = try registry.histograms(Self.histograms)
        family.child("m", "a").observe(0.5)
        family.child("m", "b").observe(1.5)
        family.child("m", "b").observe(9)
        _ = family.child("n", "a")
        #expect(
            page(registry).hasSuffix(
                """
                # HELP old_seconds [ALPHA] [Deprecated: Use new_seconds] N.
                # TYPE old_seconds histogram
                old_seconds_bucket{model="m",le="1"} 1
                old_seconds_bucket{model="m",le="2"} 2
                old_seconds_bucket{model="m",le="+Inf"} 3
                old_seconds_sum{model="m"} 11
                old_seconds_count{model="m"} 3

                """
            )
        )
    }

    @Test func oneSeriesOfSeveralMayBeMeant() throws {
        let registry = MetricRegistry(writesDeprecated: true)
        let family = try registry.gauges(
            MetricDefinition(
                name: "fullness", type: .gauge, labels: ["pool", "stage"], help: "F.",
                twin: DeprecatedTwin("old_fullness", labels: ["pool"], only: .init(label: "stage", value: "effective"))
            )
        )
        family.child("p", "prefill").set(0.25)
        family.child("p", "effective").set(0.75)
        #expect(page(registry).hasSuffix("gauge\nold_fullness{pool=\"p\"} 0.75\n"))
    }

    @Test func observedFamiliesHaveTwinsToo() throws {
        let registry = MetricRegistry(writesDeprecated: true)
        _ = try registry.observed(
            MetricDefinition(
                name: "size", type: .gauge, labels: ["plugin"], help: "S.", twin: DeprecatedTwin("old_size")
            )
        ) { samples in
            samples.add(2, "a")
            samples.add(3, "b")
        }
        #expect(page(registry).hasSuffix("gauge\nold_size 5\n"))
    }

    @Test func withoutTheFlagNothingDeprecatedIsWritten() throws {
        let registry = MetricRegistry()
        try registry.counters(Self.counters).child("m", "a", "up").increment()
        try registry.counter(
            MetricDefinition(name: "gone_total", type: .counter, help: "[Deprecated] G.", stability: .deprecated)
        ).increment()
        #expect(!page(registry).contains("old_total") && !page(registry).contains("gone_total"))
        #expect(page(registry).contains("new_total"))
    }

    @Test func aTwinNeedsItsLabelsAndANameOfItsOwn() throws {
        func reason(_ definition: MetricDefinition, beside other: MetricDefinition? = nil) -> String? {
            let registry = MetricRegistry()
            do {
                if let other { _ = try registry.gauges(other) }
                _ = try registry.gauges(definition)
                return nil
            } catch {
                return "\(error)"
            }
        }
        func gauge(_ name: String, twin: DeprecatedTwin?) -> MetricDefinition {
            MetricDefinition(name: name, type: .gauge, labels: ["a"], help: "G.", twin: twin)
        }
        #expect(reason(gauge("g", twin: DeprecatedTwin("h", labels: ["b"])))?.contains("reads the label \"b\"") == true)
        #expect(reason(gauge("g", twin: DeprecatedTwin("h_total")))?.contains("only a counter") == true)
        let taken = gauge("h", twin: nil)
        #expect(reason(gauge("g", twin: DeprecatedTwin("h")), beside: taken)?.contains("already used by h") == true)
        #expect(reason(gauge("g", twin: DeprecatedTwin("old", labels: ["a"]))) == nil)
    }
}
