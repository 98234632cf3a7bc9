import Testing

@testable import Telemetry

@Suite struct ScannerTests {
    private func read(
        _ page: String,
        _ names: String...,
        format: ExpositionFormat = .prometheusText,
        labels: [String] = []
    ) -> [ReadSample] {
        var scanner = ExpositionScanner(wanted: WantedMetrics(names.map { WantedMetric(name: $0) }))
        return scanner.read(Array(page.utf8), format, labels: labels)
    }

    @Test func vllmPage() throws {
        var scanner = ExpositionScanner(wanted: Fixtures.vllm.wanted)
        let keys = ["running_lora_adapters", "max_lora", "block_size", "num_gpu_blocks", "_block_size_resolved"]
        let samples = scanner.read(try Fixtures.vllm.bytes(), labels: keys)
        #expect(
            samples == [
                ReadSample(1, 4, .gauge),
                ReadSample(0, 2, .gauge),
                ReadSample(2, 0.5534591194968553, .gauge),
                ReadSample(3, 1.7954641384397266e+09, .gauge, ["running_lora_adapters": "", "max_lora": "2"]),
                ReadSample(3, 1.7954642249294963e+09, .gauge, ["running_lora_adapters": "lora-a", "max_lora": "2"]),
                ReadSample(
                    3, 1.795464225162584e+09, .gauge, ["running_lora_adapters": "lora-a,lora-b", "max_lora": "2"]),
                ReadSample(
                    4, 1, .gauge, ["block_size": "32", "num_gpu_blocks": "160", "_block_size_resolved": "True"]
                ),
            ]
        )
        #expect(scanner.statistics == ExpositionStatistics(lines: 664, samples: 7))
    }

    @Test func sglangPage() throws {
        var scanner = ExpositionScanner(wanted: Fixtures.sglang.wanted)
        let samples = scanner.read(try Fixtures.sglang.bytes(), labels: ["tp_rank"])
        let rank = ["tp_rank": "0"]
        #expect(
            samples == [
                ReadSample(3, 1, .gauge, rank), ReadSample(4, 4096, .gauge, rank), ReadSample(1, 3, .gauge, rank),
                ReadSample(0, 0, .gauge, rank), ReadSample(2, 0.18, .gauge, rank),
            ]
        )
    }

    @Test func llamaCPPPage() throws {
        var scanner = ExpositionScanner(wanted: Fixtures.llamaCPP.wanted)
        let samples = scanner.read(try Fixtures.llamaCPP.bytes())
        #expect(samples == [ReadSample(0, 2, .gauge), ReadSample(1, 3, .gauge)])
    }

    /// A sample that is wanted under a name is not found under a longer or a shorter one.
    @Test func namesAreComparedWhole() {
        let page =
            "abcdefghij 1\nabcdefghi 2\nabcdefgh 3\nbcdefghi 4\nxabcdefghi 5\nxbcdefghi 5\n"
            + "abcdefghi{} 6\nabcdefghi\t7\n"
        #expect(read(page, "abcdefghi") == [ReadSample(0, 2), ReadSample(0, 6), ReadSample(0, 7)])
        #expect(read("a 1\nb 2\nab 3\n", "b", "a") == [ReadSample(1, 1), ReadSample(0, 2)])
        #expect(read("é 1\n", "") == [])
    }

    @Test func blanksAreTolerated() {
        let page =
            " \t a 1 \r\n\n  \na{ x = \"1\" , y=\"2\", } 2\na\t{x=\"3\"}\t3\t99\t\r\n#\n#TYPE a counter\n"
            + " # TYPE  a\tgauge \na 4"
        #expect(
            read(page, "a", labels: ["x", "y"]) == [
                ReadSample(0, 1), ReadSample(0, 2, .untyped, ["x": "1", "y": "2"]),
                ReadSample(0, 3, timestamp: 99, .untyped, ["x": "3"]), ReadSample(0, 4, .gauge),
            ]
        )
    }

    @Test func labelValuesMayHoldAnything() {
        let page = #"a{x="}\" 9 # {",y="b\\",z="l1\nl2\q"} 1"# + "\n"
        #expect(
            read(page, "a", labels: ["x", "y", "z", "w"]) == [
                ReadSample(0, 1, .untyped, ["x": "}\" 9 # {", "y": "b\\", "z": "l1\nl2\\q"])
            ]
        )
        var scanner = ExpositionScanner(wanted: Fixtures.wanting("a"))
        let invalid = Array("a{x=\"".utf8) + [0xFF, 0xC3] + Array("\"} 1\n".utf8)
        #expect(scanner.read(invalid, labels: ["x"]) == [ReadSample(0, 1, .untyped, ["x": "\u{FFFD}\u{FFFD}"])])
    }

    @Test func selectorsChooseAmongSeriesOfOneName() {
        let name = "nv_trt_llm_kv_cache_block_metrics"
        let kind = { WantedMetric.LabelMatch(label: "kv_cache_block_type", value: $0) }
        let page = """
            # TYPE \(name) gauge
            \(name){kv_cache_block_type="fraction",model="m"} 0.4875
            \(name){kv_cache_block_type="max",model="m"} 6239
            \(name){kv_cache_block_type="used",model="m"} 1
            \(name){model="n"} 5

            """
        var scanner = ExpositionScanner(
            wanted: WantedMetrics([
                WantedMetric(name: name, selector: [kind("max")]),
                WantedMetric(name: name, selector: [kind("fraction"), .init(label: "model", value: "m")]),
                WantedMetric(name: name, selector: [kind("")]),
                WantedMetric(name: name, selector: [.init(label: "model", value: "x")]),
            ])
        )
        let samples = scanner.read(Array(page.utf8))
        #expect(samples == [ReadSample(1, 0.4875, .gauge), ReadSample(0, 6239, .gauge), ReadSample(2, 5, .gauge)])
        #expect(scanner.statistics.samples == 3)
    }

    @Test(
        arguments: [
            ("1", 1), ("1.0", 1), ("-0.5", -0.5), ("+Inf", .infinity), ("-Inf", -.infinity), ("Inf", .infinity),
            ("NaN", .nan), ("nan", .nan), ("2.002173952e+09", 2_002_173_952), ("1E3", 1000),
            ("5e-324", .leastNonzeroMagnitude),
            (".5", 0.5), ("5.", 5), ("18446744073709551615", 18446744073709551616), ("1e999", .infinity),
            ("-1e-999", 0),
            ("123456789012345678901234567890.", 1.2345678901234568e29), ("1e9223372036854775808", .infinity),
            ("0.1", 0.1), ("9007199254740993", 9007199254740992), ("infinity", .infinity),
        ] as [(String, Double)])
    func values(_ text: String, _ value: Double) {
        #expect(read("a \(text)\n", "a") == [ReadSample(0, value)])
    }

    @Test(arguments: [
        "a", "a ", "a{", "a{}", "a{} ", "a{x} 1", "a{x=} 1", "a{x=\"} 1", "a{x=\"1\"y=\"2\"} 1", "a{,} 1", "a{x=\"\\",
        "a{x=\"\\\"",
        "a 1 2 3", "a 1 x", "a 1 1.5", "a 1 9223372036854775808", "a --1", "a 1e", "a 1e+", "a .", "a 0x10", "a 1_000",
        "a infinit", "a +", "a - 1", "a e5", "a ++Inf", "a 1{x=\"1\"}", "a}1", "# TYPE a gouge",
    ])
    func malformedLinesAreLeftOut(_ line: String) {
        var scanner = ExpositionScanner(wanted: Fixtures.wanting("a", "b"))
        let samples = scanner.read(Array("\(line)\nb 1\n".utf8))
        #expect(samples == [ReadSample(1, 1)])
        let isOther = ["a", "a}1"].contains(line)
        #expect(scanner.statistics.malformedLines == (isOther ? 0 : 1))
    }

    @Test func longNumbersAreRead() {
        let zeros = String(repeating: "0", count: 30_000)
        let ones = String(repeating: "1", count: 30_000)
        #expect(
            read("a 0.\(zeros)1\na \(ones)\na \(zeros)7\na 1.\(ones)\na 1e\(zeros)2\n", "a").map(\.value)
                == [0, .infinity, 7, 10.0 / 9, 100]
        )
    }

    @Test func timestampsAreMillisecondsInPrometheusText() {
        #expect(
            read("a 1 -5\na 2 9223372036854775807\na 3 -9223372036854775808\n", "a") == [
                ReadSample(0, 1, timestamp: -5), ReadSample(0, 2, timestamp: .max), ReadSample(0, 3, timestamp: .min),
            ]
        )
    }

    @Test func openMetricsPage() {
        let page = """
            # TYPE a counter
            # UNIT a seconds
            a_total{x="1"} 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67
            a_created{x="1"} 1520430000.123
            # TYPE h histogram
            h_bucket{le="+Inf"} 17 # {id="x"} 9.8 1520879607.789
            h_count 17
            # TYPE build info
            build_info{v="1"} 1
            a_total 3 1e300
            # EOF
            a_total 4

            """
        var scanner = ExpositionScanner(
            wanted: Fixtures.wanting("a_total", "a_created", "h_bucket", "h_count", "build_info"))
        let samples = scanner.read(Array(page.utf8), .openMetrics, labels: ["le"])
        #expect(
            samples == [
                ReadSample(0, 17, timestamp: 1_520_879_607_789, .counter), ReadSample(1, 1_520_430_000.123, .counter),
                ReadSample(2, 17, .histogram, ["le": "+Inf"]), ReadSample(3, 17, .histogram), ReadSample(4, 1, .info),
            ]
        )
        #expect(scanner.statistics.isEnded)
        #expect(scanner.statistics.malformedLines == 1, "the timestamp 1e300 does not fit")
    }

    @Test func aFamilyTypeReachesOnlyTheNamesItHas() {
        #expect(read("# TYPE a gauge\na_count 1\n", "a_count") == [ReadSample(0, 1, .untyped)])
        #expect(read("# TYPE a summary\na_count 1\na 2\n", "a_count", "a").map(\.type) == [.summary, .summary])
        #expect(
            read("a 1\n# TYPE a counter\na 2\n# TYPE a unknown\na 3\n", "a").map(\.type) == [
                .untyped, .counter, .untyped,
            ])
    }

    @Test func overlongLinesAreDropped() {
        let limit = ExpositionScanner.lineBytesMax
        let fitting = "a{x=\"" + String(repeating: "v", count: limit - 9) + "\"} 1"
        let page = Array("\(fitting)\n\(fitting)2\na 3\n\(fitting)234567890\na 4\n\(fitting)5".utf8)
        for pieces in [[Int.max], [1], [limit], [limit + 1], [limit - 1, 2, 1]] {
            var scanner = ExpositionScanner(wanted: Fixtures.wanting("a"))
            #expect(scanner.read(page, pieces: pieces).map(\.value) == [1, 3, 4])
            #expect(scanner.statistics == ExpositionStatistics(lines: 6, samples: 3, oversizedLines: 3))
        }
    }

    @Test func aScannerForgetsTheEarlierPage() {
        var scanner = ExpositionScanner(wanted: Fixtures.wanting("a"))
        scanner.feed(Array("# TYPE a gauge\na 1\na 2".utf8).span.bytes) { _, _ in }
        #expect(scanner.statistics.samples == 1)
        #expect(scanner.read(Array("a 3\n".utf8)) == [ReadSample(0, 3)])
        #expect(scanner.statistics == ExpositionStatistics(lines: 1, samples: 1))
    }

    /// Lines are sorted out by the first sixteen bytes of what is wanted; shorter names have fewer.
    @Test(arguments: 1...40)
    func namesOfEveryLengthAreFound(length: Int) {
        let letters = Array("abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJKLMN")
        let name = String(letters.prefix(length))
        let long = "x" + String(letters.reversed())
        let others = (0..<length).map { index in String(letters.prefix(index) + "0" + letters[(index + 1)...]) }
        var page = "# TYPE \(name) gauge\n"
        for other in others { page += "# TYPE \(other) counter\n\(other) 7\n" }
        page += "\(name) 1\n\(long)0 2\n\(long) 3\n# TYPE \(name) gauge\n\(name){a=\"b\"} 4"
        let expected = [ReadSample(0, 1, .gauge), ReadSample(1, 3), ReadSample(0, 4, .gauge)]
        #expect(read(page, name, long) == expected)
        #expect(read(page, name) == [expected[0], expected[2]])
        #expect(read(page, long) == [ReadSample(0, 3)])
    }

    @Test func whatTheWriterWritesIsRead() throws {
        for format in [ExpositionFormat.prometheusText, .openMetrics] {
            let registry = MetricRegistry()
            let requests = try RequestMetrics(registry: registry)
            let strange = "a\"b\\c\nd}e"
            let instruments = requests.instruments(model: strange, target: "t", fairnessID: "", priority: 3)
            instruments.total.increment(by: 12)
            instruments.duration.observe(0.125)
            var scanner = ExpositionScanner(
                wanted: Fixtures.wanting("llm_d_epp_request_total", "llm_d_epp_request_duration_seconds_sum")
            )
            let samples = scanner.read(registry.page(format), format, labels: ["model_name", "priority"])
            let labels = ["model_name": strange, "priority": "3"]
            #expect(samples == [ReadSample(0, 12, .counter, labels), ReadSample(1, 0.125, .histogram, labels)])
        }
    }
}
