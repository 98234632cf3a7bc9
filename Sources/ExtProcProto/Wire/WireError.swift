/// Why bytes are not the protobuf message that they should be. The peer's fault.
package struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of fault.
    package enum Code: Hashable, Sendable {
        /// The message, or the message around it, ends within a tag, a number, or what a length announces.
        case truncated
        /// A varint has more than 10 bytes, or that of a tag or a length more than 5.
        case varintTooLong
        /// A tag or a length is beyond the range of its type: 32 bits, and 31 bits.
        case numberTooLarge
        /// The field number is 0, or the wire type is none of protobuf's.
        case invalidTag
        /// A field that is read has another wire type than its type in the schema.
        case wrongWireType(found: UInt8, expected: UInt8)
        /// A message field stands twice where the schema has one, or two members of a oneof stand in one message.
        case duplicateField
        /// A group ends that did not begin, or another one than the innermost.
        case unmatchedGroupEnd
        /// Messages or groups nest deeper than the limit.
        case nestedTooDeeply
        /// A string is not UTF-8.
        case invalidUTF8
        /// The structs of a message have more values than the limit.
        case tooManyValues
    }

    /// The kind of fault.
    package let code: Code
    /// Where the fault stands, in bytes from the start of the outermost message.
    package let byteOffset: Int
    /// The innermost message at fault.
    let message: WireMessage
    /// The number of the field at fault; 0 when there is none.
    package let field: UInt32

    init(_ code: Code, at byteOffset: Int, in message: WireMessage, field: UInt32 = 0) {
        self.code = code
        self.byteOffset = byteOffset
        self.message = message
        self.field = field
    }

    /// One sentence with the message, the field and the byte offset.
    package var description: String {
        let place = field == 0 ? "\(message.name)" : "field \(field) of \(message.name)"
        return "\(place): \(sentence), at byte \(byteOffset)"
    }

    private var sentence: String {
        switch code {
        case .truncated: "the bytes end too early"
        case .varintTooLong: "a varint has too many bytes"
        case .numberTooLarge: "a tag or a length is too large"
        case .invalidTag: "a tag has the field number 0 or an unknown wire type"
        case .wrongWireType(let found, let expected): "the wire type is \(found) where \(expected) is expected"
        case .duplicateField: "the field, or another one of its oneof, has been set before"
        case .unmatchedGroupEnd: "a group ends that was not begun"
        case .nestedTooDeeply: "messages nest deeper than the limit"
        case .invalidUTF8: "the string is not UTF-8"
        case .tooManyValues: "the structs of the message have more values than the limit"
        }
    }
}

/// The messages that are read, for the sentences of errors.
enum WireMessage: UInt8, Sendable {
    case processingRequest, httpHeaders, httpBody, httpTrailers, headerMap, headerValue, metadata, protocolConfiguration
    case mapEntry, structure, value, listValue, healthCheckRequest, unknown

    /// The name in the schema.
    var name: StaticString {
        switch self {
        case .processingRequest: "ProcessingRequest"
        case .httpHeaders: "HttpHeaders"
        case .httpBody: "HttpBody"
        case .httpTrailers: "HttpTrailers"
        case .headerMap: "HeaderMap"
        case .headerValue: "HeaderValue"
        case .metadata: "Metadata"
        case .protocolConfiguration: "ProtocolConfiguration"
        case .mapEntry: "a map entry"
        case .structure: "Struct"
        case .value: "Value"
        case .listValue: "ListValue"
        case .healthCheckRequest: "HealthCheckRequest"
        case .unknown: "an unknown group"
        }
    }
}
