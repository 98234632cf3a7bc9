import GatewayCore
import HTTP1Messages
import NIOCore
import RequestControl
import Testing

@testable import ReverseProxy

@Suite struct ResponseReaderTests {
    private static let stream =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\nhello"
        + "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304\r\ncontent-length: 7\r\n\r\n"
        + "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
        + "HTTP/1.0 500 Oh, no: really\r\n\r\nuntil the end"

    private static let messages = [
        ReadMessage(
            start: "200", fields: ["content-length: 5", "server: x"], body: Array("hello".utf8), isWhole: true),
        ReadMessage(start: "204", fields: [], isWhole: true),
        ReadMessage(start: "304", fields: ["content-length: 7"], isWhole: true),
        ReadMessage(start: "200", fields: ["transfer-encoding: chunked"], body: Array("hello!".utf8), isWhole: true),
        ReadMessage(start: "500", fields: [], body: Array("until the end".utf8), isWhole: true),
    ]

    @Test func everyCutGivesTheSame() {
        let bytes = Array(Self.stream.utf8)
        #expect(Readers.responses(bytes) == ReadStream(messages: Self.messages))
        for cut in 1..<bytes.count {
            #expect(Readers.responses(bytes, pieces: [cut]).messages == Self.messages, "cut at \(cut)")
        }
        let single = Array(repeating: 1, count: bytes.count)
        #expect(Readers.responses(bytes, pieces: single).messages == Self.messages)
    }

    @Test func aHeadHasNoBody() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        let stream = Readers.responses(Array(text.utf8), isHead: true)
        #expect(stream.messages.count == 2 && stream.messages.allSatisfy { $0.isWhole && $0.body.isEmpty })
    }

    @Test(arguments: [
        "220 mail ready\r\n", "HTTP/2.0 200 OK\r\n", "HTTP/1.1 99 x\r\n", "HTTP/1.1 2000 x\r\n", "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 20x OK\r\n", "\r\nHTTP/1.1 200 OK\r\n", "HTTP/1.1 200 O\u{1}K\r\n", "HTTP/1.1 200 OK\n",
        "\u{16}\u{3}",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\na\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 17),
    ])
    func faults(text: String) {
        let stream = Readers.responses(Array(text.utf8))
        #expect(stream.isFaulty)
        #expect(stream.messages.allSatisfy { !$0.isWhole })
    }

    @Test func limits() {
        let long = "HTTP/1.1 200 OK\r\na: " + String(repeating: "b", count: ResponseReader.headBytesMax)
        #expect(Readers.responses(Array(long.utf8)).isFaulty)
        let many = "HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: ResponseReader.fieldsMax + 1)
        #expect(Readers.responses(Array(many.utf8)).isFaulty)
    }

    private func head(_ text: String) throws -> ResponseHead {
        var reader = ResponseReader()
        reader.begin(isHead: false)
        reader.receive(ByteBuffer(string: text))
        guard case .head(let head) = try reader.next() else { throw MessageFault.malformed("no head") }
        return head
    }

    @Test func whatAHeadSays() throws {
        let stream = try head("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\n")
        #expect(stream.isEventStream && !stream.keepsAlive && stream.bodyLength == .untilClose)
        let sized = try head("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\n")
        #expect(!sized.isEventStream && sized.keepsAlive && sized.bodyLength == .bytes(3) && sized.contentLength == 3)
        #expect(try !head("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\n").keepsAlive)
        #expect(try !head("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n").keepsAlive)
        #expect(try head("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\n").keepsAlive)
    }

    private func client(
        _ text: String,
        framing: ClientResponseHead.Framing = .asAnnounced,
        persistence: ClientResponseHead.Persistence = .unsaid,
        mutation: HeaderMutation = HeaderMutation()
    ) throws -> String {
        var bytes = ByteBuffer()
        ClientResponseHead(isHTTP10: false, framing: framing, persistence: persistence)
            .write(try head(text), mutation, to: &bytes)
        return String(buffer: bytes)
    }

    @Test func hopByHopFieldsEndHere() throws {
        let endpoint =
            "HTTP/1.1 404 Not there\r\nContent-Type: text/plain\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n"
            + "Keep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
            + "Server: uvicorn\r\n\r\n"
        let mutation = HeaderMutation(set: [.init(name: "x-set", value: "1")], remove: ["server"])
        let kept =
            "HTTP/1.1 404 Not there\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
            + "x-set: 1\r\n"
        #expect(
            try client(endpoint, framing: .chunked, mutation: mutation)
                == kept
                + "transfer-encoding: chunked\r\n\r\n")
        #expect(
            try client(endpoint, framing: .untilClose, persistence: .close, mutation: mutation)
                == kept
                + "connection: close\r\n\r\n")
    }

    @Test func theLengthStaysWhereThereIsABody() throws {
        let sized = "HTTP/1.1 200 OK\r\nContent-Length:   4  \r\n\r\n"
        #expect(try client(sized) == "HTTP/1.1 200 OK\r\nContent-Length:   4\r\n\r\n")
        #expect(try client(sized, framing: .none) == "HTTP/1.1 200 OK\r\n\r\n")
        let lying = HeaderMutation(set: [.init(name: "content-length", value: "0")], remove: ["Content-Length"])
        #expect(try client(sized, mutation: lying) == "HTTP/1.1 200 OK\r\nContent-Length:   4\r\n\r\n")
    }
}
