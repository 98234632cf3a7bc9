import FoundationEssentials
import Testing

@testable import HTTP2Engine

/// Clients on h2, and header blocks of hpack: Fixtures/make-fixtures.py wrote both, with what the two make of them.
@Suite struct OracleTests {
    @Test func sessions() throws {
        let sessions: [Session] = try load("sessions")
        #expect(sessions.count == 40)
        for (index, session) in sessions.enumerated() {
            for piece in [Int.max, 1, 13, 1_000] {
                let driver = EngineDriver().feed(bytes(session.sent), piece: piece)
                #expect(told(driver) == session.told, "session \(index) in pieces of \(piece)")
            }
        }
    }

    /// What an engine told, as the fixture has it.
    private func told(_ driver: EngineDriver) -> [Told] {
        driver.seen.flatMap { event -> [Told] in
            switch event {
            case .request(let stream, let fields, let isLast):
                [Told("request", stream, fields: fields)] + (isLast ? [Told("end", stream)] : [])
            case .trailers(let stream, let fields): [Told("trailers", stream, fields: fields), Told("end", stream)]
            case .data(let stream, let bytes, let isLast):
                [Told("data", stream, bytes: bytes)] + (isLast ? [Told("end", stream)] : [])
            case .reset(let stream, _, _): [Told("reset", stream)]
            case .pong: []
            case .failed(let code): [Told("failed: \(code)", 0)]
            }
        }
    }

    @Test func blocks() throws {
        let sequences: [[Block]] = try load("blocks")
        for (index, sequence) in sequences.enumerated() {
            var decoder = HeaderDecoder(tableLimit: 4096, listLimit: 1 << 16)
            var header = HeaderBlock()
            for block in sequence {
                let bytes = bytes(block.block)
                try decoder.decode(0..<bytes.count, of: bytes.span.bytes, into: &header)
                let fields = (0..<header.count).map { [header.field($0).name, header.field($0).value] }
                #expect(fields == block.fields, "sequence \(index)")
            }
        }
    }

    private func load<Content: Decodable>(_ name: String) throws -> Content {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return try JSONDecoder().decode(Content.self, from: Data(contentsOf: folder.appending(path: name + ".json")))
    }

    private func bytes(_ digits: String) -> [UInt8] {
        hexBytes(digits)
    }
}

/// The bytes of hexadecimal digits.
private func hexBytes(_ digits: String) -> [UInt8] {
    let values = digits.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
}

private struct Session: Decodable {
    let sent: String
    private let events: [Told]

    enum CodingKeys: String, CodingKey {
        case sent
        case events = "told"
    }

    /// The events, with the bytes of a stream that follow each other in one.
    var told: [Told] {
        events.reduce(into: []) { told, event in
            if event.kind == "data", let last = told.last, last.kind == "data", last.stream == event.stream {
                told[told.count - 1].bytes += event.bytes
            } else {
                told.append(event)
            }
        }
    }
}

private struct Block: Decodable {
    let block: String
    let fields: [[String]]
}

private struct Told: Decodable, Equatable {
    let kind: String
    let stream: UInt32
    var fields: [[String]] = []
    var bytes: [UInt8] = []

    init(_ kind: String, _ stream: UInt32, fields: [[String]] = [], bytes: [UInt8] = []) {
        self.kind = kind
        self.stream = stream
        self.fields = fields
        self.bytes = bytes
    }

    init(from decoder: any Decoder) throws {
        var parts = try decoder.unkeyedContainer()
        kind = try parts.decode(String.self)
        stream = try parts.decode(UInt32.self)
        switch kind {
        case "request", "trailers": fields = try parts.decode([[String]].self)
        case "data": bytes = hexBytes(try parts.decode(String.self))
        default: break
        }
    }
}
