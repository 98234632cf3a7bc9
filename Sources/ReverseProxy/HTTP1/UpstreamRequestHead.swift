import GatewayCore
import HTTP1Messages
import NIOCore

/// The head of a request to an endpoint: the client's, without what belongs to the client's connection, with the exact
/// length of the body, the forwarding fields and the changes of the route.
struct UpstreamRequestHead {
    /// Room for a head and a small body, the usual request.
    static let usualBytes = 2 << 10

    /// The request as it came in.
    let request: IncomingRequest
    /// The bytes of the body.
    let bodyLength: Int
    /// The client's address for `x-forwarded-for`.
    let clientAddress: String
    /// Whether the client spoke TLS.
    let isSecure: Bool
    /// The changes to the header.
    let mutations: [HeaderMutation]

    /// Writes the head with the empty line at its end to `buffer`.
    func write(to buffer: inout ByteBuffer) {
        let mutations = HeaderMutations(mutations)
        request.headers.withFields { bytes, places in
            let fields = places.reduce(0) { $0 + Int($1.nameCount) + Int($1.valueCount) + 4 }
            let line = request.method.utf8.count + request.target.utf8.count
            let own = 128 + 2 * clientAddress.utf8.count
            HeadBytes.write(to: &buffer, bytesMax: line + fields + mutations.bytesMax + own) { head in
                head.append(request.method)
                head.append(" ")
                head.append(request.target)
                head.append(" HTTP/1.1\r\n")
                write(bytes, places, mutations, to: &head)
                head.append("\r\n")
            }
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer,
        _ places: [HeaderMap.Place],
        _ mutations: HeaderMutations,
        to head: inout HeadBytes
    ) {
        var connection = ConnectionOptions()
        var hasLength = false
        var hasForwardedProto = false
        var hasForwardedFor = false
        for place in places where FieldKind(bytes.slice(place.name)) == .connection {
            connection.add(place.value, of: bytes)
        }
        for place in places {
            let name = bytes.slice(place.name)
            switch FieldKind(name) {
            case .hopByHop, .connection:
                continue
            case .contentLength, .transferEncoding:
                hasLength = true
                continue
            case .forwardedFor:
                hasForwardedFor = true
                continue
            case .forwardedProto:
                if connection.lists(name, in: bytes) { continue }
                hasForwardedProto = true
            case .host:
                break
            case .endToEnd, .contentType:
                if connection.lists(name, in: bytes) { continue }
            }
            if mutations.drops(name) { continue }
            head.append(name)
            head.append(": ")
            head.append(bytes.slice(place.value))
            head.append("\r\n")
        }
        if hasLength || bodyLength > 0 {
            head.append("content-length: ")
            head.append(bodyLength)
            head.append("\r\n")
        }
        if !mutations.drops("x-forwarded-for") {
            head.append("x-forwarded-for: ")
            if hasForwardedFor { writeForwardedFor(bytes, places, to: &head) }
            head.append(clientAddress)
            head.append("\r\n")
        }
        if !hasForwardedProto, !mutations.drops("x-forwarded-proto") {
            head.append(isSecure ? "x-forwarded-proto: https\r\n" : "x-forwarded-proto: http\r\n")
        }
        mutations.forEachAdded { head.append(name: $0.name, value: $0.value) }
    }

    /// The addresses that the request came through before, each followed by a comma.
    private func writeForwardedFor(
        _ bytes: UnsafeRawBufferPointer,
        _ places: [HeaderMap.Place],
        to head: inout HeadBytes
    ) {
        for place in places where FieldKind(bytes.slice(place.name)) == .forwardedFor {
            head.append(bytes.slice(place.value))
            head.append(", ")
        }
    }
}

extension HeaderMutations {
    fileprivate func drops(_ name: StaticString) -> Bool {
        drops(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }
}
