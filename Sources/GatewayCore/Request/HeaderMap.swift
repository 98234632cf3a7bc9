/// The header fields of a request, in order, as they were received.
///
/// Look-up ignores ASCII case. Requests carry about ten fields, so a linear scan that compares lengths first is faster
/// than a dictionary and allocates nothing.
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

    /// All fields in the order of arrival.
    public private(set) var fields: [Field]

    /// Makes a map from fields.
    public init(_ fields: [Field] = []) {
        self.fields = fields
    }

    /// The value of the first field called `lowercasedName`, which must be in lower case; `nil` when there is none.
    public func first(_ lowercasedName: StaticString) -> String? {
        for field in fields where field.name.equalsIgnoringASCIICase(lowercasedName) {
            return field.value
        }
        return nil
    }

    /// The value of the first field called `name`, ignoring case; `nil` when there is none.
    public func first(named name: String) -> String? {
        fields.first { $0.name.equalsIgnoringASCIICase(name) }?.value
    }

    /// Appends a field behind all others.
    public mutating func append(name: String, value: String) {
        fields.append(Field(name: name, value: value))
    }

    /// Removes every field called `name`, ignoring case, and appends one with `value`.
    public mutating func replace(name: String, value: String) {
        remove(name: name)
        append(name: name, value: value)
    }

    /// Removes every field called `name`, ignoring case.
    public mutating func remove(name: String) {
        fields.removeAll { $0.name.equalsIgnoringASCIICase(name) }
    }
}

extension String {
    /// Whether this text equals `lowercased`, an ASCII text in lower case, when its own capitals are lowered.
    public func equalsIgnoringASCIICase(_ lowercased: StaticString) -> Bool {
        let expected = UnsafeBufferPointer(start: lowercased.utf8Start, count: lowercased.utf8CodeUnitCount)
        let bytes = utf8
        guard bytes.count == expected.count else { return false }
        var position = 0
        for byte in bytes {
            if byte.asciiLowercased != expected[position] { return false }
            position &+= 1
        }
        return true
    }

    /// Whether this text equals `other`, with ASCII capitals and small letters taken as equal.
    public func equalsIgnoringASCIICase(_ other: String) -> Bool {
        let (left, right) = (utf8, other.utf8)
        guard left.count == right.count else { return false }
        return left.elementsEqual(right) { $0.asciiLowercased == $1.asciiLowercased }
    }
}

extension UInt8 {
    /// This byte, or its small letter when it is an ASCII capital.
    @inline(__always)
    var asciiLowercased: UInt8 {
        self &- 0x41 < 26 ? self | 0x20 : self
    }
}
