/// How Envoy sends a body to the server, and expects it back (ProcessingMode.BodySendMode).
package enum BodySendMode: Hashable, Sendable {
    /// 0: not at all.
    case none
    /// 1: piece by piece, each answered before the next.
    case streamed
    /// 2: whole, in one message.
    case buffered
    /// 3: as much as fits a buffer, in one message.
    case bufferedPartial
    /// 4: piece by piece, and the answers in the server's own pieces and time. The mode that GAIE requires.
    case fullDuplexStreamed
    /// 5: as 4, one gRPC message each.
    case grpc
    /// A number that the schema did not have when this was written.
    case unknown(Int32)

    /// The mode with this number.
    package init(number: Int32) {
        self =
            switch number {
            case 0: .none
            case 1: .streamed
            case 2: .buffered
            case 3: .bufferedPartial
            case 4: .fullDuplexStreamed
            case 5: .grpc
            default: .unknown(number)
            }
    }

    /// The number in the schema.
    package var number: Int32 {
        switch self {
        case .none: 0
        case .streamed: 1
        case .buffered: 2
        case .bufferedPartial: 3
        case .fullDuplexStreamed: 4
        case .grpc: 5
        case .unknown(let number): number
        }
    }
}

/// How Envoy's filter is set up (ProtocolConfiguration). It comes with the first message of a stream.
package struct ProtocolConfiguration: Hashable, Sendable {
    /// The mode of request bodies (field 1).
    package var requestBodyMode = BodySendMode.none
    /// The mode of response bodies (field 2).
    package var responseBodyMode = BodySendMode.none
    /// Whether body messages come before the headers are answered (field 3); of meaning in the streamed mode only.
    package var sendsBodyWithoutWaitingForHeaderResponse = false

    init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1: requestBodyMode = BodySendMode(number: try reader.enumeration(field, in: bytes))
            case 2: responseBodyMode = BodySendMode(number: try reader.enumeration(field, in: bytes))
            case 3: sendsBodyWithoutWaitingForHeaderResponse = try reader.boolean(field, in: bytes)
            default: try reader.skip(field, in: bytes)
            }
        }
    }
}
