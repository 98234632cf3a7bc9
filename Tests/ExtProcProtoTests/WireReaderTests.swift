import Testing

@testable import ExtProcProto

/// Tags, numbers, lengths, groups, and the sentences of errors.
@Suite struct WireReaderTests {
    /// A struct whose one field holds `levels` more, one within the other.
    private static func nested(_ levels: Int) -> ProtobufStruct {
        (0..<levels).reduce(ProtobufStruct()) { inner, _ in ["a": .structure(inner)] }
    }

    @Test func `unknown fields of every wire type are passed over`() throws {
        let unknown =
            Wire.number(100, .max) + Wire.bytes(101, [1, 2, 3]) + Wire.tag(102, WireType.fixed64)
            + [UInt8](repeating: 0xFF, count: 8) + Wire.tag(103, WireType.fixed32) + [0, 0, 0, 0]
            + Wire.tag(104, WireType.groupStart) + Wire.tag(1, WireType.groupStart) + Wire.text(2, "x")
            + Wire.tag(1, WireType.groupEnd) + Wire.number(3, 1) + Wire.tag(104, WireType.groupEnd)
        let bytes = unknown + Wire.bytes(4, unknown + Wire.text(1, "body") + unknown) + unknown
        guard case .requestBody(let body) = try read(bytes).part else {
            Issue.record("no body")
            return
        }
        #expect(bytes[body.body].elementsEqual("body".utf8))
    }

    @Test func `varints have at most 10 bytes, tags and lengths 5`() throws {
        let ten = [UInt8](repeating: 0xFF, count: 9) + [0x7F]
        #expect(try read([0x50] + ten).isObservationOnly)
        #expect(refusal([0x50] + [UInt8](repeating: 0x80, count: 10) + [0])?.code == .varintTooLong)
        #expect(refusal([0xD0, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01])?.code == .varintTooLong)
        #expect(try read([0xD0, 0x80, 0x80, 0x80, 0x00, 0x01]).isObservationOnly)
        #expect(refusal([0xD0, 0x80, 0x80, 0x80, 0x10, 0x01])?.code == .numberTooLarge)
        #expect(refusal([0x22, 0xFF, 0xFF, 0xFF, 0xFF, 0x08])?.code == .numberTooLarge)
        #expect(refusal([0x22, 0xFF, 0xFF, 0xFF, 0xFF, 0x07])?.code == .truncated)
        #expect(try read([0x22, 0x80, 0x80, 0x80, 0x80, 0x00]).part != nil)
    }

    @Test func `tags without a number or a type are refused`() {
        for byte: UInt8 in [0x00, 0x02, 0x0E, 0x0F, 0x16] {
            #expect(refusal([byte, 0])?.code == .invalidTag)
        }
    }

    @Test func `groups end as they began`() {
        #expect(refusal(Wire.tag(20, WireType.groupEnd))?.code == .unmatchedGroupEnd)
        let crossed =
            Wire.tag(20, WireType.groupStart) + Wire.tag(21, WireType.groupStart) + Wire.tag(20, WireType.groupEnd)
        #expect(refusal(crossed)?.code == .unmatchedGroupEnd)
        #expect(refusal(Wire.tag(20, WireType.groupStart) + Wire.number(1, 1))?.code == .truncated)
        // A group may not reach beyond its message.
        let cut = Wire.bytes(4, Wire.tag(20, WireType.groupStart)) + Wire.tag(20, WireType.groupEnd)
        #expect(refusal(cut)?.code == .truncated)
    }

    @Test func `a known field has its wire type`() {
        let error = refusal(Wire.number(10, 0) + Wire.bytes(4, Wire.number(1, 7)))
        #expect(error?.code == .wrongWireType(found: 0, expected: 2))
        #expect(error?.description == "field 1 of HttpBody: the wire type is 0 where 2 is expected, at byte 4")
        let wrong = [
            Wire.number(2, 1), Wire.number(8, 1), Wire.number(9, 1), Wire.text(10, ""), Wire.number(11, 1),
            Wire.tag(4, WireType.groupStart) + Wire.tag(4, WireType.groupEnd),
            Wire.bytes(2, Wire.number(1, 1)), Wire.bytes(2, Wire.text(3, "")), Wire.bytes(4, Wire.text(2, "")),
            Wire.bytes(6, Wire.number(1, 1)), Wire.bytes(11, Wire.text(1, "")), Wire.bytes(8, Wire.number(1, 1)),
            Wire.bytes(2, Wire.bytes(1, Wire.bytes(1, Wire.number(3, 1)))),
        ]
        for bytes in wrong {
            guard case .wrongWireType = refusal(bytes)?.code else {
                Issue.record("\(bytes)")
                continue
            }
        }
    }

