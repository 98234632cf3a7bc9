import NIOCore
import Testing

@testable import KubernetesClient

@Suite("Events of a watch")
struct WatchDecoderTests {
    private func read(_ pieces: [ByteBuffer], limits: APILimits = APILimits()) throws(APIError) -> [String] {
        var decoder = WatchDecoder<Gadget>(limits: limits, subject: "GET gadgets")
        var told: [String] = []
        for piece in pieces {
            decoder.take(piece)
            while let event = try decoder.next() { told.append(text(event)) }
        }
        try decoder.finish()
        return told
    }

    private func text(_ event: WatchEvent<Gadget>) -> String {
        switch event {
        case .added(let gadget): "added \(gadget.metadata.name) \(gadget.spec.size)"
        case .modified(let gadget): "modified \(gadget.metadata.name) \(gadget.spec.size)"
        case .deleted(let metadata): "deleted \(metadata.id) \(metadata.uid) \(metadata.resourceVersion)"
        case .bookmark(let version): "bookmark \(version)"
        case .malformed(let object): "malformed \(object.name?.name ?? "?")@\(object.resourceVersion) \(object.reason)"
        }
    }

    @Test("Events are the same however their bytes come")
    func pieces() throws {
        let text =
            Gadget.event("ADDED", Gadget.json("a", version: 1)) + "\n\r\n"
            + Gadget.event("MODIFIED", Gadget.json("a", version: 2, size: "5"))
            + #"{"object":\#(Gadget.json("b", version: 3, uid: "x", size: #""what""#)),"type":"DELETED"}"# + "\r\n"
            + Gadget.bookmark(9) + "  \n"
        var random = SeededRandom(seed: 2)
        for _ in 0..<300 {
            let told = try read(random.pieces(of: text, longest: 60))
            #expect(told == ["added a 1", "modified a 5", "deleted ns/b x 3", "bookmark 9"])
        }
    }

    @Test("Events that cannot be read are reported, with what can be")
    func malformed() throws {
        let text =
            Gadget.event("ADDED", Gadget.json("a", version: 1, size: "[]"))
            + Gadget.event("MODIFIED", Gadget.json("b", version: 2, size: "0x"))
            + Gadget.event("DELETED", Gadget.json("c", version: 3, size: "0x"))
            + Gadget.event("MELTED", Gadget.json("d", version: 4))
            + "nonsense\n"
            + #"{"type":7,"object":{}}"# + "\n"
            + #"{"type":"ADDED"}"# + "\n"
            + Gadget.event("BOOKMARK", "{}")
            + Gadget.event("DELETED", #"{"metadata":{"resourceVersion":"5"}}"#)
            + Gadget.event("ADDED", Gadget.json("z", version: 6))
        let told = try read([ByteBuffer(string: text)])
        #expect(
            told[0] == "malformed a@1 spec.size is not a number: Expected to decode Int but found an array instead.")
        #expect(told[1].hasPrefix("malformed b@2 an event of a watch: the object cannot be read"))
        #expect(told[2] == "deleted ns/c u 3")
        #expect(told[3] == "malformed d@4 an event of the unknown type \"MELTED\"")
        #expect(told[4].hasPrefix("malformed ?@ an event of a watch: the object cannot be read"))
        #expect(told[5].hasPrefix("malformed ?@ an event of a watch: type is not a string"))
        #expect(told[6] == "malformed ?@ the object is missing")
        #expect(told[7] == "malformed ?@ a bookmark has no metadata.resourceVersion")
        #expect(told[8] == "malformed ?@5 an object without a name is deleted")
        #expect(told[9] == "added z 1")
        #expect(told.count == 10)
    }

    @Test("An event that is too long is reported by name, and the next one is read")
    func long() throws {
        var limits = APILimits()
        limits.objectBytes = 2000
        let filler = { (count: Int) in #","text":"\#(String(repeating: "x", count: count))""# }
        let text =
            Gadget.event("ADDED", Gadget.json("a", version: 1, more: filler(5000)))
            + Gadget.event("DELETED", Gadget.json("b", version: 2, more: filler(5000)))
            // Longer than an object may be, though not than a line.
            + Gadget.event("MODIFIED", Gadget.json("c", version: 3, more: filler(2100)))
            + Gadget.event("MODIFIED", Gadget.json("d", version: 4, more: filler(1800)))
        var random = SeededRandom(seed: 3)
        let reason = "longer than the 2000 bytes that an object may have"
        for _ in 0..<50 {
            #expect(
                try read(random.pieces(of: text), limits: limits) == [
                    "malformed a@1 \(reason)", "deleted ns/b u 2", "malformed c@3 \(reason)", "modified d 1",
                ])
        }
    }

    @Test("What the server says when it cannot go on")
    func errors() {
        let tooLarge = #"{"causes":[{"reason":"ResourceVersionTooLarge"}],"retryAfterSeconds":1}"#
        let cases: [(String, APIError)] = [
            (
                Gadget.status(410, "Expired", "too old resource version: 1 (5)"),
                .expired("too old resource version: 1 (5) (GET gadgets: status 410)")
            ),
            (
                Gadget.status(504, "Timeout", "Timeout: Too large resource version: 9, current: 5", details: tooLarge),
                .expired("Timeout: Too large resource version: 9, current: 5 (GET gadgets: status 504)")
            ),
            (
                Gadget.status(429, "TooManyRequests", "later", details: #"{"retryAfterSeconds":7}"#),
                .busy("later (GET gadgets: status 429)", retryAfter: .seconds(7))
            ),
            (
                Gadget.status(500, "InternalError", ""),
                .refused(status: 500, "InternalError (GET gadgets: status 500)")
            ),
            ("7", .malformed("the server ends a watch and does not say why (GET gadgets)")),
        ]
        for (status, expected) in cases {
            let error = #expect(throws: APIError.self) {
                try read([ByteBuffer(string: Gadget.event("ERROR", status))])
            }
            #expect(error == expected)
        }
    }

    @Test("A watch that is cut in an event is broken, between two it is over")
    func cut() throws {
        let line = Gadget.event("ADDED", Gadget.json("a", version: 1))
        #expect(try read([ByteBuffer(string: line)]) == ["added a 1"])
        let error = #expect(throws: APIError.self) { try read([ByteBuffer(string: line + "{")]) }
        #expect(error == .unreachable("the connection closed in the middle of an event (GET gadgets)"))
    }

    @Test("No bytes whatever make it crash, and in pieces they are the same")
    func fuzz() {
        var random = SeededRandom(seed: 6)
        let text =
            Gadget.event("ADDED", Gadget.json("a", version: 1)) + Gadget.event("DELETED", Gadget.json("b", version: 2))
        let sample = Array(text.utf8)
        var good = 0
        for _ in 0..<1000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(Array("{}[]\",:\\\n".utf8).randomElement(using: &random) ?? 0, at: index)
                }
            }
            let whole = Result { () throws(APIError) in try read([ByteBuffer(bytes: bytes)]) }
            let parts = Result { () throws(APIError) in try read(bytes.map { ByteBuffer(bytes: [$0]) }) }
            #expect(whole == parts)
            if case .success = whole { good += 1 }
        }
        #expect(good > 300)
    }
}
