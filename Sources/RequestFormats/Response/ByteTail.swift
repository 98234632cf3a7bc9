/// The last bytes of a sequence of chunks, in bounded memory.
struct ByteTail: Sendable {
    /// The number of bytes that are kept at least, once so many have come. At most twice as many are held.
    let capacity: Int
    private var storage: [UInt8] = []
    /// Whether bytes were dropped at the front.
    private(set) var wasCut = false

    init(capacity: Int) {
        self.capacity = capacity
    }

    var isEmpty: Bool { storage.isEmpty }

    /// Calls `body` with the bytes that are held.
    func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        body(storage.span.bytes)
    }

    /// Appends a chunk; drops bytes at the front when more than twice the capacity would be held.
    mutating func append(_ chunk: RawSpan) {
        var chunk = chunk
        if chunk.byteCount >= capacity {
            wasCut = wasCut || !storage.isEmpty || chunk.byteCount > capacity
            storage.removeAll(keepingCapacity: true)
            chunk = chunk.extracting(chunk.byteCount &- capacity..<chunk.byteCount)
        } else if storage.count &+ chunk.byteCount > capacity &* 2 {
            storage.removeFirst(storage.count &+ chunk.byteCount &- capacity)
            wasCut = true
        }
        chunk.withUnsafeBytes { storage.append(contentsOf: $0) }
    }

    /// Forgets all bytes and keeps the memory.
    mutating func removeAll() {
        storage.removeAll(keepingCapacity: true)
        wasCut = false
    }
}
