import GatewayCore
import GatewayTesting
import NIOCore
import RequestControl
import Testing

@testable import ReverseProxy

/// Bodies of known length are gathered where they are read.
@Suite(.timeLimit(.minutes(2))) struct ReceiveSlotTests {
    private static let head = "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 300000\r\n\r\n"

    /// Plays the channel: reads `bytes` in pieces into the buffers that the reader lays down.
    private func gather(_ bytes: [UInt8], pieces: Int) throws -> (body: [UInt8], events: Int) {
        var reader = RequestReader(limits: GatewayLimits())
        var rest = bytes[...]
        var begun: ByteBuffer?
        var body: [UInt8] = []
        var events = 0
        while !rest.isEmpty {
            let isContinuation = begun != nil
            var buffer = begun.take() ?? ByteBufferAllocator().buffer(capacity: 4096)
            let piece = rest.prefix(min(buffer.writableBytes, pieces))
            rest = rest.dropFirst(piece.count)
            buffer.writeBytes(piece)
            if isContinuation { reader.resume(buffer) } else { reader.receive(buffer) }
            while let event = try reader.next() {
                events += 1
                if case .body(let bytes) = event { body += Array(bytes.readableBytesView) }
            }
            begun = reader.takeBegunBody()
        }
        return (body, events)
    }

    @Test(arguments: [1, 7, 1000, 4096, 70_000, 1_000_000])
    func aBodyIsOnePieceHoweverItComes(pieces: Int) throws {
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        // Byte by byte only the beginning: the rest of a body is not looked at until it is whole.
        let (gathered, events) = try gather(Array(Self.head.utf8) + body, pieces: max(pieces, 64))
        #expect(gathered == body)
        #expect(events == 3)
    }

    /// What is set aside for a long body grows with what comes, whatever was announced.
    @Test func roomIsMadeForWhatComes() throws {
        var reader = RequestReader(limits: GatewayLimits())
        reader.receive(ByteBuffer(string: "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 30000000\r\n\r\nabc"))
        while try reader.next() != nil {}
        let taken = reader.takeBegunBody()
        let begun = try #require(taken)
        #expect(begun.readableBytes == 3)
        #expect(begun.capacity < 4 << 20)
        #expect(!reader.hasInput && reader.isInsideRequest)
    }

    @Test func longBodiesArriveAsTheyWereSent() async throws {
        let endpoint = try await ScriptedServer.start { request in
            [.send(ScriptedServer.response(body: String(request.body.utf8.count)))]
        }
        try await withProxy(to: [endpoint.port]) { proxy in
            let client = try await proxy.connect()
            for count in [10, 100_000, 1, 3_000_000, 70_000] {
                let body = String((0..<count).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
                // In two parts, with a request behind: it must not end up in the body.
                let bytes = post("/x", body: body) + get("/next")
                let cut = bytes.utf8.index(bytes.startIndex, offsetBy: bytes.utf8.count / 3)
                try await client.send(String(bytes[..<cut]))
                try await client.send(String(bytes[cut...]))
                #expect(try await client.response().body == String(count), "\(count)")
                #expect(try await client.response().body == "0")
            }
            let bodies = endpoint.log.value.requests.filter { $0.line.hasPrefix("POST") }.map(\.body.utf8.count)
            #expect(bodies == [10, 100_000, 1, 3_000_000, 70_000])
            try await client.close()
        }
        try await endpoint.stop()
    }

    @Test func aBodyThatBreaksOffIsRefused() async throws {
        try await withProxy(to: []) { proxy in
            let client = try await proxy.connect()
            try await client.send(Self.head + String(repeating: "a", count: 100_000))
            try await client.finishSending()
            #expect(try await client.response().status == 400)
        }
    }
}
