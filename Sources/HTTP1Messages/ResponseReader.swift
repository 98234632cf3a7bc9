package import NIOCore

/// Takes the bytes that an endpoint sends over HTTP/1.1 apart into responses: one head, pieces of a body, one end.
///
/// A plain value: bytes in, events out. Interim responses (RFC 9110, 15.2) are passed over.
package struct ResponseReader {
    /// What came.
    package enum Event {
        /// A response begins.
        case head(ResponseHead)
        /// A piece of its body; at least one byte.
        case body(ByteBuffer)
        /// It is whole.
        case end
    }

    private enum State {
        /// Between requests.
        case idle
        /// Before or in a head.
        case head(isHead: Bool)
        /// In a body.
        case body(MessageBodyReader)
    }

    /// The most bytes of a head, unless its reader is told otherwise.
    package static let headBytesMax = 256 << 10
    /// The most fields of a head.
    package static let fieldsMax = 512
    /// The most interim responses before a response: an endpoint that sends nothing else must not keep a request.
    static let interimMax = 16

    private var state = State.idle
    /// What came and was not taken.
    private var input = ByteBuffer()
    private var section: HeaderSection
    private var interimCount = 0
    private let headBytesMax: Int

    /// A reader between requests.
    ///
    /// - Parameter headBytesMax: the most bytes of a head.
    package init(headBytesMax: Int = Self.headBytesMax) {
        self.headBytesMax = headBytesMax
        section = Self.section(headBytesMax)
    }

    /// Whether bytes have come that were not taken.
    package var hasInput: Bool { input.readableBytes > 0 }

    /// A request is sent: its response comes next.
    package mutating func begin(isHead: Bool) {
        state = .head(isHead: isHead)
        interimCount = 0
    }

    /// Takes what was received; ``next()`` tells what it is.
    package mutating func receive(_ bytes: ByteBuffer) {
        input.takeBehind(bytes)
    }

    /// The next event; `nil` when more bytes are needed, and between requests.
    ///
    /// - Throws: ``MessageFault``; the connection is of no use then.
    package mutating func next() throws(MessageFault) -> Event? {
        switch state {
        case .idle:
            return nil
        case .head(let isHead):
            return try takeHead(isHead: isHead).map { .head($0) }
        case .body(var body):
            let piece = try body.next(&input)
            state = .body(body)
            if input.readableBytes == 0 { input = ByteBuffer() }
            switch piece {
            case .bytes(let bytes): return .body(bytes)
            case .end:
                state = .idle
                return .end
            case nil: return nil
            }
        }
    }

    /// The connection ended.
    ///
    /// - Returns: whether a response became whole by it.
    package mutating func inputEnded() -> Bool {
        guard case .body(let body) = state, body.endsWithConnection else { return false }
        state = .idle
        return true
    }

    private static func section(_ headBytesMax: Int) -> HeaderSection {
        HeaderSection(bytesMax: headBytesMax, fieldsMax: fieldsMax, skipsEmptyLines: false)
    }

    /// The next head that is no interim response, once all of it has come.
    private mutating func takeHead(isHead: Bool) throws(MessageFault) -> ResponseHead? {
        while let (line, length) = try readSection() {
            let places = section.places
            section = Self.section(headBytesMax)
            guard let bytes = input.readSlice(length: length) else { return nil }
            if line.status == 101 { throw .malformed("the endpoint wants to switch protocols") }
            if line.status < 200 {
                interimCount += 1
                guard interimCount <= Self.interimMax else {
                    throw .malformed("there are more than \(Self.interimMax) interim responses")
                }
                continue
            }
            let head = try ResponseHead(bytes: bytes, line: line, places: places, isHead: isHead)
            state = .body(MessageBodyReader(head.bodyLength))
            return head
        }
        return nil
    }

    /// Goes on reading a header section; `nil` when it has not come whole.
    private mutating func readSection() throws(MessageFault) -> (ResponseHead.StatusLine, length: Int)? {
        if input.readableBytes == 0 { return nil }
        var section = section
        defer { self.section = section }
        return try input.withUnsafeReadableBytes { (bytes) throws(MessageFault) -> (ResponseHead.StatusLine, Int)? in
            let length = try section.read(bytes)
            // What speaks something else is not waited for until it has sent an empty line.
            guard let start = section.startLine else { return nil }
            let line = try ResponseHead.StatusLine(bytes, start)
            return length.map { (line, $0) }
        }
    }
}
