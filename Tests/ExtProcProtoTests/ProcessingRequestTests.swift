import Testing

@testable import ExtProcProto

/// What the readers make of each message, beyond what the oracle's cases show.
@Suite struct ProcessingRequestTests {
    private static let map = Wire.headerMap(1, [(":path", "/v1"), ("x-request-id", "7"), ("x-request-id", "8")])

    private func headersPart(_ bytes: [UInt8]) throws -> HeadersPart? {
        switch try read(bytes).part {
        case .requestHeaders(let headers), .responseHeaders(let headers): headers
        default: nil
        }
    }

    @Test func `an empty message has no part`() throws {
        let request = try read([])
        #expect(request.part == nil && request.protocolConfiguration == nil && !request.isObservationOnly)
        #expect(request.metadata.isEmpty && request.attributes.isEmpty)
        #expect(request.metadata.structure("", of: []) == nil)
    }

    @Test func `headers are walked over, found, and left where they are`() throws {
        let bytes = Wire.bytes(2, Self.map + Wire.number(3, 1))
        let headers = try #require(try headersPart(bytes))
        #expect(headers.isEndOfStream && headers.fields.count == 3)
        let walked = ExtProcProtoTests.headers(headers.fields, in: bytes)
        #expect(walked == [[":path", "/v1"], ["x-request-id", "7"], ["x-request-id", "8"]])
        #expect(headers.fields.value("x-request-id", of: bytes) == "7")
        #expect(headers.fields.value("x-request", of: bytes) == nil)
        #expect(headers.fields.value("X-Request-Id", of: bytes) == nil)
        #expect(HeaderFields.none.value("x-request-id", of: bytes) == nil)
    }

    @Test func `a walk ends when its bytes are others`() throws {
        let bytes = Wire.bytes(2, Self.map)
        let fields = try #require(try headersPart(bytes)).fields
        #expect(headers(fields, in: Array(bytes.dropLast())).isEmpty)
        #expect(headers(fields, in: []).isEmpty)
        let zeros = [UInt8](repeating: 0, count: bytes.count)
        #expect(headers(fields, in: zeros).isEmpty)
        let metadata = Wire.bytes(8, Wire.structEntry(1, "n", ["a": .boolean(true)]))
        let map = try read(metadata).metadata
        #expect(map.value("n", "a", of: metadata) == .boolean(true))
        #expect(map.value("n", "a", of: [UInt8](repeating: 0, count: metadata.count)) == nil)
        #expect(map.value("n", "a", of: []) == nil)
    }

    @Test func `raw values win over values, and need not be UTF-8`() throws {
        let header = Wire.text(1, "k") + Wire.text(2, "text") + Wire.bytes(3, [0xFF, 0x00])
        let plain = Wire.text(2, "text") + Wire.bytes(3, [])
        let bytes = Wire.bytes(3, Wire.bytes(1, Wire.bytes(1, header) + Wire.bytes(1, plain) + Wire.bytes(1, [])))
        let fields = try #require(try headersPart(bytes)).fields
        var values: [[UInt8]] = []
        fields.forEach(in: bytes.span.bytes) { values.append(Array(bytes[$0.value])) }
        #expect(values == [[0xFF, 0x00], Array("text".utf8), []])
        #expect(fields.count == 3)
    }

    @Test func `names and values are UTF-8`() {
        for number: UInt32 in [1, 2] {
            let bytes = Wire.bytes(2, Wire.bytes(1, Wire.bytes(1, Wire.bytes(number, [0x41, 0xC3]))))
            let error = refusal(bytes)
            #expect(error?.code == .invalidUTF8 && error?.field == number && error?.byteOffset == bytes.count - 1)
        }
        let metadata = Wire.bytes(8, Wire.bytes(1, Wire.bytes(1, [0x80])))
        #expect(refusal(metadata)?.description == "field 1 of a map entry: the string is not UTF-8, at byte 6")
        let value = Wire.bytes(2, Wire.bytes(1, Wire.bytes(2, Wire.bytes(3, [0x80]))))
        #expect(refusal(Wire.bytes(9, value))?.code == .invalidUTF8)
    }

