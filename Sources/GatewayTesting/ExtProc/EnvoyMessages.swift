/// Writes the messages of Envoy's side of ext_proc, byte by byte and without the product's own codec, so that a fault
/// of that one cannot hide itself.
package struct EnvoyMessage: Hashable, Sendable {
    /// The encoded `ProcessingRequest`.
    package private(set) var bytes: [UInt8]

    private init(_ field: UInt8, _ content: [UInt8]) {
        bytes = Self.field(field, content)
    }

    /// `request_headers`, with the header's fields in order, pseudo-headers among them.
    ///
    /// - Parameter valuesFirst: whether each value stands in front of its name, as protobuf allows.
    package static func requestHeaders(
        _ fields: [(name: String, value: String)],
        isLast: Bool = false,
        valuesFirst: Bool = false
    ) -> EnvoyMessage {
        EnvoyMessage(2, headers(fields, isLast, valuesFirst: valuesFirst))
    }

    /// `response_headers`.
    package static func responseHeaders(
        _ fields: [(name: String, value: String)],
        isLast: Bool = false
    ) -> EnvoyMessage {
        EnvoyMessage(3, headers(fields, isLast))
    }

    /// `request_body`.
    package static func requestBody(_ body: [UInt8], isLast: Bool) -> EnvoyMessage {
        EnvoyMessage(4, field(1, body) + flag(2, isLast))
    }

    /// `response_body`.
    package static func responseBody(_ body: [UInt8], isLast: Bool) -> EnvoyMessage {
        EnvoyMessage(5, field(1, body) + flag(2, isLast))
    }

    /// `request_trailers`.
    package static var requestTrailers: EnvoyMessage { EnvoyMessage(6, []) }

    /// `response_trailers`.
    package static var responseTrailers: EnvoyMessage { EnvoyMessage(7, []) }

    /// The message with the modes of the bodies by number: 0 none, 1 streamed, 2 buffered, 3 buffered partial, 4 full
    /// duplex.
    package func modes(request: UInt8, response: UInt8) -> EnvoyMessage {
        adding(11, Self.number(1, request) + Self.number(2, response))
    }

    /// The message as one that is only shown.
    package var observed: EnvoyMessage { adding(Self.flag(10, true)) }

    /// The message with a list of allowed endpoints in its metadata.
    package func subset(list: [String]) -> EnvoyMessage {
        let values = list.flatMap { Self.field(1, Self.field(3, Array($0.utf8))) }
        return metadata("envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset", Self.field(6, values))
    }

    /// The message with a list of allowed endpoints as one text in its metadata.
    package func subset(text: String) -> EnvoyMessage {
        let value = Self.field(3, Array(text.utf8))
        return metadata("envoy.lb.subset_hint", "x-gateway-destination-endpoint-subset", value)
    }

    /// The message with the endpoint that has answered, in its metadata.
    package func served(_ address: String) -> EnvoyMessage {
        metadata("envoy.lb", "x-gateway-destination-endpoint-served", Self.field(3, Array(address.utf8)))
    }

    /// The message with the endpoint that has answered, as Envoy's attribute.
    package func upstreamAddress(_ address: String) -> EnvoyMessage {
        let value = Self.field(3, Array(address.utf8))
        let fields = Self.field(1, Self.field(1, Array("upstream.address".utf8)) + Self.field(2, value))
        return adding(9, Self.field(1, Array("envoy.filters.http.ext_proc".utf8)) + Self.field(2, fields))
    }

    private func metadata(_ namespace: String, _ key: String, _ value: [UInt8]) -> EnvoyMessage {
        let fields = Self.field(1, Self.field(1, Array(key.utf8)) + Self.field(2, value))
        return adding(8, Self.field(1, Self.field(1, Array(namespace.utf8)) + Self.field(2, fields)))
    }

    private func adding(_ field: UInt8, _ content: [UInt8]) -> EnvoyMessage {
        adding(Self.field(field, content))
    }

    private func adding(_ more: [UInt8]) -> EnvoyMessage {
        var message = self
        message.bytes += more
        return message
    }

    private static func headers(
        _ fields: [(name: String, value: String)],
        _ isLast: Bool,
        valuesFirst: Bool = false
    ) -> [UInt8] {
        let map = fields.flatMap { name, value in
            let (name, value) = (field(1, Array(name.utf8)), field(3, Array(value.utf8)))
            return field(1, valuesFirst ? value + name : name + value)
        }
        return field(1, map) + flag(3, isLast)
    }

    private static func flag(_ number: UInt8, _ value: Bool) -> [UInt8] {
        value ? self.number(number, 1) : []
    }

    private static func number(_ field: UInt8, _ value: UInt8) -> [UInt8] { [field << 3, value] }

    private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length = content.count
        var bytes = [number << 3 | 2]
        while length >= 0x80 {
            bytes.append(UInt8(length & 0x7F) | 0x80)
            length >>= 7
        }
        return bytes + [UInt8(length)] + content
    }
}

