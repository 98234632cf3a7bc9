import GatewayCore
import Testing

@testable import RequestControl

@Suite struct LinearRegexTests {
    /// Pattern, texts that match as a whole, texts that do not.
    static let table: [(pattern: String, matching: [String], other: [String])] = [
        ("", [""], ["a"]),
        ("abc", ["abc"], ["ab", "abcd", "xabc", "ABC"]),
        ("^abc$", ["abc"], ["xabc", "abcx"]),
        ("a.c", ["abc", "a\u{e9}c", "a\u{1F600}c"], ["ac", "a\nc"]),
        ("a*", ["", "a", "aaaa"], ["b", "aab"]),
        ("a+b?", ["a", "aab"], ["", "b", "abb"]),
        ("a|bc|", ["a", "bc", ""], ["abc", "b"]),
        ("(a|b)*c", ["c", "abbac"], ["abd", ""]),
        ("(?:ab){2}", ["abab"], ["ab", "ababab"]),
        ("a{2,3}", ["aa", "aaa"], ["a", "aaaa"]),
        ("a{2,}", ["aa", "aaaaaa"], ["a"]),
        ("a{0}b", ["b"], ["ab"]),
        ("(){5}x", ["x"], [""]),
        ("(|a)+b", ["b", "ab", "aab"], ["a"]),
        ("[a-c]+", ["abc"], ["abd", ""]),
        ("[^a-c]", ["d", "\n"], ["a", ""]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        ("[a-]+", ["a-a"], ["b"]),
        ("[\\d_-]+", ["1_2-3"], ["a"]),
        ("[\\w.]+/[\\w-]+", ["meta.ai/llama-3"], ["meta/llama 3", "/x"]),
        ("\\d+\\.\\d*", ["1.", "12.34"], ["12", ".5"]),
        ("\\D\\W\\S", ["a-b"], ["1-b", "aab", "a- "]),
        ("\\s", [" ", "\t", "\n"], ["x", "\u{b}"]),
        ("\\(\\[\\{\\|", ["([{|"], ["("]),
        ("a*?b+?", ["b", "aabb"], ["a"]),
        ("llama-3(\\.\\d)?(-instruct)?", ["llama-3", "llama-3.1", "llama-3.1-instruct"], ["llama-3.", "llama-31"]),
        ("a]b}", ["a]b}"], ["ab"]),
    ]

    @Test(arguments: table.indices)
    func matchesWholeTexts(index: Int) throws {
        let (pattern, matching, other) = Self.table[index]
        let expression = try LinearRegex(pattern)
        for text in matching { #expect(expression.matches(text), "\(pattern) on \(text)") }
        for text in other { #expect(!expression.matches(text), "\(pattern) on \(text)") }
    }

    @Test(arguments: [
        "(", ")", "a)", "(a", "[", "[a", "[^", "*", "+a", "?", "{2}", "a{", "a{2", "a{2,1}", "a{x}", "a{1001}", "a**",
        "a+{2}",
        "\\", "\\q", "\\1", "\\b", "a^b", "a$b", "(?i)a", "(?=a)", "(?<n>a)", "[z-a]", "[\\d-z]", "[a-\\w]", "[\\D]",
        "[[:alpha:]]", "a{99999999999999999999}", "((a{1000}){1000}){1000}",
    ])
    func refusesWhatItDoesNotSupport(pattern: String) {
        let error = #expect(throws: LinearRegex.PatternError.self) { try LinearRegex(pattern) }
        #expect(error?.description.contains("'\(pattern)'") == true)
    }

    @Test func nestingIsBounded() throws {
        let deep = String(repeating: "(", count: 100) + "a" + String(repeating: ")", count: 100)
        #expect(try LinearRegex(deep).matches("a"))
        #expect(throws: LinearRegex.PatternError.self) { try LinearRegex("(\(deep))") }
    }

    @Test func manyAlternativesNeedNoDeepStack() throws {
        let words = (0..<2_000).map { "\($0)" }
        let expression = try LinearRegex(words.prefix(1_500).joined(separator: "|"))
        #expect(expression.matches("1499"))
        #expect(!expression.matches("1500"))
        #expect(throws: LinearRegex.PatternError.self) {
            try LinearRegex(String(repeating: "|", count: 200_000))
        }
    }

    /// Counts of nothing multiply without adding an instruction: 1000 to the power of 20 steps, were they taken.
    @Test func nestedCountsOfNothingCompileAtOnce() throws {
        var pattern = "()"
        for _ in 0..<20 { pattern = "(\(pattern){1000})" }
        #expect(try LinearRegex(pattern).matches(""))
        #expect(try LinearRegex("(((a{0}){1000}){1000}){1000}b").matches("b"))
    }

    /// Backtracking engines need time exponential in the text for these.
    @Test(arguments: ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*)*(.*)*b", "(a+a+)+b", "(a?){30}a{30}b"])
    func timeGrowsLinearlyWithTheText(pattern: String) throws {
        let expression = try LinearRegex(pattern)
        let short = String(repeating: "a", count: 1_000)
        let long = String(repeating: "a", count: 10_000)
        let clock = ContinuousClock()
        #expect(!expression.matches(long))
        func best(of text: String) -> Duration {
            (0..<3).map { _ in clock.measure { _ = expression.matches(text) } }.min() ?? .zero
        }
        // Ten times the text may take ten times the time; a quadratic engine takes a hundred times.
        #expect(best(of: long) < best(of: short) * 40)
    }

    @Test func noPatternTraps() throws {
        var random = RandomSource(seed: 7)
        let alphabet = Array("ab01()[]{}|*+?.^$\\-,:dDwWsS\u{e9}\n")
        let seeds = Self.table.map(\.pattern)
        var accepted = 0
        for round in 0..<5_000 {
            var pattern = Array(round % 2 == 0 ? seeds.randomElement(using: &random) ?? "" : "")
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let position = Int.random(in: 0...pattern.count, using: &random)
                let letter = alphabet.randomElement(using: &random) ?? "a"
                if position < pattern.count, Bool.random(using: &random) {
                    pattern[position] = letter
                } else {
                    pattern.insert(letter, at: position)
                }
            }
            guard let expression = try? LinearRegex(String(pattern)) else { continue }
            accepted += 1
            _ = expression.matches("ab01 ab\n\u{e9}-")
        }
        #expect(accepted > 500)
    }
}
