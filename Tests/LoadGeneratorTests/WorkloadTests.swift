import GatewayCore
import RequestFormats
import Testing

@testable import LoadGenerator

struct TokenDistributionTests {
    @Test func itsFormsAreRead() {
        #expect(TokenDistribution("512") == .constant(512))
        #expect(TokenDistribution("uniform:1:9") == .uniform(1...9))
        #expect(TokenDistribution("lognormal:100:50") == .lognormal(mean: 100, deviation: 50))
        for text in ["", "0", "-1", "x", "uniform:9:1", "uniform:0:5", "lognormal:0:1", "lognormal:9:0", "5000000"] {
            #expect(TokenDistribution(text) == nil, "'\(text)'")
        }
        for text in ["512", "uniform:1:9", "lognormal:100.0:50.0"] {
            #expect(TokenDistribution(text)?.description == text)
        }
    }

    @Test func lognormalHasItsMeanAndDeviation() {
        var random = RandomSource(seed: 3)
        let lengths = TokenDistribution.lognormal(mean: 1_000, deviation: 400)
        let values = (0..<40_000).map { _ in Double(lengths.next(&random)) }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        #expect(abs(mean - 1_000) < 10)
        #expect(abs(variance.squareRoot() - 400) < 15)
    }

    @Test func uniformReachesItsEnds() {
        var random = RandomSource(seed: 3)
        let values = Set((0..<200).map { _ in TokenDistribution.uniform(3...6).next(&random) })
        #expect(values == [3, 4, 5, 6])
    }
}

struct ArrivalProcessTests {
    private func gaps(_ process: ArrivalProcess, _ count: Int) -> [Double] {
        var arrivals = ArrivalProcess.Arrivals(process, seed: 5)
        let times = (0..<count).map { _ in arrivals.next() }
        return zip(times.dropFirst(), times).map { $0 - $1 }
    }

    @Test(arguments: [0.25, 1, 4])
    func gammaGapsHaveTheRateAndTheSpread(shape: Double) {
        let gaps = gaps(ArrivalProcess(rate: 50, spacing: .gamma(burstiness: shape)), 60_000)
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        #expect(abs(mean * 50 - 1) < 0.03)
        // The square of the coefficient of variation of a gamma distribution is one over its shape.
        #expect(abs(variance / (mean * mean) * shape - 1) < 0.08)
    }

    @Test func constantGapsAreEqual() {
        let gaps = gaps(ArrivalProcess(rate: 4, spacing: .constant), 10)
        #expect(gaps.allSatisfy { abs($0 - 0.25) < 1e-12 })
    }

    @Test func aRampGrowsEvenly() {
        let process = ArrivalProcess(rate: 10, spacing: .constant, rampSeconds: 4)
        // Half as many come in the ramp as without one: 20. From then on, ten a second.
        #expect(abs(process.time(ofCumulative: 20) - 4) < 1e-9)
        #expect(abs(process.time(ofCumulative: 5) - 2) < 1e-9)
        #expect(abs(process.time(ofCumulative: 30) - 5) < 1e-9)
    }
}

struct ConversationTests {
    private func workload(_ change: (inout Workload) -> Void = { _ in }) -> Workload {
        var workload = Workload()
        workload.models = WeightedNames(arguments: ["m"]) ?? WeightedNames()
        workload.promptTokens = .constant(10)
        workload.outputTokens = .constant(7)
        workload.seed = 42
        change(&workload)
        return workload
    }

    private func text(_ request: Conversation.Request) -> String { String(decoding: request.body, as: UTF8.self) }

