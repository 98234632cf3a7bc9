import FoundationEssentials
import NIOCore

/// Reads a page of a list while its bytes come.
struct ListDecoder<Object: KubernetesObject> {
    private struct ListMetadata: Decodable {
        var resourceVersion: String?
        var `continue`: String?
    }

    private let limits: APILimits
    private let objectDecoder: ObjectDecoder<Object>
    private var scanner: JSONMemberScanner
    private var objects: [Object] = []
    private var malformed: [MalformedObject] = []

    init(limits: APILimits) {
        self.limits = limits
        objectDecoder = ObjectDecoder(maximumBytes: limits.objectBytes)
        scanner = JSONMemberScanner(
            keeping: ["metadata"], elementsOf: "items", maximumValueBytes: limits.objectBytes
        )
    }

    /// Takes the next bytes.
    mutating func take(_ chunk: ByteBuffer) throws(APIError) {
        guard scanner.offset + chunk.readableBytes <= limits.pageBytes else {
            throw .malformed("a page of a list is longer than \(limits.pageBytes) bytes")
        }
        do {
            try scanner.scan(chunk.readableBytesUInt8Span) { element in
                switch objectDecoder.decode(element) {
                case .object(let object): objects.append(object)
                case .malformed(let object): malformed.append(object)
                }
            }
        } catch {
            throw .malformed("a list is \(error)")
        }
    }

    /// The page, after its last byte.
    func finish() throws(APIError) -> ListPage<Object> {
        guard scanner.isComplete else {
            throw .unreachable("the connection closed in the middle of a list, after \(scanner.offset) bytes")
        }
        guard scanner.sawList, let metadata = scanner.members["metadata"], !metadata.isTruncated else {
            throw .malformed("what should be a list has no \(scanner.sawList ? "metadata" : "items")")
        }
        let read: ListMetadata
        do {
            read = try JSONDecoder().decode(ListMetadata.self, from: metadata.bytes)
        } catch {
            throw .malformed("the metadata of a list: \(DecodingReason.text(of: error))")
        }
        guard let version = read.resourceVersion, !version.isEmpty else {
            throw .malformed("the metadata of a list has no resourceVersion")
        }
        let continuation = read.continue.flatMap { $0.isEmpty ? nil : $0 }
        return ListPage(
            objects: objects, malformed: malformed, resourceVersion: version, continuation: continuation
        )
    }
}
