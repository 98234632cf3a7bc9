@testable import HTTP2Engine

/// A client that does what clients do, and now and then something wrong.
struct RandomClient {
    /// One in so many frames is wrong; 0 for none.
    let faults: UInt64
    private var number: UInt32 = 1
    private var open: Set<UInt32> = []
    /// Streams that the server has ended.
    var closed: Set<UInt32> = []
    private var table: [(String, String)] = []
    /// What was sent last.
    private(set) var last = ""

    init(faults: UInt64) {
        self.faults = faults
    }

    mutating func next(_ random: inout SeededRandom) -> [UInt8] {
        if faults > 0, random.next() % faults == 0 { return wrong(&random) }
        open.subtract(closed)
        guard let stream = open.sorted().randomElement(using: &random), random.next() % 3 > 0 else {
            return request(&random)
        }
        let bytes = (0..<Int.random(in: 1...80, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        let isLast = random.next() % 4 == 0
        switch random.next() % 10 {
        case 0...3:
            if isLast { open.remove(stream) }
            return say("data", ClientBytes.data(stream, bytes, isLast: isLast))
        case 4:
            if isLast { open.remove(stream) }
            return say("padded data", ClientBytes.data(stream, bytes, isLast: isLast, padding: bytes.count))
        case 5:
            open.remove(stream)
            return say("reset", ClientBytes.reset(stream))
        case 6:
            open.remove(stream)
            return say("trailers", frame(stream, [("x-checksum", "7")], isLast: true, &random))
        case 7: return say("window", ClientBytes.windowUpdate(random.next() % 2 == 0 ? 0 : stream, 100))
        case 8: return say("settings", ClientBytes.settings([(4, 70_000), (5, 20_000), (99, 1)]))
        default: return say("ping", ClientBytes.ping() + ClientBytes.frame(50, stream, bytes))
        }
    }

    private mutating func say(_ what: String, _ bytes: [UInt8]) -> [UInt8] {
        last = what
        return bytes
    }

    private mutating func request(_ random: inout SeededRandom) -> [UInt8] {
        let stream = number
        number += 2 * .random(in: 1...2, using: &random)
        let isLast = random.next() % 6 == 0
        if !isLast { open.insert(stream) }
        let extra = (0..<Int.random(in: 0...3, using: &random)).map { index in
            ("x-\(index)", String(repeating: "v", count: .random(in: 0...200, using: &random)))
        }
        return say("request", frame(stream, ClientBytes.request + extra, isLast: isLast, &random))
    }

    /// A header block with the dynamic table, cut or padded at random.
    private mutating func frame(
        _ stream: UInt32,
        _ fields: [(String, String)],
        isLast: Bool,
        _ random: inout SeededRandom
    ) -> [UInt8] {
        var block: [UInt8] = []
        for field in fields {
            if let index = table.firstIndex(where: { $0 == field }), index < 60 {
                block.append(UInt8(0x80 | (62 + index)))
            } else if random.next() % 2 == 0 {
                block += [0x40] + ClientBytes.string(field.0) + ClientBytes.string(field.1)
                table.insert(field, at: 0)
                while table.reduce(0, { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }) > 4_096 { table.removeLast() }
            } else {
                block += [0x10] + ClientBytes.string(field.0) + ClientBytes.string(field.1)
            }
        }
        let end: UInt8 = isLast ? 1 : 0
        switch random.next() % 4 {
        case 0:
            let cut = Int.random(in: 0...block.count, using: &random)
            return ClientBytes.frame(1, flags: end, stream, Array(block[..<cut]))
                + ClientBytes.frame(9, flags: 4, stream, Array(block[cut...]))
        case 1: return ClientBytes.frame(1, flags: end | 12, stream, [4] + block + [0, 0, 0, 0])
        case 2: return ClientBytes.frame(1, flags: end | 0x24, stream, [0, 0, 0, 0, 3] + block)
        default: return ClientBytes.frame(1, flags: end | 4, stream, block)
        }
    }

    // MARK: Faults

    private mutating func wrong(_ random: inout SeededRandom) -> [UInt8] {
        let stream = open.sorted().randomElement(using: &random)
        if random.next() % 2 == 0 { return wrongRequest(&random) }
        let faults = Self.faults(stream ?? number, number)
        let (name, bytes) = faults[Int(random.next() % UInt64(faults.count))]
        if let stream { open.remove(stream) }
        if stream == nil { number += 2 }
        return say(name, bytes)
    }

    private static func faults(_ stream: UInt32, _ new: UInt32) -> [(String, [UInt8])] {
        typealias Client = ClientBytes
        return [
            ("data on an idle stream", Client.data(new + 100, [1])), ("data on stream 0", Client.data(0, [1])),
            ("too much padding", Client.frame(0, flags: 8, stream, [9, 1])),
            ("a stream of a server", Client.headers(new + 1)),
            ("an unknown index", Client.frame(1, flags: 4, new, [0xFF, 0x70])),
            ("reset on idle", Client.reset(new + 100)),
            ("a short reset", Client.frame(3, stream, [1])), ("settings on a stream", Client.frame(4, stream)),
            ("odd settings", Client.frame(4, 0, [1])), ("bad push", Client.settings([(2, 7)])),
            ("bad frame size", Client.settings([(5, 1)])),
            ("a push", Client.frame(5, flags: 4, stream, [0, 0, 0, 2, 0x82])),
            ("a short ping", Client.frame(6, 0, [1])),
            ("a ping on a stream", Client.frame(6, stream, [UInt8](repeating: 0, count: 8))),
            ("no window", Client.windowUpdate(0, 0)), ("a large window", Client.windowUpdate(0, 0x7FFF_FFFF)),
            ("window on idle", Client.windowUpdate(new + 100, 1)),
            ("a lone continuation", Client.frame(9, flags: 4, stream)),
            ("a torn block", Client.headers(new, isWhole: false) + Client.ping()),
            ("a long frame", Client.frame(0, stream, [UInt8](repeating: 0, count: 16_385))),
        ]
    }

    private mutating func wrongRequest(_ random: inout SeededRandom) -> [UInt8] {
        let stream = number
        number += 2
        let requests: [(String, [(String, String)])] = [
            ("no method", Array(ClientBytes.request.dropFirst())), ("twice", ClientBytes.request + ClientBytes.request),
            ("late", ClientBytes.request + [("a", "b"), (":path", "/")]), ("upper", ClientBytes.request + [("A", "b")]),
            ("connection", ClientBytes.request + [("connection", "close")]),
            ("te", ClientBytes.request.dropLast() + [("te", "gzip")]),
            ("status", ClientBytes.request + [(":status", "200")]), ("nothing", []),
            ("transfer-encoding", ClientBytes.request + [("transfer-encoding", "chunked")]),
        ]
        let (name, fields) = requests[Int(random.next() % UInt64(requests.count))]
        return say(name, ClientBytes.headers(stream, fields))
    }
}
