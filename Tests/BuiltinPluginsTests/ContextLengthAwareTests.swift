import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct ContextLengthAwareTests {
    private let key = "llm-d.ai/context-length-range"

    private func candidates(_ ranges: [String?]) -> Candidates {
        Candidates(
            ranges.enumerated().map { slot, range in
                .sample("e\(slot)", slot: slot, labels: range.map { [key: $0] } ?? [:])
            }
        )
    }

    private func context(_ tokens: Int) -> SchedulingContext {
        .sample(.with(inputTokens: tokens), slotCount: 1)
    }

    @Test(
        arguments: [
            (nil, 10, 0.5),
            ("0-10000", 0, 0.3 + 0.7 * (0.35 + 0.3)),
            ("0-10000", 10_000, 0.3 + 0.7 * 0.35),
            ("0-10000", 5_000, 0.3 + 0.7 * (0.35 + 0.15)),
            (" 2000 - 12000 ", 2_000, 0.3 + 0.7 * (0.35 + 0.3)),
            ("7-7", 7, 1),
            ("0-1000", 2_000, 0.15),
            ("3000-4000", 2_000, 0.15),
            ("5-5", 6, 0.3 / 1.001),
            // What is no range scores nothing.
            ("", 0, 0), ("10", 10, 0), ("-", 0, 0), ("1-", 1, 0), ("-1", 1, 0), ("9-1", 5, 0), ("1-2-3", 2, 0),
            ("a-b", 0, 0), ("1 0-20", 15, 0), ("0x1-2", 1, 0), ("0-99999999999999999999", 1, 0),
        ] as [(String?, Int, Double)])
    func scoresByTheTable(range: String?, tokens: Int, expected: Double) throws {
        let found = try scores(make(ContextLengthAware.self), candidates([range]), context: context(tokens))
        #expect(abs(found[0] - expected) < 1e-12, "\(found[0]) instead of \(expected)")
    }

    @Test func whatFitsIsBeforeWhatDoesNot() throws {
        let scorer = try make(ContextLengthAware.self)
        let ends = candidates(["0-\(Int.max)", "1001-1001", "\(Int.max)-\(Int.max)"])
        for tokens in [0, 1000, 1_000_000, Int.max] {
            let found = scores(scorer, ends, context: context(tokens))
            #expect(found.allSatisfy { (0...1).contains($0) })
            #expect(found[0] >= 0.3 && found[1] < 0.3, "\(tokens): \(found)")
        }
    }

    @Test func filtersWhenAsked() throws {
        func kept(_ parameters: ConfigurationValue, _ tokens: Int) throws -> [Int] {
            var (left, context) = (candidates([nil, "0-10", "10-20", "21-30", "bad"]), context(tokens))
            try make(ContextLengthAware.self, parameters).filter(&left, context: &context)
            return left.positions
        }
        #expect(try kept([:], 10) == [0, 1, 2, 3, 4])
        #expect(try kept(["enableFiltering": true], 10) == [0, 1, 2])
        #expect(try kept(["enableFiltering": true], 30) == [0, 3])
        #expect(try kept(["enableFiltering": true], 31) == [0])
        #expect(try kept(["enableFiltering": true, "label": "other"], 10) == [0, 1, 2, 3, 4])
        #expect(failure(ContextLengthAware.self, ["label": ""])?.contains("must not be empty") == true)
    }
}
