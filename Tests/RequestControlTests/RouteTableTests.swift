import GatewayCore
import GatewayTesting
import Testing

@testable import RequestControl

/// The rules of Gateway API's `HTTPRoute`: what matches, and which match wins.
@Suite struct RouteTableTests {
    private func rule(_ pool: String) -> RouteRule { RouteRule(backends: [RouteBackend(pool: PoolID(name: pool))]) }

    /// A table of one route, whose rules are named by their pools.
    private func table(_ rules: [(String, RouteMatch)]) -> RouteTable {
        let rules = rules.map { (matches: [$0.1], rule: rule($0.0)) }
        return RouteTable(listeners: [(host: nil, routes: [Route(rules: rules)])])
    }

    private func pool(_ table: RouteTable, _ request: IncomingRequest) -> String? {
        table.rule(for: request)?.backends.first?.pool.name
    }

    @Test(arguments: [
        (PathMatch.exact("/a"), "/a", true), (.exact("/a"), "/a/", false), (.exact("/a"), "/A", false),
        (.prefix("/a"), "/a", true), (.prefix("/a"), "/a/", true), (.prefix("/a"), "/a/b", true),
        (.prefix("/a"), "/ab", false), (.prefix("/a/"), "/a", true), (.prefix("/a/"), "/a/b", true),
        (.prefix("/a/"), "/ab", false), (.prefix("/"), "/", true), (.prefix("/"), "/anything", true),
        (.prefix("/"), "*", false),
        (.prefix("/a"), "/a?b", true), (.exact("/a"), "/a?b=/c", true),
    ])
    func paths(match: PathMatch, target: String, isMatch: Bool) {
        #expect(RouteMatch(path: match).matches(.sample("GET", target)) == isMatch)
    }

    @Test func everythingGivenMustHold() throws {
        let match = RouteMatch(
            path: .regularExpression(try LinearRegex("/v[12]/.*")),
            method: "POST",
            headers: [
                NamedMatch(name: "X-Tier", match: .exact("gold")),
                NamedMatch(name: "X-User", match: .regularExpression(try LinearRegex("[a-z]+"))),
            ],
            queryParameters: [NamedMatch(name: "q", match: .exact("a b"))]
        )
        let headers = [("x-tier", "gold"), ("x-user", "ann")]
        #expect(match.matches(.sample("POST", "/v1/x?q=a+b", headers: headers)))
        #expect(!match.matches(.sample("GET", "/v1/x?q=a+b", headers: headers)))
        #expect(!match.matches(.sample("POST", "/v3/x?q=a+b", headers: headers)))
        #expect(!match.matches(.sample("POST", "/v1/x?q=b", headers: headers)))
        #expect(!match.matches(.sample("POST", "/v1/x", headers: headers)))
        #expect(!match.matches(.sample("POST", "/v1/x?q=a+b", headers: [("x-tier", "GOLD"), ("x-user", "ann")])))
        #expect(!match.matches(.sample("POST", "/v1/x?q=a+b", headers: [("x-tier", "gold"), ("x-user", "ann1")])))
        #expect(!match.matches(.sample("POST", "/v1/x?q=a+b", headers: [("x-tier", "gold")])))
    }

    /// From the strongest match to the weakest, each with the request that all of them match.
    private static let byPrecedence: [(String, RouteMatch)] = [
        ("exact", RouteMatch(path: .exact("/v1/models/x"))),
        ("long-prefix", RouteMatch(path: .prefix("/v1/models"))),
        (
            "prefix-method-headers",
            RouteMatch(path: .prefix("/v1"), method: "GET", headers: [header("a"), header("b")])
        ),
        ("prefix-method", RouteMatch(path: .prefix("/v1"), method: "GET")),
        ("prefix-two-headers", RouteMatch(path: .prefix("/v1"), headers: [header("a"), header("b")])),
        (
            "prefix-header-parameters",
            RouteMatch(path: .prefix("/v1"), headers: [header("a")], queryParameters: [parameter("q"), parameter("r")])
        ),
        ("prefix-header", RouteMatch(path: .prefix("/v1"), headers: [header("a")], queryParameters: [parameter("q")])),
        ("prefix-parameters", RouteMatch(path: .prefix("/v1"), queryParameters: [parameter("q")])),
        ("prefix", RouteMatch(path: .prefix("/v1"))),
        ("everything", RouteMatch()),
    ]

    private static func header(_ name: String) -> NamedMatch { NamedMatch(name: name, match: .exact("1")) }
    private static func parameter(_ name: String) -> NamedMatch { NamedMatch(name: name, match: .exact("1")) }

    @Test func precedenceDoesNotDependOnTheOrderOfRules() {
        let request = IncomingRequest.sample("GET", "/v1/models/x?q=1&r=1", headers: [("a", "1"), ("b", "1")])
        var random = RandomSource(seed: 5)
        for start in Self.byPrecedence.indices {
            let rest = Array(Self.byPrecedence[start...])
            for _ in 0..<10 {
                #expect(pool(table(rest.shuffled(using: &random)), request) == rest[0].0)
            }
        }
    }

