/// How many more values the structs of a message may have.
struct ValueBudget {
    private var left: Int

    init(_ limits: WireLimits) {
        left = limits.values
    }

    mutating func spend(_ field: WireField, of reader: WireReader) throws(WireError) {
        guard left > 0 else { throw reader.error(.tooManyValues, field) }
        left &-= 1
    }
}

/// One entry of a map whose keys are strings and whose values are messages: key in field 1, value in field 2.
struct MapEntry {
    let key: Range<Int>
    /// `nil` when the entry has no value, which means an empty message.
    let value: WireReader?

    init(_ reader: WireReader, as message: WireMessage, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        var key = reader.offset..<reader.offset
        var value: WireReader?
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1:
                key = try reader.string(field, in: bytes)
            case 2:
                guard value == nil else { throw reader.error(.duplicateField, field) }
                value = try reader.message(field, as: message, in: bytes)
            default:
                try reader.skip(field, in: bytes)
            }
        }
        self.key = key
        self.value = value
    }
}

extension ProtobufStruct {
    /// Checks a Struct and all values in it without making any of them.
    static func check(_ reader: WireReader, in bytes: RawSpan, _ budget: inout ValueBudget) throws(WireError) {
        var reader = reader
        while let field = try reader.nextField(in: bytes) {
            guard field.number == 1 else {
                try reader.skip(field, in: bytes)
                continue
            }
            try budget.spend(field, of: reader)
            let entry = try MapEntry(try reader.message(field, as: .mapEntry, in: bytes), as: .value, in: bytes)
            if let value = entry.value { try ProtobufValue.check(value, in: bytes, &budget) }
        }
    }

    /// Reads a Struct.
    init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        while let field = try reader.nextField(in: bytes) {
            guard field.number == 1 else {
                try reader.skip(field, in: bytes)
                continue
            }
            let entry = try MapEntry(try reader.message(field, as: .mapEntry, in: bytes), as: .value, in: bytes)
            var value = ProtobufValue.null
            if let reader = entry.value { value = try ProtobufValue(reader, in: bytes) }
            append(bytes.text(entry.key), value)
        }
    }
}

extension ProtobufValue {
    /// Checks a Value and all values in it without making any of them.
    fileprivate static func check(
        _ reader: WireReader,
        in bytes: RawSpan,
        _ budget: inout ValueBudget
    ) throws(WireError) {
        var reader = reader
        var isSet = false
        while let field = try reader.nextField(in: bytes) {
            if 1...6 ~= field.number {
                guard !isSet else { throw reader.error(.duplicateField, field) }
                isSet = true
            }
            switch field.number {
            case 1: _ = try reader.enumeration(field, in: bytes)
            case 2: _ = try reader.double(field, in: bytes)
            case 3: _ = try reader.string(field, in: bytes)
            case 4: _ = try reader.boolean(field, in: bytes)
            case 5:
                let structure = try reader.message(field, as: .structure, in: bytes)
                try ProtobufStruct.check(structure, in: bytes, &budget)
            case 6:
                let list = try reader.message(field, as: .listValue, in: bytes)
                try checkList(list, in: bytes, &budget)
            default:
                try reader.skip(field, in: bytes)
            }
        }
    }

    private static func checkList(
        _ reader: WireReader,
        in bytes: RawSpan,
        _ budget: inout ValueBudget
    ) throws(WireError) {
        var reader = reader
        while let field = try reader.nextField(in: bytes) {
            guard field.number == 1 else {
                try reader.skip(field, in: bytes)
                continue
            }
            try budget.spend(field, of: reader)
            try check(try reader.message(field, as: .value, in: bytes), in: bytes, &budget)
        }
    }

    /// Reads a Value.
    fileprivate init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        self = .null
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 2: self = .number(try reader.double(field, in: bytes))
            case 3: self = .string(bytes.text(try reader.string(field, in: bytes)))
            case 4: self = .boolean(try reader.boolean(field, in: bytes))
            case 5:
                let structure = try reader.message(field, as: .structure, in: bytes)
                self = .structure(try ProtobufStruct(structure, in: bytes))
            case 6:
                var list = try reader.message(field, as: .listValue, in: bytes)
                self = .list(try Self.elements(&list, in: bytes))
            default:
                try reader.skip(field, in: bytes)
            }
        }
    }

    private static func elements(
        _ reader: inout WireReader,
        in bytes: RawSpan
    ) throws(WireError) -> [ProtobufValue] {
        var elements: [ProtobufValue] = []
        while let field = try reader.nextField(in: bytes) {
            guard field.number == 1 else {
                try reader.skip(field, in: bytes)
                continue
            }
            let value = try reader.message(field, as: .value, in: bytes)
            elements.append(try ProtobufValue(value, in: bytes))
        }
        return elements
    }
}
