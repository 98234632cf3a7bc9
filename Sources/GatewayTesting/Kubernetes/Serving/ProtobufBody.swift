/// The little of Kubernetes' protobuf that `kubectl` cannot do without: it asks about access in no other form.
///
/// Field numbers: https://github.com/kubernetes/api/blob/master/authorization/v1/generated.proto.
enum ProtobufBody {
    /// The media type.
    static let mediaType = "application/vnd.kubernetes.protobuf"

    private indirect enum Shape {
        case text
        case message([UInt64: (name: String, shape: Shape)])
    }

    private static let accessReview = Shape.message([
        2: (
            "spec",
            .message([
                1: (
                    "resourceAttributes",
                    .message([
                        1: ("namespace", .text), 2: ("verb", .text), 3: ("group", .text), 4: ("version", .text),
                        5: ("resource", .text), 6: ("subresource", .text), 7: ("name", .text),
                    ])
                ),
                2: ("nonResourceAttributes", .message([1: ("path", .text), 2: ("verb", .text)])),
            ])
        )
    ])

    /// The document in a body; `nil` for one of another kind, or one that is no protobuf.
    static func document(_ bytes: [UInt8]) -> ScriptedJSON? {
        // Four bytes that say what follows, and a message with the type (1) and the object (2).
        guard bytes.starts(with: Array("k8s\u{0}".utf8)), let envelope = fields(bytes[4...]),
            let type = envelope.first(where: { $0.number == 1 }).flatMap({ fields($0.content) }),
            let object = envelope.first(where: { $0.number == 2 })
        else { return nil }
        func word(_ number: UInt64) -> ScriptedJSON {
            .string(String(decoding: type.first { $0.number == number }?.content ?? [], as: UTF8.self))
        }
        guard word(2) == "SelfSubjectAccessReview", var document = read(object.content, accessReview) else {
            return nil
        }
        document["apiVersion"] = word(1)
        document["kind"] = word(2)
        return document
    }

    private static func read(_ bytes: ArraySlice<UInt8>, _ shape: Shape) -> ScriptedJSON? {
        guard case .message(let known) = shape else { return .string(String(decoding: bytes, as: UTF8.self)) }
        guard let fields = fields(bytes) else { return nil }
        var document: ScriptedJSON = [:]
        for field in fields {
            guard let (name, shape) = known[field.number] else { continue }
            document[name] = read(field.content, shape)
        }
        return document
    }

    /// The fields with a length; numbers are left out.
    private static func fields(_ bytes: ArraySlice<UInt8>) -> [(number: UInt64, content: ArraySlice<UInt8>)]? {
        var result: [(UInt64, ArraySlice<UInt8>)] = []
        var rest = bytes
        while !rest.isEmpty {
            guard let tag = varint(&rest) else { return nil }
            switch tag & 7 {
            case 0:
                guard varint(&rest) != nil else { return nil }
            case 2:
                guard let length = varint(&rest), length <= UInt64(rest.count) else { return nil }
                result.append((tag >> 3, rest.prefix(Int(length))))
                rest = rest.dropFirst(Int(length))
            default: return nil
            }
        }
        return result
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
