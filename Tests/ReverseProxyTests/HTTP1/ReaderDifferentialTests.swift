import GatewayCore
import HTTP1Messages
import NIOCore
import NIOHTTP1
import Testing

@testable import ReverseProxy

/// Our readers beside llhttp, on messages that are nearly right: what ours takes for whole messages, llhttp takes for
/// the same ones. Ours may refuse more. Two readers that find different messages in the same bytes are what request
/// smuggling is made of.
@Suite struct ReaderDifferentialTests {
    /// Where the two differ and ours is right: llhttp takes no tab behind a length.
    private static func isComparable(_ bytes: [UInt8]) -> Bool {
        bytes.firstRange(of: Array("\t\r\n".utf8)) == nil
    }

    /// llhttp knows only the methods of a list.
    private static func isKnownToOracle(_ message: ReadMessage) -> Bool {
        let method = String(message.start.prefix { $0 != " " })
        if case .RAW = HTTPMethod(rawValue: method) { return false }
        return true
    }

    @Test(arguments: 0..<8)
    func requests(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var accepted = 0
        for _ in 0..<1_500 {
            let bytes = MessageMutator.mutated(MessageMutator.requests, &random)
            let ours = Readers.requests(bytes)
            let whole = ours.messages.filter(\.isWhole)
            guard !whole.isEmpty, Self.isComparable(bytes), whole.allSatisfy(Self.isKnownToOracle) else { continue }
            let oracle = Readers.oracleRequests(bytes).messages
            accepted += 1
            #expect(oracle.count >= whole.count, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
            for (own, other) in zip(whole, oracle) {
                #expect(own == other, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
            }
            let cut = Int(random.next() % UInt64(bytes.count))
            #expect(Readers.requests(bytes, pieces: [cut]) == ours)
        }
        #expect(accepted > 300, "the mutations leave enough to compare")
    }

    @Test(arguments: 0..<8)
    func responses(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var accepted = 0
        for _ in 0..<1_500 {
            let bytes = MessageMutator.mutated(MessageMutator.responses, &random)
            let ours = Readers.responses(bytes)
            let whole = ours.messages.filter(\.isWhole)
            guard !whole.isEmpty, Self.isComparable(bytes) else { continue }
            accepted += 1
            let oracle = Readers.oracleResponses(bytes, requests: whole.count + 1).messages
            #expect(oracle.count >= whole.count, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
            for (own, other) in zip(whole, oracle) {
                #expect(own == other, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
            }
            let cut = Int(random.next() % UInt64(bytes.count))
            #expect(Readers.responses(bytes, pieces: [cut]) == ours)
        }
        #expect(accepted > 300, "the mutations leave enough to compare")
    }

    /// Bytes that are no message at all end in a fault or in waiting, never in a trap.
    @Test func noise() {
        var random = RandomSource(seed: 99)
        for _ in 0..<20_000 {
            let bytes = (0..<Int(random.next() % 60)).map { _ in
                random.next() % 3 == 0 ? UInt8(truncatingIfNeeded: random.next()) : MessageMutator.spice(&random)
            }
            _ = Readers.requests(bytes)
            _ = Readers.responses(bytes)
        }
    }
}

enum MessageMutator {
    static let requests = [
        "GET /a HTTP/1.1\r\nhost: h\r\n\r\n",
        "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
        "POST /c HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
        "DELETE /d HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    ]
    static let responses = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n",
    ]
    private static let pieces = [
        "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", ":", "0", "1", "5", "a", ";", ",", "\0", "\u{7F}",
        "content-length: 3\r\n",
        "transfer-encoding: chunked\r\n", "transfer-encoding: gzip\r\n", "host: x\r\n", "x-y: z\r\n", " folded\r\n",
        "connection: close\r\n", "HTTP/1.1", "chunked", "0\r\n\r\n",
    ]

    /// A few messages in a row with up to three small changes.
    static func mutated(_ samples: [String], _ random: inout RandomSource) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...random.next() % 3 { bytes += samples[Int(random.next() % UInt64(samples.count))].utf8 }
        for _ in 0..<random.next() % 4 {
            let position = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 4 {
            case 0: bytes.insert(contentsOf: pieces[Int(random.next() % UInt64(pieces.count))].utf8, at: position)
            case 1: bytes[position] = spice(&random)
            case 2: bytes.remove(at: position)
            default:
                let end = min(bytes.count, position + Int(random.next() % 30))
                bytes.insert(contentsOf: bytes[position..<end], at: Int(random.next() % UInt64(bytes.count)))
            }
            if bytes.isEmpty { bytes = Array("G".utf8) }
        }
        return bytes
    }

    /// A byte that matters to the grammar.
    static func spice(_ random: inout RandomSource) -> UInt8 {
        let bytes = Array("\r\n\r\n \t:;,0159afGETHP/.\0\u{7F}".utf8)
        return bytes[Int(random.next() % UInt64(bytes.count))]
    }
}
