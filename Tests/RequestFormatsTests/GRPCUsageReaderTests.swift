import Testing

@testable import RequestFormats

/// The token counts of gRPC responses.
@Suite struct GRPCUsageReaderTests {
    /// What a reader finds in `bytes` when they come in pieces of `chunkSize`.
    private func read(_ bytes: [UInt8], _ api: InferenceAPI, chunkSize: Int = .max) -> ResponseUsage? {
        var reader = UsageReader(api: api, isEventStream: false)
        var start = 0
        while start < bytes.count {
            let end = start + min(chunkSize, bytes.count - start)
            reader.consume(bytes.span.bytes.extracting(start..<end))
            start = end
        }
        reader.finish()
        return reader.usage
    }

    private func framed(_ message: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        [flag, 0, 0, UInt8(message.count >> 8), UInt8(message.count & 0xFF)] + message
    }

    /// A GenerateComplete with 7 and 10 tokens.
    private let complete: [UInt8] = [0x12, 4, 0x18, 7, 0x20, 10]
    private let counts = ResponseUsage(promptTokens: 7, completionTokens: 10)

    @Test func `responses that protobuf encoded, however they are cut`() throws {
        #expect(GRPCFixtures.all.responses.count == 10)
        for fixture in GRPCFixtures.all.responses {
            let bytes = GRPCFixtures.bytes(fixture.body)
            let api = try #require(InferenceAPI(rawValue: fixture.api))
            for chunkSize in [1, 2, 3, 5, 7, 64, 1_000, .max] {
                #expect(read(bytes, api, chunkSize: chunkSize) == fixture.usage, "\(fixture.name), by \(chunkSize)")
            }
        }
    }

    @Test func `an event stream's content type makes no difference`() {
        var reader = UsageReader(api: .vllmGRPCGenerate, isEventStream: true)
        reader.consume(framed(complete).span.bytes)
        #expect(reader.usage == counts, "known as soon as the message is whole")
        #expect(reader.eventCount == 0)
    }

    @Test func `messages that cannot be read are passed over`() {
        let broken: [[UInt8]] = [
            framed([0x12, 9, 0x18, 7, 0x20, 10]), framed([0x12, 2, 0x18, 0x80, 0x20, 1]), framed([0x13, 1]),
            framed([0x00, 1]), framed([0x18]), framed([0x09, 1, 2]), framed([0x12]), framed([0x12, 1, 0x18]),
            framed([UInt8](repeating: 0xFF, count: 30)), framed([1, 2, 3], flag: 1), framed([], flag: 1), framed([]),
            framed([0x1A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]),
        ]
        for message in broken {
            #expect(read(message, .vllmGRPCGenerate) == nil, "\(message)")
            for chunkSize in [1, 4, .max] {
                #expect(
                    read(message + framed(complete), .vllmGRPCGenerate, chunkSize: chunkSize) == counts, "\(message)")
            }
        }
    }

    @Test func `a message that is not whole tells nothing`() {
        let body = framed(complete)
        for count in 0..<body.count { #expect(read(Array(body[..<count]), .vllmGRPCGenerate) == nil) }
        // Not even when it breaks behind its counts.
        #expect(read(framed(complete + [0x18]), .vllmGRPCGenerate) == nil)
    }

    @Test func `what is no frame ends the reading`() {
        #expect(read(Array("no healthy upstream".utf8) + framed(complete), .vllmGRPCGenerate) == nil)
        #expect(read(framed(complete) + [2] + framed([0x12, 2, 0x18, 9]), .vllmGRPCGenerate) == counts)
    }

    @Test func `the last member of a oneof and the last number hold`() {
        let both: [UInt8] = [0x0A, 4, 0x10, 1, 0x18, 2] + [0x12, 4, 0x18, 3, 0x18, 5]
        #expect(read(framed(both), .vllmGRPCGenerate) == ResponseUsage(promptTokens: 5))
    }

    @Test func `counts are taken at their place only`() {
        // Field 2 of an embedding is a number; in a generation's response it is a message.
        #expect(read(framed([0x10, 9]), .vllmGRPCEmbed) == ResponseUsage(promptTokens: 9))
        #expect(read(framed([0x10, 9]), .vllmGRPCGenerate) == nil)
        #expect(read(framed(complete), .vllmGRPCEmbed) == nil)
        #expect(read(framed(complete), .vertexChatCompletions) == nil)
    }

    @Test func `random bytes give the same in one piece and in many`() {
        var generator = SeededGenerator(seed: 12)
        let seeds = GRPCFixtures.all.responses.map { (InferenceAPI(rawValue: $0.api), GRPCFixtures.bytes($0.body)) }
        var found = 0
        for round in 0..<20_000 {
            let (api, whole) = seeds[round % seeds.count]
            let bytes = generator.mutated(whole)
            let once = read(bytes, api ?? .vllmGRPCGenerate)
            if once != nil { found += 1 }
            let chunkSize = Int.random(in: 1...40, using: &generator)
            if read(bytes, api ?? .vllmGRPCGenerate, chunkSize: chunkSize) != once { Issue.record("\(bytes)") }
        }
        #expect(found > 2_000 && found < 18_000)
    }
}
