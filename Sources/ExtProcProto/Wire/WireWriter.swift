/// The tag of a field that is written. All numbers of the messages that are written are below 16, so a tag is a byte.
struct WireTag {
    let byte: UInt8

    private init(_ number: UInt8, _ type: UInt8) {
        byte = number &<< 3 | type
    }

    static func varint(_ number: UInt8) -> WireTag { WireTag(number, WireType.varint) }
    static func double(_ number: UInt8) -> WireTag { WireTag(number, WireType.fixed64) }
    static func bytes(_ number: UInt8) -> WireTag { WireTag(number, WireType.bytes) }
}

/// The sizes of fields in bytes, tags included.
enum WireSize {
    /// A varint without a tag.
    @inline(__always)
    static func varint(_ value: UInt64) -> Int {
        // Seven bits a byte, and a byte for 0.
        (70 &- (value | 1).leadingZeroBitCount) / 7
    }

    /// A varint field.
    @inline(__always)
    static func number(_ value: UInt64) -> Int {
        1 &+ varint(value)
    }

    /// A varint field that is left out when it is 0.
    @inline(__always)
    static func optionalNumber(_ value: UInt64) -> Int {
        value == 0 ? 0 : number(value)
    }

    /// A field of bytes, a string or a message.
    @inline(__always)
    static func bytes(_ count: Int) -> Int {
        1 &+ varint(UInt64(count)) &+ count
    }

    /// A field of bytes, a string or a message that is left out when it is empty.
    @inline(__always)
    static func optionalBytes(_ count: Int) -> Int {
        count == 0 ? 0 : bytes(count)
    }
}

/// Appending fields. The room must have been measured before: appending beyond it is a programming error and stops the
/// process.
extension OutputRawSpan {
    /// Appends a varint without a tag.
    @inline(__always)
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a varint field.
    @inline(__always)
    mutating func append(_ tag: WireTag, number: UInt64) {
        append(tag.byte)
        append(varint: number)
    }

    /// Appends a varint field unless it is 0.
    @inline(__always)
    mutating func append(_ tag: WireTag, optionalNumber number: UInt64) {
        if number != 0 { append(tag, number: number) }
    }

    /// Appends a bool field unless it is false.
    @inline(__always)
    mutating func append(_ tag: WireTag, optionalBoolean value: Bool) {
        if value { append(tag, number: 1) }
    }

    /// Appends the tag and the length of a field of bytes, a string or a message, whose content follows.
    @inline(__always)
    mutating func append(_ tag: WireTag, length: Int) {
        append(tag.byte)
        append(varint: UInt64(length))
    }

    /// Appends a `string` or `bytes` field.
    @inline(__always)
    mutating func append(_ tag: WireTag, text: String) {
        var text = text
        text.withUTF8 { bytes in
            append(tag, length: bytes.count)
            append(contentsOf: UnsafeRawBufferPointer(bytes))
        }
    }

    /// Appends a `string` or `bytes` field unless it is empty.
    @inline(__always)
    mutating func append(_ tag: WireTag, optionalText text: String) {
        if !text.utf8.isEmpty { append(tag, text: text) }
    }

    /// Appends a `double` field.
    mutating func append(_ tag: WireTag, double: Double) {
        append(tag.byte)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            append(UInt8(truncatingIfNeeded: double.bitPattern &>> shift))
        }
    }

    @inline(__always)
    private mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= freeCapacity, "a protobuf message is larger than the room measured for it")
        withUnsafeMutableBytes { buffer, count in
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: bytes)
            count &+= bytes.count
        }
    }
}
