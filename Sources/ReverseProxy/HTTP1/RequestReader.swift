import GatewayCore
import HTTP1Messages
import NIOCore

/// Takes the bytes that a client sends over HTTP/1.1 apart into requests: a head, pieces of a body, an end.
///
/// A plain value. It reads no further than it is asked: the bytes of pipelined requests wait in it as they came. A body
/// of known length is one piece: it waits too until it is whole.
struct RequestReader {
    /// What came.
    enum Event {
        /// A request begins.
        case head(RequestHead)
        /// A piece of its body, or all of it when its length was announced; at least one byte.
        case body(ByteBuffer)
        /// It is whole.
        case end
    }

    private let limits: GatewayLimits
    /// What came and was not taken.
    private var input = ByteBuffer()
    private var section: HeaderSection
    /// The body of the present request; `nil` between requests and in a head.
    private var body: MessageBodyReader?

    init(limits: GatewayLimits) {
        self.limits = limits
        section = Self.section(limits)
    }

    /// The most bytes that are set aside for bytes of a body that were announced and have not come.
    private static let roomMax = 1 << 20
    /// With less room than this and more bytes missing, more is set aside.
    private static let roomMin = 64 << 10

    /// Whether bytes have come that were not taken.
    var hasInput: Bool { input.readableBytes > 0 }

    /// Whether a head has begun to come and is not whole.
    var isInsideHead: Bool { body == nil && hasInput }

    /// Whether a request has begun to come and is not whole.
    var isInsideRequest: Bool { body != nil || hasInput }

    /// Takes what was received; ``next()`` tells what it is.
    mutating func receive(_ bytes: ByteBuffer) {
        input.takeBehind(bytes)
    }

    /// Forgets what was received and not taken.
    mutating func drop() {
        input = ByteBuffer()
    }

    /// What has come of a body of known length that is not whole, with room behind it for more; `nil` when there is
    /// none. The bytes leave the reader: with more bytes behind them they come back by ``resume(_:)``.
    mutating func takeBegunBody() -> ByteBuffer? {
        guard let missing = missingBytes, missing > 0, hasInput else { return nil }
        var begun = input
        input = ByteBuffer()
        // The announcement is the client's word: the room grows with what comes.
        if begun.writableBytes < min(missing, Self.roomMin) {
            begun.reserveCapacity(minimumWritableBytes: min(missing, max(Self.roomMax, begun.readableBytes)))
        }
        return begun
    }

    /// Takes back what ``takeBegunBody()`` gave, with the bytes that have come behind it.
    mutating func resume(_ bytes: ByteBuffer) {
        input = bytes
    }

    /// How many bytes of a body of known length have not come; `nil` for any other body.
    private var missingBytes: Int? {
        body?.knownLength.map { $0 - input.readableBytes }
    }

    /// The next event; `nil` when more bytes are needed.
    ///
    /// - Throws: ``MessageFault``; where the next request begins is not known then.
    mutating func next() throws(MessageFault) -> Event? {
        guard body != nil else { return try takeHead().map { .head($0) } }
        if let missingBytes, missingBytes > 0 { return nil }
        // In place: a copy of the reader in a local would be written back for each piece.
        let piece = try body?.next(&input)
        if input.readableBytes == 0 { input = ByteBuffer() }
        switch piece {
        case .bytes(let bytes): return .body(bytes)
        case .end:
            body = nil
            return .end
        case nil: return nil
        }
    }

    private static func section(_ limits: GatewayLimits) -> HeaderSection {
        HeaderSection(bytesMax: limits.maxHeaderBytes, fieldsMax: limits.maxHeaderFields, skipsEmptyLines: true)
    }

    private mutating func takeHead() throws(MessageFault) -> RequestHead? {
        if input.readableBytes == 0 { return nil }
        var section = section
        let whole = try input.withUnsafeReadableBytes { (bytes) throws(MessageFault) -> (RequestHead, Int)? in
            guard let length = try section.read(bytes), let line = section.startLine else { return nil }
            return (try Self.head(bytes, line, section.places, length), length)
        }
        guard let (head, length) = whole else {
            self.section = section
            if section.hasOnlyEmptyLines {
                self.section = Self.section(limits)
                drop()
            }
            return nil
        }
        self.section = Self.section(limits)
        input.moveReaderIndex(forwardBy: length)
        body = MessageBodyReader(head.bodyLength)
        return head
    }

    /// Reads the request line (RFC 9112, 3) and puts the head together.
    private static func head(
        _ bytes: UnsafeRawBufferPointer,
        _ line: Range<Int>,
        _ places: [HeaderMap.Place],
        _ length: Int
    ) throws(MessageFault) -> RequestHead {
        var method = line.lowerBound..<line.lowerBound
        while method.upperBound < line.upperBound, bytes[method.upperBound].isTokenByte {
            method = method.lowerBound..<method.upperBound + 1
        }
        // ` HTTP/1.1`
        let versionStart = line.upperBound - 9
        guard !method.isEmpty, method.upperBound < versionStart, bytes[method.upperBound] == ASCII.space,
            bytes.slice(versionStart..<versionStart + 6).elementsEqual(" HTTP/".utf8)
        else {
            throw .malformed("its first line is not a method, a target and a version")
        }
        let target = method.upperBound + 1..<versionStart
        let version = try version(bytes, versionStart + 6..<line.upperBound)
        return try RequestHead(
            method: bytes.text(method),
            target: bytes.text(target),
            version: version,
            headers: HeaderMap(section: RawSpan(_unsafeBytes: bytes.slice(0..<length)), places: places)
        )
    }

    private static func version(
        _ bytes: UnsafeRawBufferPointer,
        _ range: Range<Int>
    ) throws(MessageFault) -> RequestHead.Version {
        switch (bytes[range.lowerBound], bytes[range.lowerBound + 1], bytes[range.lowerBound + 2]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "."), UInt8(ascii: "1")): return .http11
        case (UInt8(ascii: "1"), UInt8(ascii: "."), UInt8(ascii: "0")): return .http10
        default: throw .version("HTTP/" + bytes.text(range))
        }
    }
}
