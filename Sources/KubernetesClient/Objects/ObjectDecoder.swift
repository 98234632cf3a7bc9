import FoundationEssentials

/// Reads objects one by one, so that one that is not what its type says is reported and nothing else.
struct ObjectDecoder<Object: KubernetesObject> {
    /// What became of an object.
    enum Result {
        case object(Object)
        case malformed(MalformedObject)
    }

    private let decoder = JSONDecoder()
    private let maximumBytes: Int

    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
    }

    /// Reads an object that stands alone.
    func decode(_ value: JSONMemberScanner.Value) -> Result {
        guard !value.isTruncated else {
            return .malformed(MalformedObject(SalvagedMetadata(ofBeginning: value.bytes), reason: tooLong))
        }
        do {
            return check(try decoder.decode(Object.self, from: value.bytes))
        } catch {
            let metadata = (try? decoder.decode(SalvagedMetadata.Holder.self, from: value.bytes))?.metadata
            return .malformed(
                MalformedObject(
                    metadata ?? SalvagedMetadata(ofBeginning: value.bytes), reason: DecodingReason.text(of: error)
                )
            )
        }
    }

    /// Reads the object that a member of something is.
    static func decode<Key>(
        _ key: Key,
        of container: KeyedDecodingContainer<Key>
    ) -> Result {
        do {
            return check(try container.decode(Object.self, forKey: key))
        } catch {
            return .malformed(
                MalformedObject(
                    SalvagedMetadata(key, of: container),
                    reason: DecodingReason.text(of: error, below: container.codingPath.count + 1)
                )
            )
        }
    }

    /// What is said of an object that is longer than may be kept.
    var tooLong: String { "longer than the \(maximumBytes) bytes that an object may have" }

    /// An object without a name cannot be told from others.
    private func check(_ object: Object) -> Result { Self.check(object) }

    private static func check(_ object: Object) -> Result {
        guard !object.metadata.name.isEmpty else {
            let metadata = SalvagedMetadata(resourceVersion: object.metadata.resourceVersion, uid: object.metadata.uid)
            return .malformed(MalformedObject(metadata, reason: "metadata.name is empty"))
        }
        return .object(object)
    }
}

/// What can still be read of the metadata of an object that cannot be read as a whole.
struct SalvagedMetadata: Decodable {
    var name = ""
    var namespace = ""
    var resourceVersion = ""
    var uid = ""

    /// An object of which only this much is read.
    struct Holder: Decodable {
        let metadata: SalvagedMetadata
    }

    private enum CodingKeys: String, CodingKey {
        case name, namespace, resourceVersion, uid
    }

    init(name: String = "", namespace: String = "", resourceVersion: String = "", uid: String = "") {
        self.name = name
        self.namespace = namespace
        self.resourceVersion = resourceVersion
        self.uid = uid
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = (try? container.decode(String.self, forKey: .name)) ?? ""
        namespace = (try? container.decode(String.self, forKey: .namespace)) ?? ""
        resourceVersion = (try? container.decode(String.self, forKey: .resourceVersion)) ?? ""
        uid = (try? container.decode(String.self, forKey: .uid)) ?? ""
    }

    /// Reads the metadata of the object that a member is; empty when there is none.
    init<Key>(_ key: Key, of container: KeyedDecodingContainer<Key>) {
        self = (try? container.decode(Holder.self, forKey: key))?.metadata ?? SalvagedMetadata()
    }

    /// Reads the metadata of an object of which only the beginning is there; servers send `metadata` before the rest.
    init(ofBeginning bytes: Data) {
        var scanner = JSONMemberScanner(keeping: ["metadata"], maximumValueBytes: bytes.count)
        // A beginning that is not JSON has no metadata either.
        try? scanner.scan(bytes.span)
        guard let metadata = scanner.members["metadata"]?.bytes,
            let read = try? JSONDecoder().decode(SalvagedMetadata.self, from: metadata)
        else {
            self.init()
            return
        }
        self = read
    }

    /// The object's name; `nil` when it cannot be read.
    var id: ObjectName? { name.isEmpty ? nil : ObjectName(namespace: namespace, name: name) }
}

extension MalformedObject {
    init(_ metadata: SalvagedMetadata, reason: String) {
        self.init(name: metadata.id, resourceVersion: metadata.resourceVersion, uid: metadata.uid, reason: reason)
    }
}

/// Says in a sentence why something cannot be decoded.
enum DecodingReason {
    /// - Parameter depth: how many parts of the path stand for what the object is wrapped in.
    static func text(of error: any Error, below depth: Int = 0) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        switch error {
        case .typeMismatch(let type, let context):
            return at(context.codingPath, depth) + "is not a \(plain(type)): \(cut(context.debugDescription))"
        case .valueNotFound(let type, let context):
            return at(context.codingPath, depth) + "is null, not a \(plain(type))"
        case .keyNotFound(let key, let context):
            return at(context.codingPath + [key], depth) + "is missing"
        case .dataCorrupted(let context):
            return at(context.codingPath, depth) + "cannot be read: \(cut(context.debugDescription))"
        @unknown default:
            return cut("\(error)")
        }
    }

    private static func at(_ path: [any CodingKey], _ depth: Int) -> String {
        var text = ""
        for key in path.dropFirst(depth) {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return text.isEmpty ? "the object " : "\(text) "
    }

    /// The field's word for a type.
    private static func plain(_ type: Any.Type) -> String {
        switch type {
        case is String.Type: "string"
        case is Bool.Type: "boolean"
        case is any BinaryInteger.Type, is any BinaryFloatingPoint.Type: "number"
        case is any Sequence.Type where "\(type)".hasPrefix("Array"): "list"
        default: "object (\(type))"
        }
    }

    /// The decoder's text may hold what the object holds: only so much of it.
    private static func cut(_ text: String) -> String {
        text.count > 200 ? "\(text.prefix(200))…" : text
    }
}