    @Test func `bodies are ranges, and the last of two counts`() throws {
        let bytes = Wire.bytes(5, Wire.text(1, "a") + Wire.text(1, "bc") + Wire.number(3, 1) + Wire.number(4, 9))
        guard case .responseBody(let body) = try read(bytes).part else {
            Issue.record("no body")
            return
        }
        #expect(bytes[body.body].elementsEqual("bc".utf8))
        #expect(!body.isEndOfStream && body.isEndOfStreamWithoutMessage && body.isCompressedGRPCMessage)
        guard case .requestBody(let empty) = try read(Wire.bytes(4, Wire.number(2, 1))).part else {
            Issue.record("no body")
            return
        }
        #expect(empty.body.isEmpty && empty.isEndOfStream)
    }

    @Test func `a message field comes once`() {
        let body = Wire.bytes(4, [])
        let metadata = Wire.bytes(8, [])
        let configuration = Wire.bytes(11, [])
        let twice = [
            body + body, body + Wire.bytes(5, []), metadata + metadata, configuration + configuration,
            Wire.bytes(2, Wire.bytes(1, []) + Wire.bytes(1, [])), Wire.bytes(6, Wire.bytes(1, []) + Wire.bytes(1, [])),
            Wire.bytes(9, Wire.bytes(2, []) + Wire.bytes(2, [])),
        ]
        for bytes in twice { #expect(refusal(bytes)?.code == .duplicateField) }
        #expect(refusal(body + metadata + configuration) == nil)
    }

    @Test func `maps of structs may be scattered, and the last of a name counts`() throws {
        let bytes =
            Wire.structEntry(9, "f", ["k": .string("old")]) + Wire.number(10, 1)
            + Wire.structEntry(9, "g", ["k": .number(2)]) + Wire.bytes(4, Wire.text(1, "x"))
            + Wire.bytes(8, Wire.structEntry(1, "f", ["k": .string("metadata")]) + Wire.structEntry(2, "f", [:]))
            + Wire.structEntry(9, "f", ["k": .string("new")]) + Wire.bytes(9, [])
        let request = try read(bytes)
        #expect(request.isObservationOnly)
        #expect(request.attributes.value("f", "k", of: bytes) == .string("new"))
        #expect(request.attributes.value("g", "k", of: bytes) == .number(2))
        #expect(request.attributes.structure("", of: bytes) == ProtobufStruct())
        #expect(request.attributes.value("f", "other", of: bytes) == nil)
        #expect(request.metadata.value("f", "k", of: bytes) == .string("metadata"))
        #expect(request.metadata.structure("g", of: bytes) == nil)
    }

    @Test func `the modes of a stream`() throws {
        let bytes = Wire.bytes(11, Wire.number(1, 4) + Wire.number(2, 9) + Wire.number(3, 1))
        let configuration = try #require(try read(bytes).protocolConfiguration)
        #expect(configuration.requestBodyMode == .fullDuplexStreamed)
        #expect(configuration.responseBodyMode == .unknown(9))
        #expect(configuration.sendsBodyWithoutWaitingForHeaderResponse)
        for number: Int32 in -1...7 { #expect(BodySendMode(number: number).number == number) }
    }

    @Test func `typed metadata and deprecated attributes are passed over unread`() throws {
        let bytes = Wire.bytes(8, Wire.bytes(2, [0xFF])) + Wire.bytes(2, Wire.bytes(2, [0xFF]))
        #expect(try read(bytes).metadata.isEmpty)
    }

    @Test func `values are counted over all structs of a message`() {
        let list = ProtobufStruct([.init("l", .list([.null, .null, .null]))])
        let bytes = Wire.bytes(8, Wire.structEntry(1, "a", list)) + Wire.structEntry(9, "b", list)
        #expect(refusal(bytes, limits: WireLimits(nesting: 100, values: 8)) == nil)
        #expect(refusal(bytes, limits: WireLimits(nesting: 100, values: 7))?.code == .tooManyValues)
        let many = Wire.bytes(8, Wire.structEntry(1, "a", ["l": .list(Array(repeating: .null, count: 65_536))]))
        #expect(refusal(many)?.code == .tooManyValues)
    }
}
