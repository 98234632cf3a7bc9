import Testing

@testable import HTTP2Engine

/// What a client may do wrong, as in h2spec's list, and what becomes of it (RFC 9113).
@Suite struct ConformanceTests {
    typealias Client = ClientBytes

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let bytes: [UInt8]
        /// The code of the stream's or the connection's end; `nil` when nothing ends.
        var code: HTTP2ErrorCode?

        init(_ description: String, _ bytes: [UInt8], _ code: HTTP2ErrorCode? = nil) {
            testDescription = description
            self.bytes = bytes
            self.code = code
        }
    }

    // MARK: The beginning

    @Test func theServerBegins() {
        let frames = EngineDriver().frames()
        #expect(frames.map(\.type) == [4, 8] && frames.allSatisfy { $0.stream == 0 && $0.flags == 0 })
        #expect(
            frames[0].payload
                == [0, 3] + Client.number(65_536) + [0, 4] + Client.number(2 << 20) + [0, 6] + Client.number(65_536))
        #expect(frames[1].payload == Client.number((1 << 30) - 65_535))
    }

    @Test(arguments: [
        Case("HTTP/1.1", Array("GET / HTTP/1.1\r\n\r\n".utf8)),
        Case("a wrong preface", Array(Client.preface[..<23]) + [0]),
        Case("no settings", Client.preface + Client.ping()),
        Case("an acknowledgement", Client.preface + Client.frame(4, flags: 1, 0)),
        Case("a request", Client.preface + Client.headers(1)), Case("DATA", Client.preface + Client.data(1, [])),
    ])
    func wrongBeginnings(_ wrong: Case) {
        let driver = EngineDriver().feed(wrong.bytes)
        #expect(driver.seen == [.failed(.protocolError)])
        #expect(driver.frames().last?.type == 7)
        #expect(driver.feed(Client.hello + Client.headers(1)).seen.count == 1 && driver.frames().isEmpty)
    }

    // MARK: Connection errors

    static let fatalCases: [Case] = [
        Case("a frame over the limit", Client.frame(0, 1, [UInt8](repeating: 0, count: 16_385)), .frameSizeError),
        Case(
            "an unknown frame over the limit", Client.frame(99, 0, [UInt8](repeating: 0, count: 16_385)),
            .frameSizeError),
        Case("DATA on stream 0", Client.data(0, [1]), .protocolError),
        Case("DATA on an idle stream", Client.data(1, [1]), .protocolError),
        Case("DATA on a server's stream", Client.headers(3) + Client.data(2, [1]), .protocolError),
        Case("padding as long as DATA", Client.headers(1) + Client.frame(0, flags: 8, 1, [2, 0]), .protocolError),
        Case("padded DATA without padding", Client.headers(1) + Client.frame(0, flags: 8, 1), .frameSizeError),
        Case("HEADERS on stream 0", Client.headers(0), .protocolError),
        Case("HEADERS on a server's stream", Client.headers(2), .protocolError),
        Case("a lower stream", Client.headers(5) + Client.headers(3), .protocolError),
        Case("padding longer than HEADERS", Client.frame(1, flags: 12, 1, [9, 0x82]), .protocolError),
        Case("padded HEADERS without padding", Client.frame(1, flags: 12, 1), .frameSizeError),
        Case("HEADERS shorter than a priority", Client.frame(1, flags: 0x24, 1, [0, 0, 0, 0]), .frameSizeError),
        Case("a block that cannot be decoded", Client.frame(1, flags: 4, 1, [0xFF]), .compressionError),
        Case("an unknown index", Client.frame(1, flags: 4, 1, [0xC0]), .compressionError),
        Case("PRIORITY on stream 0", Client.frame(2, 0, [0, 0, 0, 0, 1]), .protocolError),
        Case("PRIORITY of a wrong length", Client.frame(2, 1, [0, 0, 0, 0]), .frameSizeError),
        Case("RST_STREAM on stream 0", Client.reset(0), .protocolError),
        Case("RST_STREAM on an idle stream", Client.reset(1), .protocolError),
        Case("RST_STREAM of a wrong length", Client.headers(1) + Client.frame(3, 1, [0, 0, 0]), .frameSizeError),
        Case("SETTINGS on a stream", Client.frame(4, 1), .protocolError),
        Case("an acknowledgement with settings", Client.frame(4, flags: 1, 0, [0, 1, 0, 0, 0, 0]), .frameSizeError),
        Case("SETTINGS of a wrong length", Client.frame(4, 0, [0, 1, 0]), .frameSizeError),
        Case("ENABLE_PUSH 2", Client.settings([(2, 2)]), .protocolError),
        Case("INITIAL_WINDOW_SIZE 2^31", Client.settings([(4, 1 << 31)]), .flowControlError),
        Case("MAX_FRAME_SIZE 16383", Client.settings([(5, 16_383)]), .protocolError),
        Case("MAX_FRAME_SIZE 2^24", Client.settings([(5, 1 << 24)]), .protocolError),
        Case("PUSH_PROMISE", Client.headers(1) + Client.frame(5, flags: 4, 1, [0, 0, 0, 2]), .protocolError),
        Case("PING on a stream", Client.frame(6, 1, [UInt8](repeating: 0, count: 8)), .protocolError),
        Case("PING of a wrong length", Client.frame(6, 0, [0]), .frameSizeError),
        Case("GOAWAY on a stream", Client.frame(7, 1, [UInt8](repeating: 0, count: 8)), .protocolError),
        Case("GOAWAY of a wrong length", Client.frame(7, 0, [0, 0, 0, 0]), .frameSizeError),
        Case("WINDOW_UPDATE by 0", Client.windowUpdate(0, 0), .protocolError),
        Case("WINDOW_UPDATE on an idle stream", Client.windowUpdate(1, 1), .protocolError),
        Case("WINDOW_UPDATE of a wrong length", Client.frame(8, 0, [0, 0, 1]), .frameSizeError),
        Case("a window beyond 2^31-1", Client.windowUpdate(0, 0x7FFF_FFFF), .flowControlError),
        Case(
            "settings open a window beyond 2^31-1",
            Client.headers(1) + Client.windowUpdate(1, 1000) + Client.settings([(4, 0x7FFF_FFFF)]), .flowControlError),
        Case("a lone CONTINUATION", Client.headers(1) + Client.frame(9, flags: 4, 1), .protocolError),
        Case("another frame within a block", Client.headers(1, isWhole: false) + Client.ping(), .protocolError),
        Case(
            "an unknown frame within a block", Client.headers(1, isWhole: false) + Client.frame(99, 1), .protocolError),
        Case("DATA within a block", Client.headers(1, isWhole: false) + Client.data(1, []), .protocolError),
        Case(
            "a CONTINUATION of another stream",
            Client.headers(1, isWhole: false) + Client.frame(9, flags: 4, 3), .protocolError),
        Case(
            "a CONTINUATION on stream 0",
            Client.headers(1, isWhole: false) + Client.frame(9, flags: 4, 0), .protocolError),
    ]

    @Test(arguments: fatalCases, [Int.max, 1, 7]) func connectionErrors(_ wrong: Case, piece: Int) {
        let driver = EngineDriver.met()
        driver.feed(wrong.bytes, piece: piece)
        #expect(driver.seen.last == .failed(wrong.code ?? .noError))
        let last = driver.frames().last
        #expect(last?.type == 7 && last?.code == wrong.code?.rawValue)
    }

    // MARK: Stream errors

    static let trailers = [("grpc-trailer", "1")]

    static let streamCases: [Case] = [
        Case("DATA behind the end", Client.headers(1, isLast: true) + Client.data(1, [1]), .streamClosed),
        Case("HEADERS behind the end", Client.headers(1, isLast: true) + Client.headers(1), .streamClosed),
        Case(
            "DATA behind a reset", Client.headers(1) + Client.data(1, [1]) + Client.reset(1) + Client.data(1, [1]),
            .streamClosed),
        Case(
            "HEADERS behind a reset", Client.headers(1) + Client.data(1, [1]) + Client.reset(1) + Client.headers(1),
            .streamClosed),
        Case("a stream's window by 0", Client.headers(1) + Client.windowUpdate(1, 0), .protocolError),
        Case(
            "a stream's window beyond 2^31-1", Client.headers(1) + Client.windowUpdate(1, 0x7FFF_FFFF),
            .flowControlError),
        Case("PRIORITY of a wrong length, on a stream", Client.headers(1) + Client.frame(2, 1, [0]), .frameSizeError),
        Case("trailers that end nothing", Client.headers(1) + Client.headers(1, trailers), .protocolError),
        Case(
            "pseudo-headers in trailers", Client.headers(1) + Client.headers(1, Client.request, isLast: true),
            .protocolError),
        Case("capitals in trailers", Client.headers(1) + Client.headers(1, [("A", "")], isLast: true), .protocolError),
        Case(
            "less than content-length",
            Client.headers(1, Client.request + [("content-length", "4")]) + Client.data(1, [1], isLast: true),
            .protocolError),
        Case(
            "more than content-length",
            Client.headers(1, Client.request + [("content-length", "1")]) + Client.data(1, [1, 2]), .protocolError),
        Case(
            "content-length and no content",
            Client.headers(1, Client.request + [("content-length", "1")], isLast: true), .protocolError),
    ]

    @Test(arguments: streamCases, [Int.max, 1, 7]) func streamErrors(_ wrong: Case, piece: Int) {
        let driver = EngineDriver.met()
        driver.feed(wrong.bytes, piece: piece)
        let last = driver.frames().last
        #expect(last?.type == 3 && last?.stream == 1 && last?.code == wrong.code?.rawValue)
        #expect(driver.engine.streamCount == 0)
        driver.feed(Client.headers(3))
        #expect(driver.seen.last == .request(3, Client.request.map { [$0.0, $0.1] }, isLast: false))
    }

    // MARK: Header fields

    private static func request(without name: String = "", adding fields: [(String, String)] = []) -> [(String, String)]
    {
        Client.request.filter { $0.0 != name } + fields
    }

    static let malformed: [[(String, String)]] = [
        request(without: ":method"), request(without: ":path"), request(without: ":scheme"),
        [(":path", "")] + request(without: ":path"), [(":method", "GET")] + request(), [(":path", "/b")] + request(),
        [(":scheme", "http")] + request(), [(":authority", "b")] + request(), [(":status", "200")] + request(),
        [(":unknown", "1")] + request(), [(":protocol", "websocket")] + request(), [("a", "1")] + request(),
        request(adding: [(":path", "/late")]), request(adding: [("Upper", "1")]), request(adding: [("", "1")]),
        request(adding: [("a b", "1")]), request(adding: [("a\u{0}", "1")]), request(adding: [("a:", "1")]),
        request(adding: [("ü", "1")]), request(adding: [("a", "1\r\n")]), request(adding: [("a", "\u{0}")]),
        request(adding: [("a", " 1")]), request(adding: [("a", "1\t")]), request(adding: [("connection", "close")]),
        request(adding: [("keep-alive", "1")]), request(adding: [("proxy-connection", "1")]),
        request(adding: [("transfer-encoding", "chunked")]), request(adding: [("upgrade", "h2c")]),
        request(adding: [("te", "gzip")]), request(adding: [("content-length", "x")]),
        request(adding: [("content-length", "")]), request(adding: [("content-length", "1"), ("content-length", "2")]),
        [(":method", "CONNECT"), (":path", "/"), (":authority", "a")], [(":method", "CONNECT")],
    ]

    @Test(arguments: malformed.indices) func malformedRequests(index: Int) {
        let driver = EngineDriver.met()
        driver.feed(Client.headers(1, Self.malformed[index]))
        #expect(driver.seen.isEmpty)
        #expect(driver.frames() == [SentFrame(type: 3, flags: 0, stream: 1, payload: Client.number(1))])
        // Another time, the field comes from the dynamic table.
        let block = Self.malformed[index].reduce(into: [UInt8]()) {
            $0 += [0x40] + Client.string($1.0) + Client.string($1.1)
        }
        driver.feed(Client.frame(1, flags: 4, 3, block))
        let count = Self.malformed[index].count
        driver.feed(Client.frame(1, flags: 4, 5, (0..<count).map { UInt8(0x80 | (61 + count - $0)) }))
        #expect(driver.seen.isEmpty)
        #expect(driver.frames().map(\.stream) == [3, 5])
    }

    @Test func whatGRPCNeedsOfTheFields() {
        let driver = EngineDriver.met()
        driver.feed(
            Client.headers(1, Self.request(adding: [("grpc-timeout", "5S"), ("grpc-encoding", "gzip"), ("x", "ü")])))
        let header = driver.engine.header
        #expect(header.isPath("/svc/Method") && !header.isPath("/svc/Metho") && header.pathText == "/svc/Method")
        #expect(header.isGRPC)
        driver.feed(Client.headers(3, Self.request(without: "content-type")))
        #expect(!driver.engine.header.isGRPC)
        driver.feed(Client.headers(5, [(":method", "CONNECT"), (":authority", "a")]))
        #expect(driver.seen.count == 3 && driver.engine.header.pathText.isEmpty)
    }

    // MARK: What must be let pass

    static let harmless: [Case] = [
        Case("PRIORITY on an idle stream", Client.frame(2, 9, [0, 0, 0, 0, 1])),
        Case("an unknown frame", Client.frame(99, flags: 0xFF, 7, [1, 2, 3])),
        Case(
            "unknown settings", Client.settings([(9, 9), (1, 100), (3, 0), (6, 1), (5, 16_777_215), (4, 0x7FFF_FFFF)])),
        Case("unknown flags", Client.frame(6, flags: 0xFE, 0, [UInt8](repeating: 1, count: 8))),
        Case("GOAWAY with text", Client.frame(7, 0, [UInt8](repeating: 0, count: 8) + [65, 66])),
        Case("an acknowledgement", Client.frame(4, flags: 1, 0)), Case("a pong", Client.ping(isAck: true)),
        Case("the reserved bit", [0, 0, 8, 6, 0, 0x80, 0, 0, 0] + [UInt8](repeating: 0, count: 8)),
    ]

    @Test(arguments: harmless) func harmlessFrames(_ fine: Case) {
        let driver = EngineDriver.met()
        driver.feed(fine.bytes + Client.headers(1))
        #expect(driver.seen.last == .request(1, Client.request.map { [$0.0, $0.1] }, isLast: false))
        #expect(driver.frames().allSatisfy { $0.flags == 1 && [4, 6].contains($0.type) })
    }

    @Test func paddedHeadersWithAPriority() {
        let driver = EngineDriver.met()
        let block = Client.block(Client.request)
        driver.feed(Client.frame(1, flags: 0x2D, 1, [3, 0, 0, 0, 0, 16] + block + [0, 0, 0]))
        #expect(driver.seen == [.request(1, Client.request.map { [$0.0, $0.1] }, isLast: true)])
    }

    @Test func continuedHeaders() {
        let driver = EngineDriver.met()
        let block = Client.block(Client.request)
        driver.feed(Client.frame(1, flags: 1, 1, Array(block[..<5])))
        for byte in block[5...15] { driver.feed(Client.frame(9, 1, [byte])) }
        driver.feed(Client.frame(9, flags: 4, 1, Array(block[16...])))
        #expect(driver.seen == [.request(1, Client.request.map { [$0.0, $0.1] }, isLast: true)])
    }

    @Test func pings() {
        let driver = EngineDriver.met()
        driver.feed(Client.ping(9) + Client.ping(8, isAck: true), piece: 3)
        #expect(driver.seen == [.pong(8)])
        #expect(driver.frames() == [SentFrame(type: 6, flags: 1, stream: 0, payload: [0, 0, 0, 0, 0, 0, 0, 9])])
    }
}
