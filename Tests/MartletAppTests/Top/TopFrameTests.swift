import Testing

@testable import MartletApp

/// A gateway with some endpoints, as it tells of itself.
func topSample(requests: Double = 0, endpoints: Int = 3, firstTokens: [Double] = [0, 0, 0]) throws -> TopSample {
    let list = (0..<endpoints).map { number in
        """
        {"name":"engine-\(number)","namespace":"default","address":"10.0.0.\(number):8000",\
        "metrics":{"waiting":\(number),"running":\((number * 7) % 5),\
        "kv_cache_usage":\(Double(number % 4) / 4),"active_adapters":[]},\
        "metrics_age_seconds":\(number == 1 ? "9.5" : "0.04"),"in_flight":\(number * 2),"available":\(number != 1),\
        "ejected":\(number == 2)}
        """
    }
    let state = """
        {"version":"1.2.3","uptime_seconds":3725,"draining":false,"pools":[{"name":"chat","namespace":"default",\
        "available_endpoints":\(endpoints),"queues":{"saturation":0.5,"requests":4},\
        "endpoints":[\(list.joined(separator: ","))]}]}
        """
    let buckets = zip(["0.1", "0.2", "+Inf"], firstTokens).map { bound, count in
        "llm_d_epp_request_ttft_seconds_bucket{model_name=\"m\",le=\"\(bound)\"} \(count)"
    }
    let page = "llm_d_epp_request_total{model_name=\"m\"} \(requests)\n" + buckets.joined(separator: "\n") + "\n"
    return try Array(state.utf8).withUnsafeBytes { state in
        try Array(page.utf8).withUnsafeBytes { page in
            try TopSample(state: RawSpan(_unsafeBytes: state), metrics: RawSpan(_unsafeBytes: page))
        }
    }
}

struct TopFrameTests {
    private func view(_ sort: TopOptions.Sort = .name, endpoints: Int = 3) throws -> TopView {
        var view = TopView(sort: sort, pool: nil)
        view.take(try topSample(requests: 10, endpoints: endpoints), after: 0)
        view.take(try topSample(requests: 30, endpoints: endpoints, firstTokens: [10, 19, 20]), after: 2)
        return view
    }

    private func lines(_ view: TopView, columns: Int, rows: Int?, hasColour: Bool = false) -> [String] {
        let screen = TopFrame.Screen(columns: columns, rows: rows, hasColour: hasColour)
        return TopFrame(view: view, screen: screen, admin: "http://gateway:9090").lines
    }

