/// Where the structs of a `map<string, google.protobuf.Struct>` stand in their message, such as metadata by namespace.
///
/// All of them were checked when the message was read. They are made into values only when asked for: Envoy sends the
/// metadata again with every piece of a body, and of the first message's one value is needed.
package struct StructMap: Hashable, Sendable {
    /// From the tag of the first entry to the end of the last one; other fields may stand between them.
    private let run: Range<Int>
    /// The number of the map's field in the message around it.
    private let field: UInt32

    /// A map without entries.
    package static let none = StructMap(Run(field: 1))

    /// Whether there are no entries.
    package var isEmpty: Bool { run.isEmpty }

    /// The value called `key` in the struct called `name`; `nil` when there is none.
    ///
    /// Of a name or a key that is there twice the last one counts, as protobuf has it.
    /// - Parameter bytes: the message that the map was read from.
    package func value(_ name: String, _ key: String, in bytes: RawSpan) -> ProtobufValue? {
        structure(name, in: bytes)?[key]
    }

    /// The struct called `name`; `nil` when there is none. Allocates what the struct holds.
    /// - Parameter bytes: the message that the map was read from.
    package func structure(_ name: String, in bytes: RawSpan) -> ProtobufStruct? {
        guard !run.isEmpty, run.upperBound <= bytes.byteCount else { return nil }
        do throws(WireError) {
            var reader = WireReader(.unknown, at: run, nestingLeft: WireLimits.deepestNesting)
            var found: MapEntry?
            while let field = try reader.nextField(in: bytes) {
                guard field.number == self.field else {
                    try reader.skip(field, in: bytes)
                    continue
                }
                let entry = try MapEntry(try reader.message(field, as: .mapEntry, in: bytes), as: .structure, in: bytes)
                if bytes.isEqual(entry.key, name) { found = entry }
            }
            guard let found else { return nil }
            guard let value = found.value else { return ProtobufStruct() }
            return try ProtobufStruct(value, in: bytes)
        } catch {
            // These are not the bytes that the map was read from.
            return nil
        }
    }

    // MARK: - Reading

    /// The extent of a map's entries while they are found.
    struct Run {
        let field: UInt32
        private(set) var range = 0..<0

        init(field: UInt32) {
            self.field = field
        }

        mutating func add(from start: Int, to end: Int) {
            range = (range.isEmpty ? start : range.lowerBound)..<end
        }
    }

    init(_ run: Run) {
        self.run = run.range
        field = run.field
    }

    /// Checks the map in field `number` of a message, and passes over the message's other fields.
    init(
        _ reader: WireReader,
        field number: UInt32,
        in bytes: RawSpan,
        _ budget: inout ValueBudget
    ) throws(WireError) {
        var reader = reader
        var run = Run(field: number)
        while let field = try reader.nextField(in: bytes) {
            guard field.number == number else {
                try reader.skip(field, in: bytes)
                continue
            }
            try Self.checkEntry(try reader.message(field, as: .mapEntry, in: bytes), in: bytes, &budget)
            run.add(from: field.offset, to: reader.offset)
        }
        self.init(run)
    }

    /// Checks one entry.
    static func checkEntry(_ entry: WireReader, in bytes: RawSpan, _ budget: inout ValueBudget) throws(WireError) {
        let entry = try MapEntry(entry, as: .structure, in: bytes)
        if let value = entry.value { try ProtobufStruct.check(value, in: bytes, &budget) }
    }
}