    @Test func `lengths stay within the message around them`() {
        // The outer message has the bytes that the inner one announces too many.
        let error = refusal([0x22, 0x03, 0x0A, 0x02, 0x41, 0x42])
        #expect(error?.code == .truncated && error?.byteOffset == 2)
        #expect(error?.description == "field 1 of HttpBody: the bytes end too early, at byte 2")
        #expect(refusal([0x22])?.code == .truncated)
        #expect(refusal([0x50])?.code == .truncated)
        #expect(refusal([0x50, 0x80])?.code == .truncated)
        #expect(refusal([0xD0])?.code == .truncated)
        #expect(refusal(Wire.tag(20, WireType.fixed64) + [1, 2, 3, 4, 5, 6, 7])?.code == .truncated)
        #expect(refusal(Wire.tag(20, WireType.fixed32) + [1, 2, 3])?.code == .truncated)
    }

    @Test func `messages and groups nest to the limit`() {
        // Each level is an entry, a Value and a Struct; around them are Metadata, an entry and a Struct.
        let metadata = Wire.bytes(8, Wire.structEntry(1, "n", Self.nested(32)))
        #expect(refusal(metadata) == nil)
        #expect(refusal(metadata, limits: WireLimits(nesting: 99, values: 100)) == nil)
        #expect(refusal(metadata, limits: WireLimits(nesting: 98, values: 100))?.code == .nestedTooDeeply)
        #expect(refusal(Wire.bytes(8, Wire.structEntry(1, "n", Self.nested(33))))?.code == .nestedTooDeeply)
        let groups = (0..<100).flatMap { _ in Wire.tag(20, WireType.groupStart) }
        let ends = (0..<100).flatMap { _ in Wire.tag(20, WireType.groupEnd) }
        #expect(refusal(groups + ends) == nil)
        let start = Wire.tag(20, WireType.groupStart)
        #expect(refusal(start + groups + ends + Wire.tag(20, WireType.groupEnd))?.code == .nestedTooDeeply)
        #expect(refusal([UInt8](repeating: 0x0B, count: 1_000_000))?.code == .nestedTooDeeply)
        #expect(WireLimits(nesting: 1_000, values: -1) == WireLimits(nesting: 256, values: 0))
    }

    @Test func `UTF-8 is what the standard library says it is`() {
        var generator = SeededGenerator(seed: 4)
        let pieces: [[UInt8]] = [
            [0x41], [0x7F], [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0x9F, 0xBF],
            [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xEF, 0xBF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5], [0xFF], [0xE2, 0x82],
            Array("plain ASCII text".utf8), Array("größer".utf8), Array("日本語".utf8), Array("😀".utf8),
        ]
        var valid = 0
        for _ in 0..<4_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes += pieces.randomElement(using: &generator) ?? []
            }
            if Bool.random(using: &generator), !bytes.isEmpty { bytes.removeLast() }
            let expected = String(validating: bytes, as: UTF8.self) != nil
            let invalid = bytes.span.bytes.firstInvalidUTF8(in: 0..<bytes.count)
            if (invalid == nil) != expected { Issue.record("\(bytes)") }
            if let invalid, String(validating: bytes[..<invalid], as: UTF8.self) == nil { Issue.record("\(bytes)") }
            if expected { valid += 1 }
        }
        #expect(valid > 1_000 && valid < 3_000)
    }

    @Test func `sizes of varints`() {
        for shift in 0..<64 {
            for value in [UInt64(1) << shift, (UInt64(1) << shift) - 1, ~(UInt64(1) << shift)] {
                let count = WireSize.varint(value)
                let bytes = written(count) { output in output.append(varint: value) }
                #expect(bytes == Wire.varint(value))
            }
        }
    }
}
