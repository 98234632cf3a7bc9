import Testing

@testable import RequestControl

@Suite struct HostPatternTests {
    @Test(arguments: [
        ("example.com", "example.com", true),
        ("Example.COM", "example.com", true),
        ("example.com", "a.example.com", false),
        ("*.example.com", "a.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false),
        ("*.example.com", ".example.com", false),
        ("*.example.com", "badexample.com", false),
        ("*.example.com", "example.com.evil.org", false),
    ])
    func matching(pattern: String, host: String, isMatch: Bool) {
        #expect(HostPattern(pattern).matches(host) == isMatch)
    }

    @Test(
        arguments: [
            ("a.example.com", "*.example.com", "a.example.com"),
            ("*.example.com", "a.example.com", "a.example.com"),
            ("*.b.example.com", "*.example.com", "*.b.example.com"),
            ("*.example.com", "*.b.example.com", "*.b.example.com"),
            ("a.example.com", "a.example.com", "a.example.com"),
            ("a.example.com", "b.example.com", nil),
            ("example.com", "*.example.com", nil),
            ("*.example.com", "*.example.org", nil),
        ] as [(String, String, String?)])
    func intersection(left: String, right: String, expected: String?) {
        #expect(HostPattern(left).intersection(HostPattern(right)) == expected.map { HostPattern($0) })
    }

    @Test func precedence() {
        let ordered = ["a.b.example.com", "b.example.com", "*.b.example.com", "*.example.com", "*.com"].map(
            HostPattern.init)
        for (index, left) in ordered.enumerated() {
            for right in ordered[(index + 1)...] {
                #expect(left.precedes(right))
                #expect(!right.precedes(left))
            }
            #expect(!left.precedes(left))
        }
    }

    @Test(arguments: [
        ("example.com", "example.com"), ("example.com:8080", "example.com"), ("10.0.0.1:80", "10.0.0.1"),
        ("[::1]:80", "::1"), ("[::1]", "::1"), ("[::1", "[:"), ("", ""), (":80", ""), ("[", "["),
    ])
    func theHostOfAnAuthority(authority: String, host: String) {
        #expect(authority.hostWithoutPort == host)
    }
}
