import GatewayCore
import HTTP1Messages
import NIOCore
import Testing

@testable import ReverseProxy

@Suite struct RequestReaderTests {
    private static let stream =
        "\r\nGET /a HTTP/1.1\r\nhost: h\r\n\r\n"
        + "POST /b?c=d HTTP/1.1\r\nHost: h\r\nX-Space: \t one  two \t\r\nContent-Length: 5\r\nX-Empty:\r\n\r\nhello"
        + "POST /d HTTP/1.0\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"
        + "PUT http://other:81/e HTTP/1.1\r\nhost: h\r\ntransfer-encoding: Chunked\r\n\r\n"
        + "5;name=\"v\"\r\nhello\r\nA\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\n"
        + "OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n"

    private static let messages = [
        ReadMessage(start: "GET /a http11", fields: ["host: h"], isWhole: true),
        ReadMessage(
            start: "POST /b?c=d http11",
            fields: ["host: h", "x-space: one  two", "content-length: 5", "x-empty: "],
            body: Array("hello".utf8),
            isWhole: true
        ),
        ReadMessage(start: "POST /d http10", fields: ["content-length: 0", "connection: keep-alive"], isWhole: true),
        ReadMessage(
            start: "PUT /e http11",
            fields: ["transfer-encoding: Chunked", "host: other:81"],
            body: Array("hello0123456789".utf8),
            isWhole: true
        ),
        ReadMessage(start: "OPTIONS * http11", fields: ["host: h"], isWhole: true),
    ]

    @Test func requestsAreTakenApart() {
        #expect(Readers.requests(Array(Self.stream.utf8)) == ReadStream(messages: Self.messages))
    }

    /// However the network cuts the bytes, the requests are the same.
    @Test func everyCutGivesTheSame() {
        let bytes = Array(Self.stream.utf8)
        for cut in 1..<bytes.count {
            #expect(Readers.requests(bytes, pieces: [cut]).messages == Self.messages, "cut at \(cut)")
        }
        for size in 1...7 {
            let pieces = Array(repeating: size, count: bytes.count / size)
            #expect(Readers.requests(bytes, pieces: pieces).messages == Self.messages, "pieces of \(size)")
        }
    }

    private func fault(_ text: String, limits: GatewayLimits = GatewayLimits()) -> MessageFault? {
        var reader = RequestReader(limits: limits)
        reader.receive(ByteBuffer(string: text))
        do throws(MessageFault) {
            while try reader.next() != nil {}
            return nil
        } catch {
            return error
        }
    }

    private func isMalformed(_ text: String) -> Bool {
        if case .malformed = fault(text) { true } else { false }
    }

    @Test(arguments: [
        "GET /x HTTP/1.1\nhost: h\n\n", "GET /x HTTP/1.1\r\nhost: h\n\r\n", "GET /x\r\nhost: h\r\n\r\n",
        "GET  /x HTTP/1.1\r\nhost: h\r\n\r\n", "GET /x  HTTP/1.1\r\nhost: h\r\n\r\n",
        " GET /x HTTP/1.1\r\nhost: h\r\n\r\n",
        "GET /x y HTTP/1.1\r\nhost: h\r\n\r\n", "GET /\u{1} HTTP/1.1\r\nhost: h\r\n\r\n",
        "G(T /x HTTP/1.1\r\nhost: h\r\n\r\n",
        "GET /x http/1.1\r\nhost: h\r\n\r\n", "GET x HTTP/1.1\r\nhost: h\r\n\r\n", "\u{16}\u{3}\u{1}",
        "GET /x HTTP/1.1\r\nhost: h\r\n folded\r\n\r\n", "GET /x HTTP/1.1\r\nhost : h\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: h\r\nno-colon\r\n\r\n", "GET /x HTTP/1.1\r\nhost: h\r\n: v\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: h\r\na: b\rc\r\n\r\n", "GET /x HTTP/1.1\r\nhost: h\r\na: b\0c\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: h\r\nlonger-than-eight: 1234567\u{7F}\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: h\r\nhost: h\r\n\r\n", "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: +1\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 1, 1\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length:\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 9223372036854775808\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n",
    ])
    func faultyHeads(text: String) {
        #expect(isMalformed(text))
    }

