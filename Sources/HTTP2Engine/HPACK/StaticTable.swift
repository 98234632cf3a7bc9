/// HPACK's static table (RFC 7541, appendix A).
enum StaticTable {
    /// An entry: its name and value stand one behind the other in ``bytes``.
    struct Entry {
        let name: Range<Int>
        let value: Range<Int>
        let kind: FieldKind
    }

    private static let fields: [(String, String)] = [
        (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
        (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
        (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
        ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
        ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
        ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
        ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
        ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
        ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
        ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
        ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
        ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ]

    /// The number of entries; the first one has the index 1.
    static let count = 61

    private static let table: (entries: [Entry], bytes: [UInt8]) = {
        var bytes: [UInt8] = []
        var entries: [Entry] = []
        for (name, value) in fields {
            let start = bytes.count
            bytes += name.utf8
            let end = bytes.count
            bytes += value.utf8
            let kind = FieldKind(0..<end - start, of: Array(name.utf8).span.bytes)
            entries.append(Entry(name: start..<end, value: end..<bytes.count, kind: kind))
        }
        return (entries, bytes)
    }()

    /// All names and values.
    static var bytes: [UInt8] { table.bytes }

    /// The entry of an index from 1 to ``count``.
    static func entry(_ index: Int) -> Entry { table.entries[index &- 1] }
}
