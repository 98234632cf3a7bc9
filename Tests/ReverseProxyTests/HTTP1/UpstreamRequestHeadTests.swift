import GatewayCore
import NIOCore
import Testing

@testable import ReverseProxy

@Suite struct UpstreamRequestHeadTests {
    /// The lines behind the first.
    private func upstream(
        _ fields: [(String, String)],
        bodyLength: Int = 0,
        isSecure: Bool = false,
        mutations: [HeaderMutation] = []
    ) -> [String] {
        let request = IncomingRequest(
            method: "POST",
            target: "/x?y=1",
            authority: "h",
            headers: HeaderMap(fields.map { HeaderMap.Field(name: $0.0, value: $0.1) }),
            body: ArrayBody([]),
            receivedAt: MonotonicInstant(nanoseconds: 0)
        )
        let head = UpstreamRequestHead(
            request: request,
            bodyLength: bodyLength,
            clientAddress: "10.1.2.3",
            isSecure: isSecure,
            mutations: mutations
        )
        var bytes = ByteBuffer()
        head.write(to: &bytes)
        var lines = String(buffer: bytes).split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.first == "POST /x?y=1 HTTP/1.1")
        #expect(lines.suffix(2) == ["", ""])
        lines.removeFirst()
        lines.removeLast(2)
        return lines
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

    /// What a client's bytes are is what an endpoint gets: a value need not be UTF-8.
    @Test func bytesStayAsTheyAre() {
        let section = Array("a: ".utf8) + [0xFF, 0xE9] + Array("\r\n\r\n".utf8)
        let place = HeaderMap.Place(name: 0..<1, value: 3..<5)
        let request = IncomingRequest(
            method: "GET",
            target: "/",
            authority: "",
            headers: HeaderMap(section: section.span.bytes, places: [place]),
            body: ArrayBody([]),
            receivedAt: MonotonicInstant(nanoseconds: 0)
        )
        var bytes = ByteBuffer()
        UpstreamRequestHead(request: request, bodyLength: 0, clientAddress: "", isSecure: false, mutations: [])
            .write(to: &bytes)
        #expect(Array(bytes.readableBytesView).firstRange(of: [0x61, 0x3A, 0x20, 0xFF, 0xE9, 0x0D, 0x0A]) != nil)
    }

    @Test func mutationsReplaceForwardingFields() {
        let set = HeaderMutation(set: [.init(name: "X-Forwarded-For", value: "0.0.0.0")], remove: ["x-forwarded-proto"])
        #expect(upstream([("x-forwarded-for", "1.1.1.1")], mutations: [set]) == ["X-Forwarded-For: 0.0.0.0"])
    }

    /// A route must not make the gateway and an endpoint disagree about where a request ends.
    @Test func mutationsCannotTouchTheFraming() {
        let mutation = HeaderMutation(
            set: [.init(name: "Content-Length", value: "0"), .init(name: "connection", value: "close")],
            add: [.init(name: "Transfer-Encoding", value: "chunked")],
            remove: ["content-length"]
        )
        #expect(
            upstream([("Content-Length", "3")], bodyLength: 3, mutations: [mutation]) == ["content-length: 3"] + added)
    }

    @Test func withinAMutationTheLaterChangeCounts() {
        let mutation = HeaderMutation(
            set: [.init(name: "a", value: "1"), .init(name: "A", value: "2"), .init(name: "b", value: "1")],
            add: [.init(name: "c", value: "1"), .init(name: "c", value: "2"), .init(name: "d", value: "1")],
            remove: ["B", "D"]
        )
        #expect(
            upstream([("b", "0"), ("c", "0")], mutations: [mutation]) == ["c: 0"] + added + ["A: 2", "c: 1", "c: 2"])
    }
}
