import Testing

@testable import Telemetry

@Suite struct WriterTests {
    /// One family of each kind, with values that need escapes and special numbers.
    private func registry() throws -> MetricRegistry {
        let registry = MetricRegistry()
        let counters = try registry.counters(
            MetricDefinition(
                name: "a_seconds_total", type: .counter, unit: .seconds, labels: ["x", "y"], help: "A \"b\"\\\nc.")
        )
        counters.child("quote\" back\\ line\n", "é").increment(by: 3)
        counters.child("", "z").increment()
        let gauge = try registry.gauge(
            MetricDefinition(name: "b", type: .gauge, unit: .bytes, help: "B.", stability: .stable))
        gauge.set(.infinity)
        _ = try registry.gauges(MetricDefinition(name: "empty", type: .gauge, labels: ["x"], help: "Nothing yet."))
        let histograms = try registry.histograms(
            MetricDefinition(
                name: "h_bytes", type: .histogram, unit: .bytes, labels: ["x"], buckets: [0.5, 1, 1_048_576], help: "H."
            )
        )
        let histogram = histograms.child("1")
        for value in [0.25, 1, 2, 3e7] { histogram.observe(value) }
        _ = histograms.child("unused")
        _ = try registry.histogram(MetricDefinition(name: "i", type: .histogram, buckets: [1], help: "I."))
        _ = try registry.observed(MetricDefinition(name: "o", type: .gauge, labels: ["x"], help: "O.")) { samples in
            samples.add(.nan, "b")
            samples.add(1.5, "a")
            samples.add(2.5, "a")
            samples.add(7)
        }
        return registry
    }

