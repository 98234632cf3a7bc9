import GatewayCore
import HTTP1Messages

extension ResponseHead {
    /// Calls `body` with each field that goes on to a client, whatever HTTP it speaks: not those of the endpoint's
    /// connection, nor those that `mutations` replace or remove.
    ///
    /// - Parameters:
    ///   - bytes: those of ``bytes``.
    ///   - hasLength: whether the length goes on too.
    func forEachForwardedField(
        of bytes: UnsafeRawBufferPointer,
        _ mutations: HeaderMutations,
        hasLength: Bool,
        _ body: (HeaderMap.Place) -> Void
    ) {
        for place in places {
            let name = bytes.slice(place.name)
            switch FieldKind(name) {
            case .hopByHop, .connection, .transferEncoding: continue
            case .contentLength: if !hasLength { continue }
            case .endToEnd, .host, .forwardedFor, .forwardedProto, .contentType:
                if connection.lists(name, in: bytes) || mutations.drops(name) { continue }
            }
            body(place)
        }
    }
}
