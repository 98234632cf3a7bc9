import Testing

@testable import HTTP2Engine

/// HPACK against the examples of RFC 7541, appendix C, and against what must be refused.
@Suite struct HPACKTests {
    /// Decodes a block given in hexadecimal digits.
    private func decode(_ digits: String, _ decoder: inout HeaderDecoder) throws(HPACKError) -> [String] {
        try decode(hex(digits), &decoder)
    }

    private func decode(_ bytes: [UInt8], _ decoder: inout HeaderDecoder) throws(HPACKError) -> [String] {
        var header = HeaderBlock()
        try decoder.decode(0..<bytes.count, of: bytes.span.bytes, into: &header)
        return (0..<header.count).map { "\(header.field($0).name): \(header.field($0).value)" }
    }

    /// Why a block is refused; `nil` when it is not.
    private func failure(_ bytes: [UInt8], _ decoder: inout HeaderDecoder) -> HPACKError? {
        do throws(HPACKError) {
            _ = try decode(bytes, &decoder)
            return nil
        } catch {
            return error
        }
    }

    private func hex(_ digits: String) -> [UInt8] {
        let values = digits.compactMap(\.hexDigitValue)
        return stride(from: 0, to: values.count, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }

    private func decoder(_ tableLimit: Int = 4096, listLimit: Int = 1 << 16) -> HeaderDecoder {
        HeaderDecoder(tableLimit: tableLimit, listLimit: listLimit)
    }

    // MARK: Appendix C

    @Test(
        arguments: [
            ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header", 55),
            ("040c2f73616d706c652f70617468", ":path: /sample/path", 0),
            ("100870617373776f726406736563726574", "password: secret", 0), ("82", ":method: GET", 0),
        ])
    func singleFields(block: String, field: String, size: Int) throws {
        var decoder = decoder()
        #expect(try decode(block, &decoder) == [field])
        #expect(decoder.tableSize.bytes == size)
    }

    @Test(
        arguments: [
            [
                "828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
                "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            ],
            [
                "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
                "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            ],
        ])
    func requests(blocks: [String]) throws {
        var decoder = decoder()
        let common = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
        #expect(try decode(blocks[0], &decoder) == common)
        #expect(decoder.tableSize == (57, 1))
        #expect(try decode(blocks[1], &decoder) == common + ["cache-control: no-cache"])
        #expect(decoder.tableSize == (110, 2))
        #expect(
            try decode(blocks[2], &decoder)
                == [
                    ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
                    "custom-key: custom-value",
                ])
        #expect(decoder.tableSize == (164, 3))
    }

    @Test(
        arguments: [
            [
                "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470"
                    + "733a2f2f7777772e6578616d706c652e636f6d", "4803333037c1c0bf",
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b"
                    + "48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
            ],
            [
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82"
                    + "ae43d3", "4883640effc1c0bf",
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5"
                    + "af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
            ],
        ])
    func responses(blocks: [String]) throws {
        var decoder = decoder(256)
        let date = "date: Mon, 21 Oct 2013 20:13:21 GMT"
        let location = "location: https://www.example.com"
        #expect(
            try decode(blocks[0], &decoder) == [":status: 302", "cache-control: private", date, location])
        #expect(decoder.tableSize == (222, 4))
        #expect(try decode(blocks[1], &decoder) == [":status: 307", "cache-control: private", date, location])
        #expect(decoder.tableSize == (222, 4))
        #expect(
            try decode(blocks[2], &decoder)
                == [
                    ":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT", location,
                    "content-encoding: gzip",
                    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
                ])
        #expect(decoder.tableSize == (215, 3))
    }

    @Test func integers() throws {
        // 1337 on five bits (C.1.2) as a size of the table; 10 (C.1.1); 42 on eight bits is an index.
        var decoder = decoder()
        #expect(try decode("3f9a0a", &decoder) == [] && decode("2a", &decoder) == [])
        #expect(failure(hex("3fe21f"), &decoder) == .invalidSizeUpdate)
        for digits in ["3fffffffffffff", "ffffffffffff01", "7fffffffffffffff", "ff8080808080808001"] {
            #expect(failure(hex(digits), &decoder) == .numberTooLarge)
        }
    }

    // MARK: Huffman

