/// Where one header field stands in its message (config.core.v3.HeaderValue).
package struct HeaderField: Hashable, Sendable {
    /// The name (field 1), UTF-8. Envoy sends it in lower case.
    package let name: Range<Int>
    /// The value: `raw_value` (field 3), any bytes; `value` (field 2), UTF-8, when that is empty. Envoy fills the one
    /// or the other, depending on its age.
    package let value: Range<Int>

    /// Whether the field is called `lowercasedName`, byte for byte.
    @inline(__always)
    package func isNamed(_ lowercasedName: StaticString, in bytes: RawSpan) -> Bool {
        bytes.isEqual(name, lowercasedName)
    }
}

/// Where the header fields of a message stand (config.core.v3.HeaderMap). All of them were checked when the message was
/// read; nothing is copied or allocated, here or by walking over them.
package struct HeaderFields: Hashable, Sendable {
    private let map: Range<Int>
    /// The number of fields.
    package let count: Int

    /// No fields at all.
    package static let none = HeaderFields(map: 0..<0, count: 0)

    private init(map: Range<Int>, count: Int) {
        self.map = map
        self.count = count
    }

    /// Checks a HeaderMap: every field of it, and the UTF-8 of names and `value`s.
    init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        let start = reader.offset
        var count = 0
        while let field = try reader.nextField(in: bytes) {
            if field.number == 1 {
                let header = try reader.message(field, as: .headerValue, in: bytes)
                _ = try HeaderField(header, in: bytes)
                count &+= 1
            } else {
                try reader.skip(field, in: bytes)
            }
        }
        self.init(map: start..<reader.offset, count: count)
    }

    /// A walk over the fields in their order.
    package func makeCursor() -> Cursor {
        Cursor(map)
    }

    /// Calls `body` with each field in its order.
    /// - Parameter bytes: the message that the fields were read from.
    @inline(__always)
    package func forEach(in bytes: RawSpan, _ body: (HeaderField) -> Void) {
        var cursor = makeCursor()
        while let field = cursor.next(in: bytes) { body(field) }
    }

    /// The first field called `lowercasedName`, byte for byte; `nil` when there is none.
    package func first(_ lowercasedName: StaticString, in bytes: RawSpan) -> HeaderField? {
        var cursor = makeCursor()
        while let field = cursor.next(in: bytes) {
            if field.isNamed(lowercasedName, in: bytes) { return field }
        }
        return nil
    }

    /// A position between two fields.
    package struct Cursor: Sendable {
        private var offset: Int
        private let end: Int

        init(_ map: Range<Int>) {
            offset = map.lowerBound
            end = map.upperBound
        }

        /// The next field; `nil` behind the last.
        /// - Parameter bytes: the message that the fields were read from. Of any others the walk makes no sense, but
        ///   it ends, and at the first place that is not what it should be.
        package mutating func next(in bytes: RawSpan) -> HeaderField? {
            guard end <= bytes.byteCount else { return nil }
            do throws(WireError) {
                var reader = WireReader(.headerMap, at: offset..<end, nestingLeft: WireLimits.deepestNesting)
                while let field = try reader.nextField(in: bytes) {
                    if field.number == 1 {
                        let header = try reader.message(field, as: .headerValue, in: bytes)
                        offset = reader.offset
                        return try HeaderField(checked: header, in: bytes)
                    }
                    try reader.skip(field, in: bytes)
                }
            } catch {
                offset = end
                return nil
            }
            offset = end
            return nil
        }
    }
}

extension HeaderField {
    /// Reads a HeaderValue and checks its strings.
    fileprivate init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        try self.init(reader, in: bytes, checksText: true)
    }

    /// Reads a HeaderValue whose strings have been checked.
    fileprivate init(checked reader: WireReader, in bytes: RawSpan) throws(WireError) {
        try self.init(reader, in: bytes, checksText: false)
    }

    @inline(__always)
    private init(_ reader: WireReader, in bytes: RawSpan, checksText: Bool) throws(WireError) {
        var reader = reader
        var name = reader.offset..<reader.offset
        var (value, rawValue) = (name, name)
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1: name = try checksText ? reader.string(field, in: bytes) : reader.bytes(field, in: bytes)
            case 2: value = try checksText ? reader.string(field, in: bytes) : reader.bytes(field, in: bytes)
            case 3: rawValue = try reader.bytes(field, in: bytes)
            default: try reader.skip(field, in: bytes)
            }
        }
        self.init(name: name, value: rawValue.isEmpty ? value : rawValue)
    }
}
