import GatewayCore
import NIOHTTP1
import Testing

@testable import ReverseProxy

@Suite struct ForwardedHeadersTests {
    private func upstream(
        _ fields: [(String, String)],
        bodyLength: Int = 0,
        isSecure: Bool = false,
        mutations: [HeaderMutation] = []
    ) -> [String] {
        ForwardedHeaders.upstream(
            HTTPHeaders(fields),
            bodyLength: bodyLength,
            clientAddress: "10.1.2.3",
            isSecure: isSecure,
            mutations: mutations
        ).map { "\($0.name): \($0.value)" }
    }

    private let added = ["x-forwarded-for: 10.1.2.3", "x-forwarded-proto: http"]

    @Test func endToEndFieldsStayAsTheyAreAndInOrder() {
        let fields = [
            ("Host", "h"), ("Accept", "a"), ("Authorization", "Bearer x"), ("accept", "b"), ("X-Two", "1, 2"),
        ]
        #expect(
            upstream(fields) == ["Host: h", "Accept: a", "Authorization: Bearer x", "accept: b", "X-Two: 1, 2"] + added)
    }

    @Test func hopByHopFieldsEndHere() {
        let fields = [
            ("Connection", "keep-alive, X-Mine"), ("X-Mine", "1"), ("x-mine", "2"), ("Keep-Alive", "5"),
            ("TE", "trailers"),
            ("Trailer", "x"), ("Upgrade", "websocket"), ("Proxy-Connection", "close"), ("Expect", "100-continue"),
            ("X-Kept", "1"),
        ]
        #expect(upstream(fields) == ["X-Kept: 1"] + added)
    }

    @Test(arguments: ["host", "Content-Length", "x-forwarded-for", "HOST, content-length"])
    func connectionCannotNameWhatARequestNeeds(options: String) {
        let fields = [("Host", "h"), ("Connection", options), ("Content-Length", "3"), ("X-Forwarded-For", "1.1.1.1")]
        let headers = upstream(fields, bodyLength: 3)
        #expect(headers.contains("Host: h"))
        #expect(headers.contains("content-length: 3"))
        #expect(headers.contains("x-forwarded-for: 1.1.1.1, 10.1.2.3"))
    }

    @Test func theLengthIsThatOfTheBody() {
        #expect(upstream([("Transfer-Encoding", "chunked")], bodyLength: 12) == ["content-length: 12"] + added)
        #expect(upstream([("Transfer-Encoding", "chunked")]) == ["content-length: 0"] + added)
        #expect(upstream([("Content-Length", "5")], bodyLength: 5) == ["content-length: 5"] + added)
        #expect(upstream([], bodyLength: 7) == ["content-length: 7"] + added)
        #expect(upstream([]) == added)
    }

    @Test func forwardingFieldsAreAppended() {
        let fields = [("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2"), ("X-Forwarded-Proto", "https")]
        #expect(upstream(fields) == ["X-Forwarded-Proto: https", "x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.1.2.3"])
        #expect(upstream([], isSecure: true).contains("x-forwarded-proto: https"))
    }

    @Test func mutationsApplyInOrder() {
        let mutations = [
            HeaderMutation(set: [.init(name: "a", value: "1")], remove: ["b"]),
            HeaderMutation(set: [.init(name: "A", value: "2")], add: [.init(name: "b", value: "3")]),
        ]
        #expect(upstream([("a", "0"), ("A", "0"), ("b", "0")], mutations: mutations) == added + ["A: 2", "b: 3"])
    }

    @Test func responsesLoseHopByHopFields() {
        let endpoint = HTTPHeaders([
            ("Content-Type", "text/plain"), ("Connection", "close, x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"), ("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Server", "uvicorn"),
        ])
        let mutation = HeaderMutation(set: [.init(name: "x-set", value: "1")], remove: ["server"])
        let headers = ForwardedHeaders.downstream(endpoint, mutation: mutation).map { "\($0.name): \($0.value)" }
        #expect(headers == ["Content-Type: text/plain", "Set-Cookie: a", "Set-Cookie: b", "x-set: 1"])
        let sized = ForwardedHeaders.downstream(HTTPHeaders([("Content-Length", "4")]), mutation: HeaderMutation())
        #expect(sized.first(name: "content-length") == "4")
    }
}