    private func huffman(_ bytes: [UInt8], padding: UInt8 = 0xFF) -> [UInt8] {
        var bits: [Bool] = []
        for byte in bytes {
            for bit in (0..<HuffmanCode.lengths[Int(byte)]).reversed() {
                bits.append(HuffmanCode.codes[Int(byte)] >> UInt32(bit) & 1 == 1)
            }
        }
        while bits.count % 8 != 0 { bits.append(padding >> UInt8(bits.count % 8) & 1 == 1) }
        return stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        }
    }

    private func decodeHuffman(_ code: [UInt8]) -> [UInt8]? {
        var output: [UInt8] = [1, 2]
        guard HuffmanCode.decode(0..<code.count, of: code.span.bytes, onto: &output) else { return nil }
        return Array(output.dropFirst(2))
    }

    @Test func huffmanRoundTrip() {
        for byte in UInt8.min...UInt8.max {
            for count in 1...9 {
                let text = [UInt8](repeating: byte, count: count)
                #expect(decodeHuffman(huffman(text)) == text)
            }
        }
        var random = SeededRandom(seed: 3)
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
            #expect(decodeHuffman(huffman(text)) == text)
        }
    }

    @Test func huffmanFaults() {
        #expect(decodeHuffman([0xFF]) == nil, "eight bits of padding")
        #expect(decodeHuffman(huffman(Array("a".utf8)) + [0xFF]) == nil)
        #expect(decodeHuffman(huffman(Array("a".utf8), padding: 0)) == nil, "padding that is not ones")
        #expect(decodeHuffman([0xFF, 0xFF, 0xFF, 0xFF]) == nil, "the end symbol")
        #expect(decodeHuffman([0xFF, 0xFF, 0xFF, 0xFC, 0x1F]) == nil, "the end symbol, and a letter behind it")
        #expect(decodeHuffman([]) == [])
    }

    // MARK: Tables and limits

    @Test func invalidIndices() {
        for digits in ["80", "be", "ff00", "7f0000", "0f3000", "bf"] {
            var decoder = decoder()
            #expect(failure(hex(digits), &decoder) == .invalidIndex)
        }
    }

    @Test func cutBlocks() throws {
        let block = hex("828684418cf1e3c2e5f23a6ba0ab90f4ff408825a849e95ba97d7f8925a849e95bb8e8b4bf")
        var wholes = 0
        for count in 0..<block.count {
            var decoder = decoder()
            if failure(Array(block[..<count]), &decoder) == nil { wholes += 1 }
        }
        #expect(wholes == 5, "blocks that end between fields")
    }

    @Test func sizeUpdates() throws {
        var decoder = decoder()
        #expect(try decode("203fe11f4001610162", &decoder) == ["a: b"], "two in front of the fields")
        #expect(failure(hex("400161016240016301643fe11f"), &decoder) == .invalidSizeUpdate)
    }

    @Test func entriesGoWithTheSize() throws {
        var decoder = decoder()
        #expect(try decode("4001610162400163016440016501 66", &decoder).count == 3)
        #expect(decoder.tableSize == (102, 3))
        // 70 bytes hold two of them.
        #expect(try decode("3f27bebf", &decoder) == ["e: f", "c: d"])
        #expect(failure(hex("c0"), &decoder) == .invalidIndex)
        #expect(try decode("20", &decoder) == [] && decoder.tableSize == (0, 0))
        #expect(try decode("3fe11f4001610162", &decoder) == ["a: b"] && decoder.tableSize == (34, 1))
    }

    @Test func theTableAgainstASimpleOne() throws {
        var random = SeededRandom(seed: 9)
        var decoder = decoder(200)
        var model: [(String, String)] = []
        for round in 0..<5_000 {
            let name = "n\(Int.random(in: 0...30, using: &random))"
            let value = String(repeating: "v", count: Int.random(in: 0...(round % 50 == 0 ? 300 : 60), using: &random))
            #expect(try decode([0x40] + ClientBytes.string(name) + ClientBytes.string(value), &decoder).count == 1)
            model.insert((name, value), at: 0)
            while model.reduce(0, { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }) > 200 { model.removeLast() }
            #expect(decoder.tableSize.entries == model.count)
            for (index, field) in model.enumerated() {
                #expect(try decode([UInt8(0x80 | (62 + index))], &decoder) == ["\(field.0): \(field.1)"])
            }
        }
    }

    @Test func listsOverTheLimit() throws {
        var decoder = decoder(listLimit: 100)
        var header = HeaderBlock()
        let block = ClientBytes.block([("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")])
        try decoder.decode(0..<block.count, of: block.span.bytes, into: &header)
        #expect(header.isTooLarge && header.count == 2)
        let bomb =
            [0x40] + ClientBytes.string("x") + ClientBytes.string(String(repeating: "y", count: 3_000))
            + [UInt8](repeating: 0xBE, count: 10_000)
        #expect(failure(bomb, &decoder) == .listTooLarge)
    }
}
