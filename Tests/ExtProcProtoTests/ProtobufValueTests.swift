import Testing

@testable import ExtProcProto

@Suite struct ProtobufValueTests {
    private static let sample: ProtobufStruct = [
        "null": .null, "number": .number(-0.0), "infinite": .number(.infinity), "text": .string("größer"),
        "empty": .string(""), "yes": .boolean(true), "no": .boolean(false),
        "list": .list([.string("10.0.0.1:8000"), .list([]), .structure([:]), .null]),
        "inner": .structure(["": .structure(["deep": .number(1)])]),
    ]

    @Test func `structs come back as they went`() throws {
        let bytes = Self.sample.encoded
        #expect(bytes.count == Self.sample.size)
        #expect(try ProtobufStruct(reading: bytes) == Self.sample)
        #expect(try ProtobufStruct(reading: []) == [:])
    }

    @Test func `numbers keep their bits`() throws {
        let nan = Double(nan: 5, signaling: false)
        let read = try ProtobufStruct(reading: ProtobufStruct([.init("n", .number(nan))]).encoded)
        guard case .number(let number) = read["n"] else {
            Issue.record("no number")
            return
        }
        #expect(number.bitPattern == nan.bitPattern)
    }

    @Test func `fields are set, replaced and removed`() {
        var structure: ProtobufStruct = ["a": .null, "b": .null]
        structure["a"] = .boolean(true)
        structure["c"] = .number(1)
        structure["b"] = nil
        #expect(structure == ["a": .boolean(true), "c": .number(1)])
        #expect(structure["a"] == .boolean(true) && structure["b"] == nil)
    }

    @Test func `a name that is there twice counts as the last`() throws {
        let twice = try ProtobufStruct(reading: ProtobufStruct([.init("a", .null), .init("a", .number(2))]).encoded)
        #expect(twice["a"] == .number(2) && twice.fields.count == 2)
    }

    @Test func `a value without a kind is null, and one with two is refused`() throws {
        let entry = Wire.bytes(1, Wire.text(1, "a") + Wire.bytes(2, []))
        #expect(try ProtobufStruct(reading: entry) == ["a": .null])
        #expect(try ProtobufStruct(reading: Wire.bytes(1, Wire.text(1, "a"))) == ["a": .null])
        let both = Wire.bytes(1, Wire.bytes(2, Wire.number(1, 0) + Wire.number(4, 1)))
        let error = #expect(throws: WireError.self) { try ProtobufStruct(reading: both) }
        #expect(error?.code == .duplicateField)
    }

    @Test func `unknown fields at every level are passed over`() throws {
        let unknown = Wire.number(9, 1)
        let list = Wire.bytes(6, unknown + Wire.bytes(1, unknown + Wire.text(3, "x")))
        let bytes = unknown + Wire.bytes(1, unknown + Wire.text(1, "a") + Wire.bytes(2, unknown + list))
        #expect(try ProtobufStruct(reading: bytes) == ["a": .list([.string("x")])])
    }
}
