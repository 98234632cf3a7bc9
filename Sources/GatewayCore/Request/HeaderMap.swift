/// The header fields of a request, in order, as they were received.
///
/// The fields stay the bytes that came in: a front door copies them once, and a field becomes text when somebody asks
/// for it. Look-up ignores ASCII case. Requests carry about ten fields, so a linear scan that compares lengths first is
/// faster than a dictionary and allocates nothing.
public struct HeaderMap: Sendable {
    /// One header field.
    public struct Field: Sendable {
        /// The name as received; HTTP/2 sends lower case, HTTP/1.1 any.
        public let name: String
        /// The value without surrounding white space.
        public let value: String

        /// Makes a field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Where the bytes of one field stand.
    package struct Place: Hashable, Sendable {
        /// The first byte of the name.
        package let nameStart: UInt32
        /// The bytes of the name.
        package let nameCount: UInt32
        /// The first byte of the value.
        package let valueStart: UInt32
        /// The bytes of the value.
        package let valueCount: UInt32

        /// Makes a place from offsets below 4 GiB.
        @inline(__always)
        package init(name: Range<Int>, value: Range<Int>) {
            nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
            nameCount = UInt32(truncatingIfNeeded: name.count)
            valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
            valueCount = UInt32(truncatingIfNeeded: value.count)
        }

        /// The offsets of the name.
        @inline(__always)
        package var name: Range<Int> { Int(nameStart)..<Int(nameStart) + Int(nameCount) }
        /// The offsets of the value.
        @inline(__always)
        package var value: Range<Int> { Int(valueStart)..<Int(valueStart) + Int(valueCount) }
    }

    /// The bytes that ``places`` point into. Those of removed fields stay.
    private var bytes: [UInt8]
    /// Where the fields are, in order.
    private var places: [Place]

    /// Makes a map from fields.
    public init(_ fields: [Field] = []) {
        bytes = []
        places = []
        places.reserveCapacity(fields.count)
        for field in fields { append(name: field.name, value: field.value) }
    }

    /// Makes a map from the section of a message that holds its fields.
    ///
    /// - Parameters:
    ///   - section: the bytes; copied.
    ///   - places: where in `section` the fields are, in order, each within its bounds.
    package init(section: RawSpan, places: [Place]) {
        bytes = Array(unsafeUninitializedCapacity: section.byteCount) { buffer, count in
            section.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            count = section.byteCount
        }
        self.places = places
    }

    /// How many fields there are.
    public var count: Int { places.count }

    /// All fields in the order of arrival, as text; made on each call. Bytes that are not UTF-8 are replaced.
    public var fields: [Field] {
        places.map { Field(name: text($0.name), value: text($0.value)) }
    }

    /// The value of the first field called `lowercasedName`, which must be in lower case; `nil` when there is none.
    public func first(_ lowercasedName: StaticString) -> String? {
        let name = UnsafeRawBufferPointer(start: lowercasedName.utf8Start, count: lowercasedName.utf8CodeUnitCount)
        return bytes.withUnsafeBytes { bytes in
            place(of: name, in: bytes)
        }.map { text(places[$0].value) }
    }

    /// The value of the first of `lowercasedNames` that a field has; an empty value counts. `nil` when none is there.
    public func first(of lowercasedNames: [StaticString]) -> String? {
        for name in lowercasedNames {
            if let value = first(name) { return value }
        }
        return nil
    }

    /// The values of all fields called `lowercasedName`, which must be in lower case, in the order of arrival.
    package func all(_ lowercasedName: StaticString) -> [String] {
        let name = UnsafeRawBufferPointer(start: lowercasedName.utf8Start, count: lowercasedName.utf8CodeUnitCount)
        return withFields { bytes, places in
            places.filter { name.equalsIgnoringASCIICase(UnsafeRawBufferPointer(rebasing: bytes[$0.name])) }
        }.map { text($0.value) }
    }

    /// The value of the first field called `name`, ignoring case; `nil` when there is none.
    public func first(named name: String) -> String? {
        name.withBytes { name in
            bytes.withUnsafeBytes { place(of: name, in: $0) }
        }.map { text(places[$0].value) }
    }

    /// Appends a field behind all others.
    public mutating func append(name: String, value: String) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        let end = bytes.count
        bytes.append(contentsOf: value.utf8)
        places.append(Place(name: start..<end, value: end..<bytes.count))
    }

    /// Removes every field called `name`, ignoring case, and appends one with `value`.
    public mutating func replace(name: String, value: String) {
        remove(name: name)
        append(name: name, value: value)
    }

    /// Removes every field called `name`, ignoring case.
    public mutating func remove(name: String) {
        let bytes = bytes
        name.withBytes { name in
            bytes.withUnsafeBytes { bytes in
                places.removeAll { name.equalsIgnoringASCIICase(UnsafeRawBufferPointer(rebasing: bytes[$0.name])) }
            }
        }
    }

    /// Calls `body` with all bytes and the places of the fields in them, in order, without making texts.
    package func withFields<Result, Failure>(
        _ body: (UnsafeRawBufferPointer, [Place]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try bytes.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in try body(bytes, places) }
    }

    private func place(of name: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer) -> Int? {
        for index in places.indices where Int(places[index].nameCount) == name.count {
            if name.equalsIgnoringASCIICase(UnsafeRawBufferPointer(rebasing: bytes[places[index].name])) {
                return index
            }
        }
        return nil
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes equal `other`, with ASCII capitals and small letters taken as equal.
    @inline(__always)
    package func equalsIgnoringASCIICase(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index].asciiLowercased != other[index].asciiLowercased { return false }
        return true
    }

    /// Whether these bytes, with their ASCII capitals lowered, equal `lowercased`, an ASCII text in lower case.
    @inline(__always)
    package func equalsIgnoringASCIICase(_ lowercased: StaticString) -> Bool {
        guard count == lowercased.utf8CodeUnitCount else { return false }
        for index in 0..<count where self[index].asciiLowercased != lowercased.utf8Start[index] { return false }
        return true
    }
}

extension String {
    /// Calls `body` with the bytes of the UTF-8 form.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try utf8.span.bytes.withUnsafeBytes(body)
    }

    /// Whether this text equals `lowercased`, an ASCII text in lower case, when its own capitals are lowered.
    public func equalsIgnoringASCIICase(_ lowercased: StaticString) -> Bool {
        withBytes { $0.equalsIgnoringASCIICase(lowercased) }
    }

    /// Whether this text equals `other`, with ASCII capitals and small letters taken as equal.
    public func equalsIgnoringASCIICase(_ other: String) -> Bool {
        withBytes { left in other.withBytes { left.equalsIgnoringASCIICase($0) } }
    }
}

extension UInt8 {
    /// This byte, or its small letter when it is an ASCII capital.
    @inline(__always)
    package var asciiLowercased: UInt8 {
        self &- 0x41 < 26 ? self | 0x20 : self
    }
}
