import Testing

@testable import ExtProcProto

@Suite struct HealthMessageTests {
    @Test func `a request names a service or none`() throws {
        let bytes = Wire.number(7, 1) + Wire.text(1, "old") + Wire.text(1, "readiness")
        #expect(try healthService(bytes) == "readiness")
        #expect(try healthService([]) == "")
    }

    @Test func `a service that is not UTF-8 is refused`() {
        let bytes = Wire.bytes(1, [0xFF])
        let error = #expect(throws: WireError.self) { try healthService(bytes) }
        #expect(error?.description == "field 1 of HealthCheckRequest: the string is not UTF-8, at byte 2")
    }

    @Test func `a list has the server as a whole under the empty name`() {
        let list = HealthListResponse([.init("", .serving), .init("x", .unknown)])
        let unknown = Wire.bytes(1, Wire.text(1, "x") + Wire.bytes(2, []))
        let entries = Wire.bytes(1, Wire.text(1, "") + Wire.bytes(2, [8, 1])) + unknown
        #expect(written(list.byteCount, list.write) == [0, 0, 0, 0, UInt8(entries.count)] + entries)
    }
}