    @Test func amongEqualsTheFirstWins() {
        let match = RouteMatch(path: .prefix("/v1"))
        let first = Route(rules: [(matches: [match], rule: rule("a")), (matches: [match], rule: rule("b"))])
        let second = Route(rules: [(matches: [match], rule: rule("c"))])
        let request = IncomingRequest.sample("GET", "/v1")
        #expect(pool(RouteTable(listeners: [(host: nil, routes: [first, second])]), request) == "a")
        #expect(pool(RouteTable(listeners: [(host: nil, routes: [second, first])]), request) == "c")
    }

    @Test func hostsComeBeforePaths() {
        let exactPath = RouteMatch(path: .exact("/v1/x"))
        func route(_ host: String?, _ match: RouteMatch, _ name: String) -> Route {
            Route(hostnames: host.map { [HostPattern($0)] } ?? [], rules: [(matches: [match], rule: rule(name))])
        }
        let table = RouteTable(listeners: [
            (
                host: nil,
                routes: [
                    route(nil, exactPath, "any"), route("*.com", exactPath, "com"),
                    route("*.example.com", exactPath, "wild"), route("a.example.com", RouteMatch(), "host"),
                ]
            )
        ])
        for (host, expected) in [
            ("a.example.com", "host"), ("A.EXAMPLE.com:8080", "host"), ("b.example.com", "wild"), ("x.com", "com"),
            ("other.org", "any"), ("", "any"),
        ] {
            #expect(pool(table, .sample("GET", "/v1/x", authority: host)) == expected, "\(host)")
        }
        #expect(pool(table, .sample("GET", "/v1/y", authority: "b.example.com")) == nil)
    }

    @Test func aRouteServesOnlyTheHostsOfItsListener() {
        let route = Route(
            hostnames: [HostPattern("a.example.com"), HostPattern("a.example.org")],
            rules: [(matches: [], rule: rule("p"))]
        )
        let open = Route(rules: [(matches: [], rule: rule("q"))])
        let table = RouteTable(listeners: [(host: HostPattern("*.example.com"), routes: [route, open])])
        #expect(pool(table, .sample("GET", "/", authority: "a.example.com")) == "p")
        #expect(pool(table, .sample("GET", "/", authority: "b.example.com")) == "q")
        #expect(pool(table, .sample("GET", "/", authority: "a.example.org")) == nil)
    }

    @Test func poolsBelowAPathCountEachPoolOnce() {
        let table = RouteTable(listeners: [
            (
                host: nil,
                routes: [
                    Route(rules: [
                        (
                            matches: [RouteMatch(path: .prefix("/v1"), headers: [Self.header("model")])],
                            rule: RouteRule(backends: [
                                RouteBackend(pool: PoolID(name: "a")), RouteBackend(pool: PoolID(name: "b")),
                                RouteBackend(pool: PoolID(name: "off"), weight: 0),
                            ])
                        ),
                        (matches: [RouteMatch(path: .prefix("/v1"))], rule: rule("a")),
                        (matches: [RouteMatch(path: .prefix("/other"))], rule: rule("c")),
                    ])
                ]
            )
        ])
        #expect(table.pools(below: .sample("GET", "/v1/models")).map(\.name) == ["a", "b"])
    }

    @Test func weightsAreShares() throws {
        let weights = [1, 0, 3, 6]
        let rule = RouteRule(
            backends: weights.enumerated().map { RouteBackend(pool: PoolID(name: "\($0)"), weight: $1) }
        )
        var random = RandomSource(seed: 11)
        var counts = [0, 0, 0, 0]
        let draws = 100_000
        for _ in 0..<draws {
            let backend = try #require(rule.backend(at: random.unit()))
            counts[try #require(Int(backend.pool.name))] += 1
        }
        #expect(counts[1] == 0)
        for (weight, count) in zip(weights, counts) {
            let share = Double(weight) / 10
            let deviation = (Double(draws) * share * (1 - share)).squareRoot()
            #expect(abs(Double(count) - Double(draws) * share) <= 3 * deviation)
        }
    }

    @Test func drawsAtTheEdges() {
        let rule = RouteRule(backends: [
            RouteBackend(pool: PoolID(name: "a"), weight: 0), RouteBackend(pool: PoolID(name: "b"), weight: 2),
            RouteBackend(pool: PoolID(name: "c"), weight: 1), RouteBackend(pool: PoolID(name: "d"), weight: 0),
        ])
        #expect(rule.backend(at: 0)?.pool.name == "b")
        #expect(rule.backend(at: 0.66)?.pool.name == "b")
        #expect(rule.backend(at: 0.67)?.pool.name == "c")
        #expect(rule.backend(at: 1.0.nextDown)?.pool.name == "c")
        #expect(rule.backend(at: 1)?.pool.name == "c")
        #expect(RouteRule(backends: []).backend(at: 0.5) == nil)
        #expect(RouteRule(backends: [RouteBackend(pool: PoolID(name: "a"), weight: 0)]).backend(at: 0.5) == nil)
    }
}
