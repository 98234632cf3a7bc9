/// Each level measures what is below it again. Structs that are written are two or three levels deep, and keeping the
/// sizes would cost an allocation.
extension ProtobufStruct {
    /// The size of the Struct in bytes.
    var size: Int {
        var size = 0
        for field in fields { size &+= WireSize.bytes(field.entrySize) }
        return size
    }

    /// Appends the Struct.
    func append(to output: inout OutputRawSpan) {
        for field in fields {
            output.append(.bytes(1), length: field.entrySize)
            // Both halves of a map entry are written even when they are empty.
            output.append(.bytes(1), text: field.name)
            output.append(.bytes(2), length: field.value.size)
            field.value.append(to: &output)
        }
    }
}

extension ProtobufStruct.Field {
    fileprivate var entrySize: Int {
        WireSize.bytes(name.utf8.count) &+ WireSize.bytes(value.size)
    }
}

extension ProtobufValue {
    /// The size of the Value in bytes.
    fileprivate var size: Int {
        switch self {
        case .null, .boolean: WireSize.number(1)
        case .number: 1 &+ 8
        case .string(let text): WireSize.bytes(text.utf8.count)
        case .structure(let structure): WireSize.bytes(structure.size)
        case .list(let elements): WireSize.bytes(Self.size(of: elements))
        }
    }

    /// Appends the Value. Members of a oneof are written even when they are 0 or empty.
    fileprivate func append(to output: inout OutputRawSpan) {
        switch self {
        case .null: output.append(.varint(1), number: 0)
        case .number(let number): output.append(.double(2), double: number)
        case .string(let text): output.append(.bytes(3), text: text)
        case .boolean(let value): output.append(.varint(4), number: value ? 1 : 0)
        case .structure(let structure):
            output.append(.bytes(5), length: structure.size)
            structure.append(to: &output)
        case .list(let elements):
            output.append(.bytes(6), length: Self.size(of: elements))
            for element in elements {
                output.append(.bytes(1), length: element.size)
                element.append(to: &output)
            }
        }
    }

    /// The size of a ListValue in bytes.
    private static func size(of elements: [ProtobufValue]) -> Int {
        elements.reduce(0) { $0 &+ WireSize.bytes($1.size) }
    }
}