    @Test(arguments: [
        "\r\n", "g\r\n", "5 \r\nhello", "5;\r\nhello", "5;a=\r\nhello", "5;a=\"b\r\nhello", "-1\r\n", "0x5\r\n",
        " 5\r\n", "5 6\r\n", "5\nhello", "5\rhello\r\n", "0\r\nno field\r\n\r\n", "0\r\ncontent-length: 3\r\n\r\n",
        "1000000000000000\r\n",
        "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n", "0\r\ntrailer: \u{1}\r\n\r\n", "5;a=\u{1}\r\nhello\r\n",
        "5;\(String(repeating: "x", count: 1100))", "5;\(String(repeating: "x", count: 1100))\r\n",
    ])
    func faultyChunks(text: String) {
        #expect(isMalformed("POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n" + text))
    }

    @Test func lengthsOpenToDoubt() {
        let both = [
            "content-length: 3\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 3",
        ]
        for fields in both + ["content-length: 3\r\ncontent-length: 3"] {
            #expect(fault("POST /x HTTP/1.1\r\nhost: h\r\n\(fields)\r\n\r\n") == .lengthInDoubt)
        }
    }

    @Test(arguments: ["0.9", "1.2", "2.0", "1,1", "x.y"])
    func otherVersions(version: String) {
        #expect(fault("GET /x HTTP/\(version)\r\nhost: h\r\n\r\n") == .version("HTTP/\(version)"))
    }

    /// A limit holds before the end of what exceeds it has come.
    @Test func limits() {
        var limits = GatewayLimits()
        limits.maxHeaderBytes = 100
        limits.maxHeaderFields = 2
        let long = "GET /x HTTP/1.1\r\nhost: " + String(repeating: "h", count: 100)
        #expect(fault(long, limits: limits) == .headerTooLong(limit: 100))
        #expect(fault(long + "\r\n\r\n", limits: limits) == .headerTooLong(limit: 100))
        #expect(fault("GET /x HTTP/1.1\r\nhost: h\r\na: 1\r\nb: 1\r\n", limits: limits) == .tooManyFields(limit: 2))
        let chunked = "POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
        let trailers = String(repeating: "a: b\r\n", count: 3_000)
        #expect(fault(chunked + trailers) == .headerTooLong(limit: MessageBodyReader.trailerBytesMax))
    }

    @Test func whatTheConnectionDoes() throws {
        func head(_ version: String, _ fields: String = "") throws -> RequestHead {
            var reader = RequestReader(limits: GatewayLimits())
            reader.receive(ByteBuffer(string: "POST /x HTTP/\(version)\r\nhost: h\r\n\(fields)\r\n"))
            guard case .head(let head) = try reader.next() else { throw MessageFault.malformed("no head") }
            return head
        }
        #expect(try head("1.1").keepsAlive)
        #expect(try !head("1.1", "connection: x, Close\r\n").keepsAlive)
        #expect(try !head("1.0").keepsAlive)
        #expect(try head("1.0", "Connection: Keep-Alive\r\n").keepsAlive)
        #expect(try head("1.1", "Expect: 100-Continue\r\n").expectsContinue)
        #expect(try !head("1.0", "expect: 100-continue\r\n").expectsContinue)
    }

    /// The parts of a stream of HTTP/2 become a request line too.
    @Test func whatCannotStandInARequestLineIsRefusedOfAnyVersion() {
        let headers = HeaderMap([.init(name: "host", value: "h")])
        for (method, target) in [
            ("GET /a HTTP/1.1", "/x"), ("", "/x"), ("GET", ""), ("GET", "/x HTTP/1.1"), ("GET", "/\r\nx: y"),
        ] {
            #expect(throws: MessageFault.self, "\(method) \(target)") {
                try RequestHead(method: method, target: target, version: .http2, headers: headers)
            }
        }
    }

    /// An empty line behind a request, which old clients send, is not the beginning of the next.
    @Test func emptyLinesAreNoRequest() throws {
        var reader = RequestReader(limits: GatewayLimits())
        reader.receive(ByteBuffer(string: "GET /x HTTP/1.1\r\nhost: h\r\n\r\n\r\n"))
        while try reader.next() != nil {}
        #expect(!reader.isInsideHead && !reader.isInsideRequest)
        reader.receive(ByteBuffer(string: "GET"))
        #expect(try reader.next() == nil)
        #expect(reader.isInsideHead)
    }
}
