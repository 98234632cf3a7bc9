import GatewayCore
import GatewayTesting
import Testing

@testable import RequestControl

@Suite struct PercentEncodingTests {
    @Test(arguments: [
        ("", ""), ("abc", "abc"), ("a%20b", "a b"), ("%41%4a%4A", "AJJ"), ("%e2%82%ac", "\u{20ac}"), ("100%", "100%"),
        ("%4", "%4"), ("%zz", "%zz"), ("%+1", "%+1"), ("%-1", "%-1"), ("% 1", "% 1"), ("%%41", "%A"),
        ("%a\u{e9}", "%a\u{e9}"),
        ("%2541", "%41"), ("%ff", "\u{fffd}"), ("a+b", "a+b"),
    ])
    func decodes(text: String, expected: String) {
        #expect(text.percentDecoded(plusIsSpace: false) == expected)
    }

    @Test func plusIsASpaceInQueriesOnly() {
        #expect("a+b%2B".percentDecoded(plusIsSpace: true) == "a b+")
    }

    @Test func noTextTraps() {
        var random = RandomSource(seed: 3)
        let scalars: [Character] = ["%", "4", "f", "G", "+", "\u{e9}", "\u{1F600}", "&", "=", "?", "#"]
        for _ in 0..<3_000 {
            let text = String(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    scalars[Int.random(in: 0..<scalars.count, using: &random)]
                })
            #expect(text.percentDecoded(plusIsSpace: true).utf8.count <= 3 * text.utf8.count)
            _ = IncomingRequest.sample("GET", "/a?\(text)").firstQueryValue("4")
        }
    }

    @Test(
        arguments: [
            ("/p?a=1&b=2", "b", "2"), ("/p?a=1&a=2", "a", "1"), ("/p?a", "a", ""), ("/p?a=", "a", ""), ("/p", "a", nil),
            ("/p?", "a", nil), ("/p?%61=x%3Dy", "a", "x=y"), ("/p?a=b=c", "a", "b=c"), ("/p?x=1&&a=+", "a", " "),
            ("/p?b=1?a=2", "a", nil),
        ] as [(String, String, String?)])
    func queryValues(target: String, name: String, expected: String?) {
        #expect(IncomingRequest.sample("GET", target).firstQueryValue(name) == expected)
    }
}