    @Test func bodiesAreWhatTheFormatsRead() throws {
        for api in Workload.API.allCases {
            let workload = workload {
                $0.api = api
                $0.extraMembers = Array(#","temperature":0"#.utf8)
            }
            var conversation = workload.conversation(0)
            let body = conversation.next(workload).body
            try body.withUnsafeBytes { raw in
                let bytes = RawSpan(_unsafeBytes: raw)
                var scanner = JSONScanner()
                _ = try scanner.skipValue(in: bytes)
                try scanner.finish(in: bytes)
            }
            let text = String(decoding: body, as: UTF8.self)
            #expect(text.hasPrefix(#"{"model":"m","#))
            #expect(text.contains(#""max_tokens":7,"ignore_eos":true,"stream":true"#))
            #expect(text.hasSuffix(#""stream_options":{"include_usage":true},"temperature":0}"#))
        }
    }

    @Test func aPromptHasItsWords() {
        let workload = workload { $0.api = .completions }
        var conversation = workload.conversation(3)
        let body = text(conversation.next(workload))
        let prompt = body.split(separator: #""prompt":""#)[1].split(separator: "\"")[0]
        let words = prompt.split(separator: " ")
        #expect(words.count == 10)
        #expect(words.allSatisfy { $0.count == 3 })
    }

    @Test func theSameNumberGivesTheSameBytes() {
        let workload = workload { $0.promptTokens = .uniform(5...50) }
        var (one, other, next) = (workload.conversation(8), workload.conversation(8), workload.conversation(9))
        let first = one.next(workload).body
        #expect(first == other.next(workload).body)
        #expect(first != next.next(workload).body)
    }

    @Test func aVariantChangesWordsAndNotLengths() {
        let plain = workload {
            $0.promptTokens = .uniform(5...500)
            $0.prefixGroups = 1
            $0.prefixTokens = 30
        }
        var other = plain
        other.variant = 1
        var (one, two) = (plain.conversation(4), other.conversation(4))
        let (first, second) = (text(one.next(plain)), text(two.next(other)))
        #expect(first != second)
        #expect(first.utf8.count == second.utf8.count)
        let prefix = first.split(separator: #"},{"#)[0]
        #expect(second.hasPrefix(prefix), "the shared prefix is the same")
    }

    @Test func prefixesAreSharedWithinAGroup() {
        let workload = workload {
            $0.prefixGroups = 3
            $0.prefixTokens = 20
        }
        var prefixes: [Substring: Int] = [:]
        for index in 0..<60 {
            var conversation = workload.conversation(index)
            prefixes[text(conversation.next(workload)).split(separator: "},{")[0], default: 0] += 1
        }
        #expect(prefixes.count == 3)
        #expect(prefixes.values.allSatisfy { $0 > 5 })
    }

    @Test func aTurnHasAllThatWasSaid() {
        let workload = workload { $0.turns = 2 }
        var conversation = workload.conversation(0)
        let first = text(conversation.next(workload))
        conversation.answered(Array(#"so \"it\" is"#.utf8), workload)
        let second = text(conversation.next(workload))
        let said = first.split(separator: #""messages":["#)[1].split(separator: #"],"max_tokens""#)[0]
        #expect(second.contains(said + #",{"role":"assistant","content":"so \"it\" is"},{"role":"user","content":""#))
        #expect(conversation.turn == 2)
    }

    @Test func namesAreDrawnByWeight() throws {
        let names = try #require(WeightedNames(arguments: ["a=3", "org/b=1"]))
        var random = RandomSource(seed: 1)
        var counts: [String: Int] = [:]
        for _ in 0..<4_000 { counts[names.draw(&random) ?? "", default: 0] += 1 }
        #expect(abs((counts["a"] ?? 0) - 3_000) < 150)
        #expect(counts["a", default: 0] + counts["org/b", default: 0] == 4_000)
        #expect(WeightedNames(arguments: ["a=0"]) == nil)
        #expect(WeightedNames(arguments: [""]) == nil)
    }

    @Test func fieldsNameTheConversation() {
        let workload = workload {
            $0.headers = [("x-session", "s{session}"), ("x-request", "{request}")]
            $0.objectives = WeightedNames(arguments: ["gold"]) ?? WeightedNames()
            $0.turns = 2
        }
        var conversation = workload.conversation(12)
        let fields = conversation.next(workload).fields.map { "\($0.name)=\($0.value)" }
        #expect(fields == ["x-llm-d-inference-objective=gold", "x-session=s12", "x-request=12-0"])
    }
}

struct TraceTests {
    private func trace(_ text: String) throws(Trace.Fault) -> Trace { try Trace(Array(text.utf8)) }

    @Test func lengthsAndHashesShareBlocks() throws {
        let trace = try trace(
            """
            {"timestamp": 2000, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}
            {"timestamp": 500, "input_length": 700, "output_length": 6, "hash_ids": [1, 3]}

            """
        )
        // In order of time, from the first one on.
        #expect(trace.isTimed)
        #expect(trace.entries.map(\.seconds) == [0, 1.5])
        #expect(trace.entries.map(\.outputTokens) == [6, 5])
        func words(_ entry: Trace.Entry) -> [Substring] {
            var random = RandomSource(seed: 9)
            var bytes: [UInt8] = []
            entry.appendPrompt(seed: 1, &random, to: &bytes)
            return String(decoding: bytes, as: UTF8.self).split(separator: " ")
        }
        let (one, other) = (words(trace.entries[0]), words(trace.entries[1]))
        #expect(one.count == 700)
        #expect(other.count == 600)
        #expect(one[..<512] == other[..<512])
        #expect(one[512..<600] != other[512..<600])
    }

    @Test func textIsTakenWithItsEscapes() throws {
        let trace = try trace(
            #"""
            {"prompt": "say \"a\"\n", "output_length": 3}
            {"conversations": [{"from": "gpt", "value": "x"}, {"from": "human", "value": "h\u00e9"}]}
            {"messages": [{"role": "user", "content": "hi"}], "model": "small"}
            """#
        )
        #expect(
            trace.entries.map { $0.text.map { String(decoding: $0, as: UTF8.self) } } == [
                #"say \"a\"\n"#, #"h\u00e9"#, nil,
            ])
        #expect(
            trace.entries[2].messages.map { String(decoding: $0, as: UTF8.self) }
                == #"{"role": "user", "content": "hi"}"#)
        #expect(!trace.isTimed)
        #expect(trace.entries[2].namesModel)
    }

    @Test func faultsNameTheirLine() throws {
        #expect(throws: Trace.Fault(description: "It has no line with a request.")) { try trace("\n \n") }
        let none = "Line 2: it has none of input_length, prompt, messages and conversations."
        #expect(throws: Trace.Fault(description: none)) { try trace(#"{"prompt":"a"}"# + "\n" + #"{"b":1}"#) }
        for text in ["nonsense", "[1]", #"{"prompt":"a""#] {
            #expect(throws: Trace.Fault.self) { try trace(text) }
        }
        for time in ["1e300", "-1e300", #""inf""#, #""nan""#] {
            #expect(throws: Trace.Fault.self) { try trace(#"{"timestamp":\#(time),"input_length":1}"#) }
        }
        #expect(try trace(#"{"prompt":"a"}"#).hasTexts)
        #expect(try trace(#"{"messages":[]}"#).hasTexts)
        #expect(try !trace(#"{"input_length":1}"#).hasTexts)
    }
}