/// What Envoy reads of an answer.
package struct EnvoyReply: Hashable, Sendable {
    /// The number of the field in the oneof: 1 request headers, 2 response headers, 3 request body, 4 response body,
    /// 5 and 6 trailers, 7 an immediate response.
    package var kind = 0
    /// Fields to set, in order.
    package var set: [Setting] = []
    /// Names to remove.
    package var removed: [String] = []
    /// The body's bytes, or those of the immediate response.
    package var body: [UInt8] = []
    /// Whether other bytes, or none, take the body's place.
    package var changesBody = false
    /// Whether the body is a streamed piece.
    package var isPiece = false
    /// Whether the piece is the last.
    package var isLast = false
    /// Whether the route is chosen anew.
    package var clearsRouteCache = false
    /// The status of an immediate response.
    package var status = 0
    /// The endpoints in the metadata `envoy.lb`.
    package var destination: String?
    /// The scores in the metadata `envoy.lb`; names only.
    package var scored: [String] = []
    /// The numbers in the metadata, by namespace and name with a slash between them.
    package var numbers: [String: Double] = [:]

    /// A field to set.
    package struct Setting: Hashable, Sendable {
        /// The name.
        package var name = ""
        /// The value.
        package var value = ""
        /// 0 adds beside a field of the name, 2 takes its place.
        package var action = 0
    }

    /// The value that is set for `name`; `nil` when none is.
    package func value(_ name: String) -> String? {
        set.last { $0.name.lowercased() == name }?.value
    }

    /// Reads a `ProcessingResponse`; fields that are not known here are passed over.
    package init(_ bytes: [UInt8]) {
        for (number, content, _) in ProtobufFields(bytes) {
            switch number {
            case 1...4:
                kind = number
                for (number, common, _) in ProtobufFields(content) where number == 1 { readCommon(common) }
            case 5, 6:
                kind = number
                for (number, changes, _) in ProtobufFields(content) where number == 1 { readChanges(changes) }
            case 7:
                kind = number
                readImmediate(content)
            case 8: readMetadata(content)
            default: break
            }
        }
    }

    private mutating func readCommon(_ bytes: [UInt8]) {
        for (number, content, value) in ProtobufFields(bytes) {
            switch number {
            case 2: readChanges(content)
            case 3:
                changesBody = true
                for (number, change, _) in ProtobufFields(content) {
                    if number == 1 { body = change }
                    guard number == 3 else { continue }
                    isPiece = true
                    for (number, piece, value) in ProtobufFields(change) {
                        if number == 1 { body = piece }
                        if number == 2 { isLast = value == 1 }
                    }
                }
            case 5: clearsRouteCache = value == 1
            default: break
            }
        }
    }

    private mutating func readChanges(_ bytes: [UInt8]) {
        for (number, content, _) in ProtobufFields(bytes) {
            guard number == 1 else {
                removed.append(String(decoding: content, as: UTF8.self))
                continue
            }
            var setting = Setting()
            for (number, header, value) in ProtobufFields(content) {
                if number == 3 { setting.action = value }
                guard number == 1 else { continue }
                for (number, text, _) in ProtobufFields(header) {
                    if number == 1 { setting.name = String(decoding: text, as: UTF8.self) }
                    // Envoy reads raw_value and nothing else.
                    if number == 3 { setting.value = String(decoding: text, as: UTF8.self) }
                }
            }
            set.append(setting)
        }
    }

    private mutating func readImmediate(_ bytes: [UInt8]) {
        for (number, content, _) in ProtobufFields(bytes) {
            switch number {
            case 1: for (_, _, value) in ProtobufFields(content) { status = value }
            case 2: readChanges(content)
            case 3: body = content
            default: break
            }
        }
    }

    private mutating func readMetadata(_ bytes: [UInt8]) {
        for (_, space) in Self.entries(bytes) {
            for (_, structure, _) in ProtobufFields(space.value) {
                for (_, entry) in Self.entries(structure) {
                    for (number, content, _) in ProtobufFields(entry.value) {
                        if number == 2 { numbers["\(space.key)/\(entry.key)"] = Self.double(content) }
                        guard space.key == "envoy.lb" else { continue }
                        if number == 3 { destination = String(decoding: content, as: UTF8.self) }
                        if number == 5 { scored = Self.entries(content).map(\.1.key) }
                    }
                }
            }
        }
    }

    /// The number of eight bytes, the lowest first.
    private static func double(_ bytes: [UInt8]) -> Double {
        Double(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }

    private static func entries(_ bytes: [UInt8]) -> [(Int, (key: String, value: [UInt8]))] {
        ProtobufFields(bytes).map { number, entry, _ in
            var key = ""
            var value: [UInt8] = []
            for (number, content, _) in ProtobufFields(entry) {
                if number == 1 { key = String(decoding: content, as: UTF8.self) } else { value = content }
            }
            return (number, (key, value))
        }
    }
}

/// The fields of an encoded message, one by one: number, content of a field with a length, value of a number.
private struct ProtobufFields: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next() -> (Int, [UInt8], Int)? {
        guard offset < bytes.count else { return nil }
        let tag = varint()
        switch tag & 7 {
        case 0: return (tag >> 3, [], varint())
        case 1:
            defer { offset += 8 }
            return (tag >> 3, Array(bytes[offset..<offset + 8]), 0)
        default:
            let count = varint()
            defer { offset += count }
            return (tag >> 3, Array(bytes[offset..<offset + count]), 0)
        }
    }

    private mutating func varint() -> Int {
        var value = 0
        var shift = 0
        while true {
            let byte = bytes[offset]
            offset += 1
            value |= Int(byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 { return value }
        }
    }
}
