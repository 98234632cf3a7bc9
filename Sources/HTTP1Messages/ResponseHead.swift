package import GatewayCore
package import NIOCore

/// The head of an endpoint's HTTP/1.1 response, as its bytes and where the fields stand in them.
///
/// Most responses go to a client that speaks HTTP/1.1 too, and most of their fields go on as they are: nothing is made
/// into a text that is only written out again.
package struct ResponseHead {
    /// The head's bytes; places count from its reader index.
    package let bytes: ByteBuffer
    /// The status code, 200 to 999.
    package let status: Int
    /// The reason phrase's place; may be empty.
    package let reason: Range<Int>
    /// The fields in order.
    package let places: [HeaderMap.Place]
    /// What `connection` lists.
    package let connection: ConnectionOptions
    /// The length that the response announces; of a response to HEAD it is that of a body that does not come.
    package let contentLength: Int?
    /// Where the body ends.
    package let bodyLength: MessageBodyReader.Length
    /// Whether the connection may serve another request.
    package let keepsAlive: Bool
    /// Whether the content type is `text/event-stream`.
    package let isEventStream: Bool

    /// Reads the fields of a head and decides where its body ends (RFC 9112, 6.3).
    ///
    /// - Parameters:
    ///   - line: what the status line says.
    ///   - isHead: whether the request was a HEAD, whose response has no body.
    /// - Throws: ``MessageFault`` when the length of the body is open to doubt.
    init(
        bytes: ByteBuffer,
        line: StatusLine,
        places: [HeaderMap.Place],
        isHead: Bool
    ) throws(MessageFault) {
        var facts = Facts()
        try bytes.withUnsafeReadableBytes { (bytes) throws(MessageFault) in
            for place in places { try facts.note(place, of: bytes) }
        }
        if facts.isChunked, facts.contentLength != nil { throw .lengthInDoubt }
        self.bytes = bytes
        self.places = places
        status = line.status
        reason = line.reason
        connection = facts.connection
        contentLength = facts.contentLength
        isEventStream = facts.isEventStream
        if isHead || line.status < 200 || line.status == 204 || line.status == 304 {
            bodyLength = .none
        } else if facts.isChunked {
            bodyLength = .chunked
        } else {
            bodyLength = facts.contentLength.map { .bytes($0) } ?? .untilClose
        }
        let persists = line.isHTTP10 ? facts.connection.keepsAlive : true
        keepsAlive = persists && !facts.connection.closes && bodyLength != .untilClose
    }

    /// The value of the first field called `lowercasedName`; empty when there is none.
    package func value(of lowercasedName: StaticString) -> String {
        bytes.withUnsafeReadableBytes { bytes in
            let place = places.first { bytes.slice($0.name).equalsIgnoringASCIICase(lowercasedName) }
            return place.map { bytes.text($0.value) } ?? ""
        }
    }

    /// The first line of a response.
    struct StatusLine {
        /// The status code, 100 to 999.
        let status: Int
        /// The reason phrase's place.
        let reason: Range<Int>
        /// Whether the endpoint speaks HTTP/1.0.
        let isHTTP10: Bool

        /// Reads `HTTP/1.1 200 OK` (RFC 9112, 4); a missing phrase is forgiven.
        init(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(MessageFault) {
            let start = line.lowerBound
            guard line.count >= 12, bytes.slice(start..<start + 7).elementsEqual("HTTP/1.".utf8),
                bytes[start + 8] == ASCII.space, line.count == 12 || bytes[start + 12] == ASCII.space
            else { throw .malformed("the first line is not the status line of HTTP/1.1") }
            switch bytes[start + 7] {
            case UInt8(ascii: "1"): isHTTP10 = false
            case UInt8(ascii: "0"): isHTTP10 = true
            default: throw .version("HTTP/1." + bytes.text(start + 7..<start + 8))
            }
            guard let status = bytes.decimal(start + 9..<start + 12), status >= 100 else {
                throw .malformed("the status is not a number of three digits")
            }
            self.status = status
            reason = min(start + 13, line.upperBound)..<line.upperBound
            guard !bytes.hasForbiddenInValue(reason) else {
                throw .malformed("the reason phrase has a control character")
            }
        }
    }

    private struct Facts {
        var contentLength: Int?
        var isChunked = false
        var isEventStream = false
        var connection = ConnectionOptions()

        mutating func note(_ place: HeaderMap.Place, of bytes: UnsafeRawBufferPointer) throws(MessageFault) {
            switch FieldKind(bytes.slice(place.name)) {
            case .contentLength:
                guard let length = bytes.decimal(place.value) else {
                    throw .malformed("the Content-Length is not a number of bytes")
                }
                if contentLength != nil { throw .lengthInDoubt }
                contentLength = length
            case .transferEncoding:
                guard !isChunked, bytes.matches(place.value, "chunked") else {
                    throw .malformed("the Transfer-Encoding is not 'chunked', the only coding understood")
                }
                isChunked = true
            case .connection:
                connection.add(place.value, of: bytes)
            case .contentType:
                let prefix: StaticString = "text/event-stream"
                let length = prefix.utf8CodeUnitCount
                let value = place.value
                isEventStream =
                    value.count >= length
                    && bytes.matches(value.lowerBound..<value.lowerBound + length, prefix)
            case .endToEnd, .host, .hopByHop, .forwardedFor, .forwardedProto:
                break
            }
        }
    }
}
