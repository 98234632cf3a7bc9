/// Reads the fields of a message of protocol buffers, one after the other. What is cut off or senseless ends it.
struct ProtobufReader {
    /// What stands in a field.
    enum Value {
        case number(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) {
        rest = ArraySlice(bytes)
    }

    /// The next field; `nil` at the end, and where the bytes are no message.
    mutating func next() -> (field: UInt64, value: Value)? {
        guard let tag = varint() else { return nil }
        let value: Value? =
            switch tag & 7 {
            case 0: varint().map(Value.number)
            case 1: fixed(8)
            case 2: varint().flatMap { count in take(count) }.map(Value.bytes)
            case 5: fixed(4)
            default: nil
            }
        guard let value else {
            rest = []
            return nil
        }
        return (tag >> 3, value)
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    private mutating func fixed(_ count: UInt64) -> Value? {
        take(count).map { .number($0.reversed().reduce(0) { $0 << 8 | UInt64($1) }) }
    }

    private mutating func take(_ count: UInt64) -> ArraySlice<UInt8>? {
        guard count <= UInt64(rest.count) else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return rest.prefix(Int(count))
    }
}
