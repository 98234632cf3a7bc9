import Testing

@testable import RequestFormats

/// What is read of the bodies of gRPC calls.
@Suite struct GRPCRequestTests {
    private func parse(_ body: [UInt8], _ api: InferenceAPI = .vllmGRPCGenerate) throws(FormatError) -> ParsedBody {
        try ParsedBody(parsing: body.span.bytes, as: api)
    }

    private func fault(_ body: [UInt8], _ api: InferenceAPI = .vllmGRPCGenerate) -> FormatError? {
        do throws(FormatError) {
            _ = try parse(body, api)
            return nil
        } catch {
            return error
        }
    }

    /// A message with its frame.
    private func framed(_ message: [UInt8]) -> [UInt8] {
        [0, 0, 0, UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }

    /// A field with a length.
    private func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        [number << 3 | 2, UInt8(content.count)] + content
    }

    @Test func `bodies that protobuf encoded`() throws {
        #expect(GRPCFixtures.all.requests.count == 12)
        for fixture in GRPCFixtures.all.requests {
            let bytes = GRPCFixtures.bytes(fixture.body)
            let body = try parse(bytes, #require(InferenceAPI(rawValue: fixture.api)))
            #expect(body.api.rawValue == fixture.api)
            #expect(body.model == fixture.model, "\(fixture.name)")
            #expect(body.modelRange == nil, "\(fixture.name)")
            #expect(body.stream == fixture.stream, "\(fixture.name)")
            #expect(body.maxOutputTokens == fixture.maxOutputTokens, "\(fixture.name)")
            #expect(body.tokenIDCount == fixture.tokenIDCount, "\(fixture.name)")
            #expect(GRPCFixtures.digits(body.prompt.flatMap { bytes[$0] }) == fixture.prompt, "\(fixture.name)")
        }
    }

    @Test func `damaged bodies are read as protobuf reads them, or refused`() throws {
        var (both, stricter) = (0, 0)
        for (index, fixture) in GRPCFixtures.all.damaged.enumerated() {
            let bytes = GRPCFixtures.bytes(fixture.body)
            guard let body = try? parse(bytes) else {
                if fixture.read?.input != nil { stricter += 1 }
                continue
            }
            // What protobuf refuses within fields that are not read here is the model server's to refuse.
            guard let read = fixture.read else { continue }
            both += 1
            #expect(read.input != nil, "case \(index)")
            #expect(body.stream == read.stream, "case \(index)")
            #expect(body.maxOutputTokens == read.maxOutputTokens, "case \(index)")
            #expect(body.tokenIDCount == read.tokenIDCount, "case \(index)")
            if let text = read.text { #expect(GRPCFixtures.digits(body.prompt.flatMap { bytes[$0] }) == text) }
        }
        #expect(both > 200)
        // A field that stands twice, and groups.
        #expect(stricter < 20)
    }

    @Test func `tokens that are not packed`() throws {
        let tokens = field(1, [0x61]) + [0x10, 5] + [0x10, 0x80, 1] + field(2, [7, 8]) + [0x15, 0, 0, 0, 0]
        let body = framed(field(2, tokens))
        let parsed = try parse(body)
        #expect(parsed.tokenIDCount == 4)
        #expect(parsed.prompt.map { Array(body[$0]) } == [[5, 0x10, 0x80, 1, 0x12, 2, 7, 8]])
        #expect(parsed.inputTokenEstimate == 4)
    }

    @Test func `the prompt of a document within a message is where it stands`() throws {
        let json = #"{"model":"m","tools":[{"a":1}],"messages":[{"role":"user","content":"x"}]}"#
        let body = framed(field(2, field(1, [0x61]) + field(2, Array(json.utf8))))
        let parsed = try parse(body, .vertexChatCompletions)
        let texts = parsed.prompt.map { String(decoding: body[$0], as: UTF8.self) }
        #expect(texts == [#"[{"a":1}]"#, #"[{"role":"user","content":"x"}]"#])
        #expect(parsed.model == "m")
    }

    @Test func `faults within a document tell their place in the body`() {
        let body = framed(field(2, field(2, Array(#"{"messages":7}"#.utf8))))
        let error = fault(body, .vertexChatCompletions)
        #expect(error?.code == .invalidField && error?.parameter == "messages")
        #expect(error?.byteOffset.map { body[$0] } == UInt8(ascii: "7"))
        let empty = fault(framed(field(2, [])), .vertexRawPredict)
        #expect(empty?.code == .invalidJSON && empty?.byteOffset == 7)
    }

    @Test(
        arguments: [
            ([], .invalidFrame, "the frame has 0 of 5 bytes"),
            ([0, 0, 0, 0], .invalidFrame, "the frame has 4 of 5 bytes"),
            ([1, 0, 0, 0, 0], .invalidFrame, "the message is compressed"),
            ([7, 0, 0, 0, 0], .invalidFrame, "the frame's flag is 7"),
            ([0, 0, 0, 0, 1], .invalidFrame, "announces 1 bytes and 0 follow"),
            ([0, 255, 255, 255, 255, 0], .invalidFrame, "announces 4294967295 bytes and 1 follow"),
            ([0, 0, 0, 0, 0, 0], .invalidFrame, "announces 0 bytes and 1 follow"),
            ([0, 0, 0, 0, 0], .missingField, "has neither text nor tokenized"),
            ([0, 0, 0, 0, 1, 0x1A], .invalidMessage, "the bytes end within a field"),
            ([0, 0, 0, 0, 2, 0x1A, 1], .invalidMessage, "the bytes end within a field"),
            ([0, 0, 0, 0, 2, 0x00, 1], .invalidMessage, "an invalid tag"),
            ([0, 0, 0, 0, 1, 0x0B], .invalidMessage, "an unknown wire type"),
            ([0, 0, 0, 0, 1, 0x0E], .invalidMessage, "an unknown wire type"),
            ([0, 0, 0, 0, 4, 0x09, 0, 0, 0], .invalidMessage, "the bytes end within a field"),
            ([0, 0, 0, 0, 11] + [UInt8](repeating: 0xFF, count: 11), .invalidMessage, "too many bytes"),
            ([0, 0, 0, 0, 6, 0x1A, 1, 0x61, 0x1A, 1, 0x62], .duplicateField, "input"),
            ([0, 0, 0, 0, 5, 0x1A, 1, 0x61, 0x12, 0], .duplicateField, "input"),
            ([0, 0, 0, 0, 4, 0x22, 0, 0x22, 0], .duplicateField, "sampling_params"),
            ([0, 0, 0, 0, 5, 0x12, 3, 0x12, 1, 0x80], .invalidMessage, "the bytes end within a field"),
        ] as [([UInt8], FormatError.Code, String)]
    )
    func `bodies that are refused`(body: [UInt8], code: FormatError.Code, words: String) {
        let error = fault(body)
        #expect(error?.code == code)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "accepted")")
        if let offset = error?.byteOffset { #expect(offset <= body.count) }
    }

    @Test func `what a call lacks`() {
        #expect(fault(framed([0x0A, 0]), .vllmGRPCEmbed)?.message == "missing tokenized input in EmbedRequest")
        #expect(fault(framed([0x0A, 0]), .vertexRawPredict)?.message == "the request has no HttpBody")
        let twice = framed(field(2, field(2, [0x7B]) + field(2, [0x7D])))
        #expect(fault(twice, .vertexRawPredict)?.code == .duplicateField)
    }

    @Test func `random and damaged bytes are read or refused, and ranges stay within them`() {
        var generator = SeededGenerator(seed: 11)
        let seeds = GRPCFixtures.all.requests.map { (InferenceAPI(rawValue: $0.api), GRPCFixtures.bytes($0.body)) }
        var accepted = 0
        for round in 0..<20_000 {
            let (api, whole) = seeds[round % seeds.count]
            var body = generator.mutated(whole)
            // With the right length in front, the message itself is what is tried.
            if Bool.random(using: &generator), body.count >= 5 { body = framed(Array(body[5...])) }
            do throws(FormatError) {
                let parsed = try parse(body, api ?? .vllmGRPCGenerate)
                accepted += 1
                for range in parsed.prompt where range.upperBound > body.count { Issue.record("\(body)") }
            } catch {
                if let offset = error.byteOffset, offset > body.count { Issue.record("\(body)") }
            }
        }
        #expect(accepted > 2_000 && accepted < 18_000)
    }
}
