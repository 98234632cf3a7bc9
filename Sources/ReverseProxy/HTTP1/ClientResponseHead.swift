import GatewayCore
import HTTP1Messages
import NIOCore
import NIOHTTP1
import RequestControl

/// The head of a response to a client of HTTP/1.x, as bytes.
struct ClientResponseHead {
    /// Where the client finds the end of the response (RFC 9112, 6.3).
    enum Framing {
        /// There is no body, and nothing may look as if there were: 204 and interim responses.
        case none
        /// As the fields of the response say: by its length, or not at all as for HEAD and 304.
        case asAnnounced
        /// The body is sent in chunks.
        case chunked
        /// The body ends with the connection.
        case untilClose
    }

    /// What becomes of the connection.
    enum Persistence {
        /// Nothing is said, which means that it stays.
        case unsaid
        /// It closes behind the response.
        case close
        /// It stays, which a client of HTTP/1.0 is told.
        case keepAlive
    }

    /// Room for a head and a small body, the usual answer.
    static let usualBytes = 2 << 10

    let isHTTP10: Bool
    let framing: Framing
    let persistence: Persistence

    /// Writes an endpoint's head: its fields without those of its connection, with the route's changes.
    func write(_ endpoint: ResponseHead, _ mutation: HeaderMutation, to buffer: inout ByteBuffer) {
        let mutations = HeaderMutations(mutation.isEmpty ? [] : [mutation])
        endpoint.bytes.withUnsafeReadableBytes { bytes in
            HeadBytes.write(to: &buffer, bytesMax: bytes.count + mutations.bytesMax + 128) { head in
                writeStatus(endpoint.status, to: &head)
                head.append(bytes.slice(endpoint.reason))
                head.append("\r\n")
                endpoint.forEachForwardedField(of: bytes, mutations, hasLength: framing == .asAnnounced) { place in
                    // From the name to the end of the value: what stands between them is white space and a colon.
                    head.append(bytes.slice(place.name.lowerBound..<place.value.upperBound))
                    head.append("\r\n")
                }
                mutations.forEachAdded { head.append(name: $0.name, value: $0.value) }
                writeOwnFields(to: &head)
            }
        }
    }

    /// Writes the head of an answer that the gateway gives itself.
    func write(_ reply: LocalReply, to buffer: inout ByteBuffer) {
        let fields = reply.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        HeadBytes.write(to: &buffer, bytesMax: fields + 256) { head in
            writeStatus(reply.status, to: &head)
            head.append(HTTPResponseStatus(statusCode: reply.status).reasonPhrase)
            head.append("\r\n")
            for field in reply.headers { head.append(name: field.name, value: field.value) }
            head.append("content-length: ")
            head.append(reply.body.count)
            head.append("\r\n")
            writeOwnFields(to: &head)
        }
    }

    private func writeStatus(_ status: Int, to head: inout HeadBytes) {
        head.append(isHTTP10 ? "HTTP/1.0 " : "HTTP/1.1 ")
        head.append(status)
        head.append(" ")
    }

    private func writeOwnFields(to head: inout HeadBytes) {
        if framing == .chunked { head.append("transfer-encoding: chunked\r\n") }
        switch persistence {
        case .unsaid: break
        case .close: head.append("connection: close\r\n")
        case .keepAlive: head.append("connection: keep-alive\r\n")
        }
        head.append("\r\n")
    }
}