    @Test func itFitsEightyByTwentyFour() throws {
        let lines = lines(try view(), columns: 80, rows: 24)
        #expect(lines.count == 24)
        #expect(
            Array(lines[..<7]) == [
                "martlet 1.2.3  up 1h2m  http://gateway:9090",
                "req/s 10.0 █  in flight 6  waiting 3  TTFT p50 100 ms p99 200 ms",
                "pool chat: 3 endpoints, 3 available, queued 4, saturation 50 %",
                "ENDPOINT▾  STATE    WAIT  RUN  KV% FLIGHT RUNNING    WAITING    KV USE          ",
                "engine-0   ready       0    0    0      0 ▁▁         ▁▁         ▁▁        ",
                "engine-1   away        1    2   25      2 ██         ██         ▃▃        ",
                "engine-2   ejected     2    4   50      4 ██         ██         ▅▅        ",
            ]
        )
        #expect(lines[23] == "q quit  sort: n name w waiting r running k kv f flight  p pool  / filter")
    }

    @Test(arguments: [1, 2, 9, 10, 20, 39, 40, 79, 80, 120, 300], [1, 2, 5, 6, 24])
    func noLineIsLongerThanTheScreen(columns: Int, rows: Int) throws {
        for count in [0, 3, 50] {
            let lines = lines(try view(endpoints: count), columns: columns, rows: rows)
            #expect(lines.count <= max(rows, 2))
            if columns >= 10 { #expect(lines.allSatisfy { $0.count <= columns }, "\(columns) columns") }
        }
    }

    @Test func aNarrowScreenKeepsWhatMattersMost() throws {
        let lines = lines(try view(), columns: 25, rows: 10)
        #expect(lines[3].contains("ENDPOINT") && lines[3].contains("RUN") && lines[3].contains("WAIT"))
        #expect(!lines[3].contains("FLIGHT"))
    }

    @Test func aPlainTableHasAllRowsAndNoEscapes() throws {
        let lines = lines(try view(endpoints: 60), columns: 120, rows: nil)
        #expect(lines.count == 64)
        #expect(lines.allSatisfy { !$0.contains("\u{1B}") && !$0.hasSuffix(" ") || $0.hasPrefix("ENDPOINT") })
        #expect(lines[4].contains("10.0.0.0:8000"))
    }

    @Test func coloursAreAroundTheSameText() throws {
        let plain = lines(try view(), columns: 80, rows: 24)
        let coloured = lines(try view(), columns: 80, rows: 24, hasColour: true)
        #expect(coloured.joined().contains("\u{1B}[31m"))
        let stripped = coloured.map { line in
            line.split(separator: "\u{1B}[", omittingEmptySubsequences: false).enumerated().map { number, part in
                number == 0 ? String(part) : String(part.drop { $0 != "m" }.dropFirst())
            }.joined()
        }
        #expect(stripped == plain)
    }

    @Test func namesCannotMoveTheCursor() throws {
        let state = #"{"pools":[{"name":"p","endpoints":[{"name":"a\u001b[2Jb\u009b1m","address":"x\r"}]}]}"#
        let sample = try Array(state.utf8).withUnsafeBytes { bytes in
            let state = RawSpan(_unsafeBytes: bytes)
            return try TopSample(state: state, metrics: state.extracting(0..<0))
        }
        #expect(sample.pools[0].endpoints[0].name == "a?[2Jb?1m")
        #expect(sample.pools[0].endpoints[0].address == "x?")
    }

    @Test func statesAreThoseOfTheGateway() throws {
        func sample(_ members: String) throws -> TopSample {
            let state = #"{"pools":[{"name":"p","available_endpoints":1e300,"endpoints":[{"name":"a",\#(members)}]}]}"#
            return try Array(state.utf8).withUnsafeBytes { bytes in
                let state = RawSpan(_unsafeBytes: bytes)
                return try TopSample(state: state, metrics: state.extracting(0..<0))
            }
        }
        func state(_ members: String) throws -> String { try sample(members).pools[0].endpoints[0].state }
        #expect(try state(#""metrics_age_seconds":0.1,"draining":false"#) == "ready")
        #expect(try state(#""metrics_age_seconds":0.1,"draining":true,"available":false"#) == "draining")
        #expect(try state(#""metrics_age_seconds":0.1,"ejected":true,"available":false"#) == "ejected")
        #expect(try state(#""metrics_age_seconds":3"#) == "old data")
        #expect(try sample(#""draining":true"#).pools[0].available == 0, "a number that is no count")
    }

    @Test func sparklinesGrowWithTheirValues() {
        #expect(TopFrame.sparkline([0, 1, 2, 3, 4, 5, 6, 7], width: 8) == "▁▂▃▄▅▆▇█")
        #expect(TopFrame.sparkline([9, 9, 0, 0.5, 1], width: 3, top: 1) == "▁▅█")
        #expect(TopFrame.sparkline([0, 0], width: 5) == "▁▁")
        #expect(TopFrame.sparkline([1e300, .infinity], width: 5, top: 1) == "██", "numbers of a page may be any")
        #expect(TopFrame.sparkline([1, .infinity], width: 5) == "▁█")
        #expect(TopFrame.sparkline([], width: 5) == "")
    }
}
