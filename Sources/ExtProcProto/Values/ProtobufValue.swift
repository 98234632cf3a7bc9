/// A google.protobuf.Value: what JSON can say.
package enum ProtobufValue: Hashable, Sendable {
    /// Field 1; also a value with none of the fields.
    case null
    /// Field 2.
    case number(Double)
    /// Field 3.
    case string(String)
    /// Field 4.
    case boolean(Bool)
    /// Field 5.
    case structure(ProtobufStruct)
    /// Field 6, a ListValue.
    case list([ProtobufValue])
}

/// A google.protobuf.Struct: named values.
///
/// A few fields at most are expected, so they stand in an array, in the order in which they are written. Two structs
/// are equal when their fields are, order included.
package struct ProtobufStruct: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    /// One field.
    package struct Field: Hashable, Sendable {
        /// The name.
        package let name: String
        /// The value.
        package let value: ProtobufValue

        /// Makes a field.
        package init(_ name: String, _ value: ProtobufValue) {
            self.name = name
            self.value = value
        }
    }

    /// The fields. A name that a peer sent twice is here twice.
    package private(set) var fields: [Field] = []

    /// Makes a struct with these fields in this order.
    package init(_ fields: [Field] = []) {
        self.fields = fields
    }

    /// Makes a struct with these fields in this order.
    package init(dictionaryLiteral elements: (String, ProtobufValue)...) {
        fields = elements.map { Field($0.0, $0.1) }
    }

    /// The value of a field. Setting one that is there replaces it, setting `nil` removes it.
    ///
    /// Of a name that is there twice the last one counts, as protobuf has it. The cost grows with the number of fields.
    package subscript(name: String) -> ProtobufValue? {
        get { fields.last { $0.name == name }?.value }
        set {
            guard let newValue else { return fields.removeAll { $0.name == name } }
            let field = Field(name, newValue)
            if let index = fields.lastIndex(where: { $0.name == name }) {
                fields[index] = field
            } else {
                fields.append(field)
            }
        }
    }

    /// Appends a field without looking for one of its name.
    mutating func append(_ name: String, _ value: ProtobufValue) {
        fields.append(Field(name, value))
    }
}
