import FoundationEssentials
import NIOCore

/// Reads the events of a watch while its bytes come: one JSON object a line.
struct WatchDecoder<Object: KubernetesObject> {
    private let decoder = JSONDecoder()
    private let objectDecoder: ObjectDecoder<Object>
    private let limits: APILimits
    private let subject: String
    private var lines: LineSplitter

    /// Makes a decoder of the watch that `subject` asks for.
    init(limits: APILimits, subject: String) {
        self.limits = limits
        self.subject = subject
        objectDecoder = ObjectDecoder(maximumBytes: limits.objectBytes)
        // What stands around the object is short.
        lines = LineSplitter(maximumLineBytes: limits.objectBytes + 1024)
    }

    /// Takes the next bytes, after ``next()`` has given everything that was in those before.
    mutating func take(_ chunk: ByteBuffer) {
        lines.append(chunk)
    }

    /// The next event that has come as a whole; `nil` when more must come.
    ///
    /// - Throws: what the server says when it cannot go on.
    mutating func next() throws(APIError) -> WatchEvent<Object>? {
        while let line = lines.next() {
            if !line.isTruncated, line.bytes.allSatisfy(JSONValueEnd.isWhitespace) { continue }
            return try event(line)
        }
        return nil
    }

    /// Checks that the watch ended between two events.
    func finish() throws(APIError) {
        guard !lines.isInLine else {
            throw .unreachable("the connection closed in the middle of an event (\(subject))")
        }
    }

    private func event(_ line: JSONMemberScanner.Value) throws(APIError) -> WatchEvent<Object> {
        if line.isTruncated || isObjectTooLong(line.bytes) {
            return salvaged(line.bytes, reason: objectDecoder.tooLong)
        }
        let envelope: WatchEnvelope<Object>
        do {
            envelope = try decoder.decode(WatchEnvelope<Object>.self, from: line.bytes)
        } catch {
            return salvaged(line.bytes, reason: "an event of a watch: \(DecodingReason.text(of: error))")
        }
        switch envelope.content {
        case .event(let event): return event
        case .failure(let status):
            guard let status else { throw .malformed("the server ends a watch and does not say why (\(subject))") }
            throw APIError(
                status: status.code ?? 500, object: status, retryAfter: status.retryAfter, subject: subject
            )
        }
    }

    /// Whether the object alone is longer than may be: lists and watches must judge it alike.
    private func isObjectTooLong(_ line: Data) -> Bool {
        guard line.count > limits.objectBytes else { return false }
        var scanner = JSONMemberScanner(keeping: ["object"], maximumValueBytes: limits.objectBytes)
        // What is no JSON is not read whatever its length.
        try? scanner.scan(line.span)
        return scanner.members["object"]?.isTruncated ?? true
    }

    /// Even of an event that is too long, or is no JSON somewhere, the type and the name are read if they can be: they
    /// stand at its beginning.
    private func salvaged(_ beginning: Data, reason: String) -> WatchEvent<Object> {
        var scanner = JSONMemberScanner(keeping: ["type", "object"], maximumValueBytes: beginning.count)
        // A beginning that is not JSON has no name either.
        try? scanner.scan(beginning.span)
        let type = scanner.members["type"].flatMap { try? decoder.decode(String.self, from: $0.bytes) }
        let object = scanner.unfinished.flatMap { $0.name == "object" ? $0.value : nil } ?? scanner.members["object"]
        let metadata = object.map { SalvagedMetadata(ofBeginning: $0.bytes) } ?? SalvagedMetadata()
        if type == "DELETED", let deleted = metadata.identified { return .deleted(deleted) }
        return .malformed(MalformedObject(metadata, reason: reason))
    }
}

/// A line of a watch.
private struct WatchEnvelope<Object: KubernetesObject>: Decodable {
    enum Content {
        case event(WatchEvent<Object>)
        case failure(ResponseStatus?)
    }

    private enum CodingKeys: String, CodingKey {
        case type, object
    }

    let content: Content

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let type = try container.decode(String.self, forKey: .type)
        switch type {
        case "ADDED", "MODIFIED":
            switch ObjectDecoder<Object>.decode(.object, of: container) {
            case .object(let object): content = .event(type == "ADDED" ? .added(object) : .modified(object))
            case .malformed(let object): content = .event(.malformed(object))
            }
        case "DELETED":
            // Its name is enough: whatever else is wrong with it is gone with it.
            let metadata = SalvagedMetadata(CodingKeys.object, of: container)
            content = .event(
                metadata.identified.map { .deleted($0) }
                    ?? .malformed(MalformedObject(metadata, reason: "an object without a name is deleted"))
            )
        case "BOOKMARK":
            let metadata = SalvagedMetadata(CodingKeys.object, of: container)
            content = .event(
                metadata.resourceVersion.isEmpty
                    ? .malformed(MalformedObject(metadata, reason: "a bookmark has no metadata.resourceVersion"))
                    : .bookmark(resourceVersion: metadata.resourceVersion)
            )
        case "ERROR":
            content = .failure(try? container.decode(ResponseStatus.self, forKey: .object))
        default:
            // Nothing is concluded from it, not even that the object is another one.
            var metadata = SalvagedMetadata(CodingKeys.object, of: container)
            metadata.uid = ""
            content = .event(
                .malformed(MalformedObject(metadata, reason: "an event of the unknown type \"\(type.prefix(40))\""))
            )
        }
    }
}

extension SalvagedMetadata {
    /// As much as is needed of an object that is gone; `nil` when its name cannot be read.
    var identified: ObjectMetadata? {
        id.map { ObjectMetadata(name: $0.name, namespace: $0.namespace, uid: uid, resourceVersion: resourceVersion) }
    }
}