    @Test func prometheusText() throws {
        let page = String(decoding: try registry().page(.prometheusText), as: UTF8.self)
        #expect(
            page == #"""
                # HELP a_seconds_total [ALPHA] A "b"\\\nc.
                # TYPE a_seconds_total counter
                a_seconds_total{x="",y="z"} 1
                a_seconds_total{x="quote\" back\\ line\n",y="é"} 3
                # HELP b B.
                # TYPE b gauge
                b +Inf
                # HELP h_bytes [ALPHA] H.
                # TYPE h_bytes histogram
                h_bytes_bucket{x="1",le="0.5"} 1
                h_bytes_bucket{x="1",le="1"} 2
                h_bytes_bucket{x="1",le="1.048576e+06"} 3
                h_bytes_bucket{x="1",le="+Inf"} 4
                h_bytes_sum{x="1"} 3.000000325e+07
                h_bytes_count{x="1"} 4
                # HELP i [ALPHA] I.
                # TYPE i histogram
                i_bucket{le="1"} 0
                i_bucket{le="+Inf"} 0
                i_sum 0
                i_count 0
                # HELP o [ALPHA] O.
                # TYPE o gauge
                o{x="a"} 1.5
                o{x="b"} NaN

                """#
        )
    }

    @Test func openMetrics() throws {
        let page = String(decoding: try registry().page(.openMetrics), as: UTF8.self)
        #expect(
            page == #"""
                # HELP a_seconds [ALPHA] A \"b\"\\\nc.
                # TYPE a_seconds counter
                # UNIT a_seconds seconds
                a_seconds_total{x="",y="z"} 1
                a_seconds_total{x="quote\" back\\ line\n",y="é"} 3
                # HELP b B.
                # TYPE b gauge
                b +Inf
                # HELP h_bytes [ALPHA] H.
                # TYPE h_bytes histogram
                # UNIT h_bytes bytes
                h_bytes_bucket{x="1",le="0.5"} 1
                h_bytes_bucket{x="1",le="1.0"} 2
                h_bytes_bucket{x="1",le="1.048576e+06"} 3
                h_bytes_bucket{x="1",le="+Inf"} 4
                h_bytes_sum{x="1"} 3.000000325e+07
                h_bytes_count{x="1"} 4
                # HELP i [ALPHA] I.
                # TYPE i histogram
                i_bucket{le="1.0"} 0
                i_bucket{le="+Inf"} 0
                i_sum 0
                i_count 0
                # HELP o [ALPHA] O.
                # TYPE o gauge
                o{x="a"} 1.5
                o{x="b"} NaN
                # EOF

                """#
        )
    }

    /// The expected texts are what strconv.FormatFloat(v, 'g', -1, 64) of Go gives.
    @Test(
        arguments: [
            (0, "0"), (-0.0, "-0"), (1, "1"), (0.1, "0.1"), (0.00205, "0.00205"), (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123456, "123456"), (999999, "999999"), (1_000_000, "1e+06"), (1_234_567.5, "1.2345675e+06"),
            (12.5, "12.5"),
            (1e21, "1e+21"), (1e100, "1e+100"), (-2.5e-7, "-2.5e-07"), (.leastNonzeroMagnitude, "5e-324"), (120, "120"),
            (1.7976931348623157e308, "1.7976931348623157e+308"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
            (.nan, "NaN"),
        ] as [(Double, String)])
    func canonicalNumbers(_ value: Double, _ text: String) {
        var page: [UInt8] = []
        ExpositionNumber.appendCanonical(value, to: &page)
        #expect(String(decoding: page, as: UTF8.self) == text)
    }

    @Test func numbersReadBackAsThemselves() {
        var generator = SplitMix(seed: 3)
        for _ in 0..<5_000 {
            let value = Double(bitPattern: generator.next())
            if value.isNaN { continue }
            for writeNumber in [ExpositionNumber.append, ExpositionNumber.appendCanonical] {
                var page: [UInt8] = []
                writeNumber(value, &page)
                #expect(Double(String(decoding: page, as: UTF8.self)) == value)
            }
        }
    }

    @Test func wholeNumbersAreWrittenPlainly() {
        for (value, text) in [(1_048_576, "1048576"), (9_007_199_254_740_992, "9.007199254740992e+15"), (-3, "-3")] {
            var page: [UInt8] = []
            ExpositionNumber.append(Double(value), to: &page)
            #expect(String(decoding: page, as: UTF8.self) == text)
        }
    }

    @Test func aSourceCanBeReplacedAndTakenAway() throws {
        let registry = MetricRegistry()
        let family = try registry.observed(MetricDefinition(name: "o", type: .gauge, help: "O.", stability: .stable))
        #expect(registry.page(.prometheusText).isEmpty)
        family.observe { $0.add(1) }
        family.observe { $0.add(2) }
        #expect(String(decoding: registry.page(.prometheusText), as: UTF8.self).hasSuffix("gauge\no 2\n"))
        family.observe(nil)
        #expect(registry.page(.prometheusText).isEmpty)
    }
}

@Suite struct ExpositionFormatTests {
    @Test(
        arguments: [
            (nil, .prometheusText),
            ("", .prometheusText),
            ("*/*", .prometheusText),
            ("text/html,application/xhtml+xml,*/*;q=0.8", .prometheusText),
            ("text/plain;version=0.0.4", .prometheusText),
            ("application/openmetrics-text", .openMetrics),
            ("Application/OpenMetrics-Text ; Version=\"1.0.0\"", .openMetrics),
            ("application/openmetrics-text;version=0.0.1", .prometheusText),
            ("application/openmetrics-text;version=2.0.0", .prometheusText),
            ("application/openmetrics-text;q=0", .prometheusText),
            ("application/openmetrics-text;q=zero", .prometheusText),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.5", .prometheusText),
            ("application/openmetrics-text;q=0.4,text/*;q=0.5", .prometheusText),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.3,*/*;q=0.9", .openMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
                    + "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", .openMetrics
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                    + "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,text/plain;version=0.0.4;q=0.3", .openMetrics
            ),
            (";;;,,=;q=,", .prometheusText),
        ] as [(String?, ExpositionFormat)])
    func negotiation(_ accept: String?, _ format: ExpositionFormat) {
        #expect(ExpositionFormat.negotiate(accept: accept) == format)
    }

    @Test(
        arguments: [
            (nil, .prometheusText),
            ("text/plain; version=1.0.0", .prometheusText),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", .openMetrics),
            (" APPLICATION/openmetrics-text", .openMetrics),
        ] as [(String?, ExpositionFormat)])
    func contentType(_ header: String?, _ format: ExpositionFormat) {
        #expect(ExpositionFormat(contentType: header) == format)
    }
}
