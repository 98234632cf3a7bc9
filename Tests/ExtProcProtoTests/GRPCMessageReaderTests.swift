import Testing

@testable import ExtProcProto

@Suite struct GRPCMessageReaderTests {
    private static func framed(_ message: [UInt8], compressed: Bool = false) -> [UInt8] {
        var prefix = written(GRPCPrefix.byteCount) { output in GRPCPrefix.append(length: message.count, to: &output) }
        if compressed { prefix[0] = 1 }
        return prefix + message
    }

    /// The messages of a stream in chunks; checks what each part says of itself.
    private func messages(_ chunks: [[UInt8]], limit: Int = 1 << 20) throws -> [[UInt8]] {
        var reader = GRPCMessageReader(limit: limit)
        var messages: [[UInt8]] = []
        var current: [UInt8]?
        for chunk in chunks {
            var offset = 0
            while let part = try reader.next(in: chunk.span.bytes, from: &offset) {
                #expect(part.isFirst == (current == nil))
                let message = (current ?? []) + chunk[part.range]
                #expect(part.isLast == (message.count == part.messageLength))
                #expect(!part.range.isEmpty || part.messageLength == 0)
                #expect(offset == part.range.upperBound && part.isLast == reader.isBetweenMessages)
                if part.isLast { messages.append(message) }
                current = part.isLast ? nil : message
            }
            #expect(offset == chunk.count)
        }
        try reader.finish()
        return messages
    }

    @Test func `a message within a chunk is one part`() throws {
        let chunk = Self.framed([1, 2, 3]) + Self.framed([]) + Self.framed([4])
        #expect(try messages([chunk]) == [[1, 2, 3], [], [4]])
    }

    @Test func `cuts do not matter`() throws {
        let expected = [bodyBytes(300), [], [7], bodyBytes(70_000)]
        let stream = expected.flatMap { Self.framed($0) }
        #expect(try messages(Array(stream.prefix(320)).map { [$0] } + [Array(stream.dropFirst(320))]) == expected)
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<30 {
            var chunks: [[UInt8]] = []
            var start = 0
            while start < stream.count {
                let longest = Bool.random(using: &generator) ? 7 : 20_000
                let end = min(stream.count, start + Int.random(in: 0...longest, using: &generator))
                chunks.append(Array(stream[start..<end]))
                start = end
            }
            #expect(try messages(chunks) == expected)
        }
    }

    @Test func `a compressed message is told by its flag`() throws {
        var reader = GRPCMessageReader()
        var offset = 0
        let chunk = Self.framed([1], compressed: true) + Self.framed([2])
        let first = try reader.next(in: chunk.span.bytes, from: &offset)
        #expect(first?.isCompressed == true && first?.isLast == true && first?.range == 5..<6)
        let second = try reader.next(in: chunk.span.bytes, from: &offset)
        #expect(second?.isCompressed == false)
    }

    @Test func `long messages and other flags are refused`() throws {
        #expect(try messages([Self.framed([1, 2])], limit: 2) == [[1, 2]])
        #expect(throws: GRPCFramingError.messageTooLong(length: 3, limit: 2)) {
            try messages([Self.framed([1, 2, 3])], limit: 2)
        }
        #expect(throws: GRPCFramingError.messageTooLong(length: 4_294_967_295, limit: 4_194_304)) {
            try messages([[0, 0xFF, 0xFF, 0xFF, 0xFF]], limit: GRPCMessageReader.standardLimit)
        }
        #expect(throws: GRPCFramingError.invalidFlag(2)) { try messages([[2]]) }
        #expect(try messages([Self.framed([])], limit: -5) == [[]])
        let sentences = [
            GRPCFramingError.invalidFlag(2), .messageTooLong(length: 3, limit: 2), .truncated,
        ].map(\.description)
        #expect(
            sentences == [
                "a gRPC message begins with the flag 2, which is neither 0 nor 1",
                "a gRPC message of 3 bytes is longer than the limit of 2", "the stream ends within a gRPC message",
            ]
        )
    }

    @Test func `a stream does not end within a message`() throws {
        let stream = Self.framed([1, 2, 3])
        for count in 1..<stream.count {
            #expect(throws: GRPCFramingError.truncated) { try messages([Array(stream[..<count])]) }
        }
        #expect(try messages([]).isEmpty)
    }
}
