/// HPACK's dynamic table (RFC 7541, 2.3.2): the fields that were sent last, within a size.
struct DynamicTable {
    /// An entry: its name and value stand one behind the other.
    struct Entry {
        fileprivate(set) var start: Int
        let nameCount: Int
        let valueCount: Int
        let kind: FieldKind
        let isValid: Bool

        /// The size that counts (RFC 7541, 4.1).
        var size: Int { nameCount &+ valueCount &+ DynamicTable.entryOverhead }

        var name: Range<Int> { start..<start &+ nameCount }
        var value: Range<Int> { start &+ nameCount..<start &+ nameCount &+ valueCount }
    }

    /// What each entry counts beyond its bytes.
    static let entryOverhead = 32

    /// The most that the peer may set ``maxSize`` to.
    let limit: Int
    private(set) var maxSize: Int
    private(set) var size = 0
    private(set) var count = 0
    /// A ring of entries. Its length is a power of two.
    private var ring: [Entry] = []
    private var newest = 0
    /// The entries' bytes in the order in which they came, without gaps; the oldest do not begin at 0.
    private(set) var bytes: [UInt8] = []

    /// Makes an empty table.
    /// - Parameter limit: its greatest size in bytes.
    init(limit: Int) {
        self.limit = limit
        maxSize = limit
    }

    /// The entry with a position from 0, the newest, to below `count`.
    @inline(__always)
    func entry(_ position: Int) -> Entry {
        ring[(newest &- position) & (ring.count &- 1)]
    }

    /// Takes the size that the peer chose, at most `limit`.
    mutating func resize(_ size: Int) {
        maxSize = size
        evict(room: 0)
    }

    /// Adds a field whose name and value stand one behind the other in `source` from `start`.
    mutating func insert(_ source: RawSpan, _ field: Entry) {
        evict(room: field.size)
        // A field that is larger than the table empties it (RFC 7541, 4.4).
        guard field.size <= maxSize else { return }
        if count == ring.count { growRing(field) }
        var entry = field
        entry.start = makeRoom(field.nameCount &+ field.valueCount)
        bytes.append(field.start..<field.start &+ field.nameCount &+ field.valueCount, of: source)
        newest = (newest &+ 1) & (ring.count &- 1)
        ring[newest] = entry
        count &+= 1
        size &+= entry.size
    }

    private mutating func evict(room: Int) {
        while count > 0, size &+ room > maxSize {
            size &-= entry(count &- 1).size
            count &-= 1
        }
        if count == 0 { bytes.removeAll(keepingCapacity: true) }
    }

    /// Moves the bytes that are still in use to the front when those in front of them are as many; returns where the
    /// next bytes go.
    private mutating func makeRoom(_ room: Int) -> Int {
        guard count > 0, bytes.count &+ room > 2 &* limit else { return bytes.count }
        let gone = entry(count &- 1).start
        bytes.removeFirst(gone)
        for position in 0..<count { ring[(newest &- position) & (ring.count &- 1)].start &-= gone }
        return bytes.count
    }

    private mutating func growRing(_ filler: Entry) {
        var larger: [Entry] = []
        larger.reserveCapacity(max(32, 2 * count))
        for position in (0..<count).reversed() { larger.append(entry(position)) }
        newest = max(count - 1, 0)
        while larger.count < max(32, 2 * count) { larger.append(filler) }
        ring = larger
        if count == 0 { newest = ring.count - 1 }
    }
}
