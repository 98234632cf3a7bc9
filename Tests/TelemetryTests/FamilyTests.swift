import Testing

@testable import Telemetry

@Suite struct FamilyTests {
    private static let definition = MetricDefinition(
        name: "c_total", type: .counter, labels: [.bounded("model"), "side"], help: "C."
    )

    private func family(values: Int = 3, series: Int = 100) throws -> CounterFamily {
        let limits = CardinalityLimits(valuesPerLabel: values, seriesPerFamily: series)
        return try MetricRegistry(limits: limits).counters(Self.definition)
    }

    @Test func aChildIsMadeOnceAndKept() throws {
        let family = try family()
        let child = family.child("a", "up")
        child.increment()
        #expect(family.child(["a", "up"]) === child)
        #expect(family.child("a", "down") !== child)
        #expect(family.seriesCount == 2)
    }

    @Test func valuesBeyondTheLimitAreCountedTogether() throws {
        let family = try family(values: 3)
        for model in 0..<50 { family.child("m\(model)", "up").increment() }
        #expect(family.seriesCount == 4)
        #expect(family.child("other", "up").value == 47)
        #expect(family.child("m2", "up").value == 1)
        // A known value keeps its own series with a new value of another label.
        family.child("m0", "down").increment()
        #expect(family.child("m0", "down") !== family.child("m9", "down"))
    }

    @Test func labelsThatAreNotBoundedAreKeptApart() throws {
        let family = try family(values: 1)
        for side in 0..<20 { family.child("m", "\(side)").increment() }
        #expect(family.seriesCount == 20)
    }

    @Test func aRemovedValueMakesRoom() throws {
        let family = try family(values: 1)
        family.child("a", "up").increment()
        family.child("a", "down").increment()
        family.remove { $0 == ["a", "up"] }
        #expect(family.child("b", "up") === family.child("other", "up"), "a still has the series of the other side")
        family.remove("model", equals: "a")
        #expect(family.child("b", "up") !== family.child("other", "up"))
    }

    @Test func pinnedValuesStandBesideTheLimit() throws {
        let family = try family(values: 1)
        family.pin(["kept"], of: "model")
        family.child("a", "up").increment()
        #expect(family.child("kept", "up") !== family.child("other", "up"))
        #expect(family.child("b", "up") === family.child("other", "up"))
    }

    @Test func longValuesFromOutsideAreNotKept() throws {
        let family = try family()
        let long = String(repeating: "x", count: LabelValueBound.valueBytesMax + 1)
        #expect(family.child(long, "up") === family.child("other", "up"))
        #expect(family.child(String(long.dropLast()), "up") !== family.child("other", "up"))
    }

    @Test func seriesBeyondTheLimitLoseTheirBoundedLabels() throws {
        let family = try family(values: 100, series: 5)
        for model in 0..<20 { family.child("m\(model)", "up").increment() }
        #expect(family.seriesCount == 6)
        #expect(family.child("other", "up").value == 15)
    }

    @Test func concurrentLookUpsAgree() async throws {
        let family = try family(values: 10)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for round in 0..<500 { family.child("m\(round % 10)", "up").increment() }
                }
            }
        }
        #expect((0..<10).map { family.child("m\($0)", "up").value } == Array(repeating: 400, count: 10))
    }
}

@Suite struct RegistryTests {
    private func reason(_ definitions: MetricDefinition...) -> String? {
        let registry = MetricRegistry()
        do {
            for definition in definitions {
                switch definition.type {
                case .counter: _ = try registry.counters(definition)
                case .gauge: _ = try registry.gauges(definition)
                case .histogram: _ = try registry.histograms(definition)
                }
            }
            return nil
        } catch {
            return error.description
        }
    }

    @Test func aNameIsTakenOnce() {
        let gauge = MetricDefinition(name: "g", type: .gauge, help: "G.")
        #expect(
            reason(gauge, gauge)
                == "The metric g cannot be registered: the sample name g is already used by g."
        )
    }

    @Test func sampleNamesOfAHistogramAreTakenToo() {
        let histogram = MetricDefinition(name: "h", type: .histogram, buckets: [1], help: "H.")
        #expect(
            reason(histogram, MetricDefinition(name: "h_count", type: .gauge, help: "G."))?.contains("h_count") == true)
        #expect(reason(MetricDefinition(name: "h_sum", type: .gauge, help: "G."), histogram)?.contains("h_sum") == true)
        #expect(reason(histogram, MetricDefinition(name: "h_max", type: .gauge, help: "G.")) == nil)
    }

    @Test(arguments: [
        (MetricDefinition(name: "1a", type: .gauge, help: ""), "must match"),
        (MetricDefinition(name: "", type: .gauge, help: ""), "must match"),
        (MetricDefinition(name: "a-b", type: .gauge, help: ""), "must match"),
        (MetricDefinition(name: "a", type: .counter, help: ""), "must end in _total"),
        (MetricDefinition(name: "a_total", type: .gauge, help: ""), "only a counter"),
        (MetricDefinition(name: "a", type: .gauge, labels: ["a:b"], help: ""), "\"a:b\""),
        (MetricDefinition(name: "a", type: .gauge, labels: ["__a"], help: ""), "\"__a\""),
        (MetricDefinition(name: "a", type: .gauge, labels: ["b", "b"], help: ""), "stands twice"),
        (MetricDefinition(name: "a", type: .histogram, labels: ["le"], buckets: [1], help: ""), "\"le\""),
        (MetricDefinition(name: "a", type: .histogram, help: ""), "at least one"),
        (MetricDefinition(name: "a", type: .histogram, buckets: [1, 1], help: ""), "bucket 1, 1.0, must be above 1.0"),
        (MetricDefinition(name: "a", type: .histogram, buckets: [1, .infinity], help: ""), "+Inf is implied"),
        (MetricDefinition(name: "a", type: .histogram, buckets: (0..<48).map(Double.init), help: ""), "48 buckets"),
        (MetricDefinition(name: "a", type: .gauge, buckets: [1], help: ""), "only a histogram"),
    ])
    func aBadDefinitionIsRefused(_ definition: MetricDefinition, _ part: String) {
        #expect(reason(definition)?.contains(part) == true)
    }

    @Test func theKindMustFitTheDefinition() {
        let labelled = MetricDefinition(name: "a_total", type: .counter, labels: ["b"], help: "")
        #expect(throws: MetricRegistrationError.self) { try MetricRegistry().counter(labelled) }
        #expect(throws: MetricRegistrationError.self) { try MetricRegistry().gauges(labelled) }
        let histogram = MetricDefinition(name: "h", type: .histogram, buckets: [1], help: "")
        #expect(throws: MetricRegistrationError.self) { try MetricRegistry().observed(histogram) }
    }
}
