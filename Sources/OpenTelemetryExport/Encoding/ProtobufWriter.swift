/// Writes messages of protocol buffers, as far as OTLP needs them.
struct ProtobufWriter {
    private enum WireType: UInt64 {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    private(set) var bytes: [UInt8] = []

    /// Makes an empty writer with room for `capacity` bytes.
    init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    mutating func varint(_ field: UInt64, _ value: UInt64) {
        tag(field, .varint)
        append(value)
    }

    mutating func fixed64(_ field: UInt64, _ value: UInt64) {
        tag(field, .fixed64)
        appendLittleEndian(value, count: 8)
    }

    mutating func fixed32(_ field: UInt64, _ value: UInt32) {
        tag(field, .fixed32)
        appendLittleEndian(UInt64(value), count: 4)
    }

    mutating func double(_ field: UInt64, _ value: Double) {
        fixed64(field, value.bitPattern)
    }

    mutating func string(_ field: UInt64, _ value: String) {
        tag(field, .lengthDelimited)
        append(UInt64(value.utf8.count))
        bytes += value.utf8
    }

    /// Writes a bytes field with up to two numbers, big end first, as the ids of traces and spans are written.
    mutating func identifier(_ field: UInt64, _ words: UInt64...) {
        tag(field, .lengthDelimited)
        append(UInt64(words.count * 8))
        for word in words {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
    }

    /// Writes a message within this one. Its length stands in front of it and is known behind it, so the message moves
    /// by the one to three bytes of the length.
    mutating func message(_ field: UInt64, _ body: (inout ProtobufWriter) -> Void) {
        tag(field, .lengthDelimited)
        let start = bytes.count
        body(&self)
        bytes.insert(contentsOf: Self.varintBytes(UInt64(bytes.count - start)), at: start)
    }

    private mutating func tag(_ field: UInt64, _ type: WireType) {
        append(field << 3 | type.rawValue)
    }

    private mutating func append(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func appendLittleEndian(_ value: UInt64, count: UInt64) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }

    private static func varintBytes(_ value: UInt64) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.append(value)
        return writer.bytes
    }
}
