import NIOCore
import Testing

@testable import KubernetesClient

@Suite("Lists")
struct ListTests {
    private func read(_ pieces: [ByteBuffer], _ limits: APILimits = APILimits()) throws -> ListPage<Gadget> {
        var decoder = ListDecoder<Gadget>(limits: limits)
        for piece in pieces { try decoder.take(piece) }
        return try decoder.finish()
    }

    private func read(_ text: String) throws -> ListPage<Gadget> {
        try read([ByteBuffer(string: text)])
    }

    @Test("A page is the same however its bytes come")
    func pieces() throws {
        let escaped = #"{"spec":{"size":3,"tags":["}]\"\\",",[{","\u007d"]},"metadata":{"name":"c","namespace":"ns"}}"#
        let text =
            "\n "
            + Gadget.list(
                [Gadget.json("a", version: 7), Gadget.json("b", version: 8, size: "-2 "), escaped], version: "9",
                continuation: "to\\\"ken"
            ) + "\r\n"
        var random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            let page = try read(random.pieces(of: text, longest: 40))
            #expect(page.objects.map(\.metadata.name) == ["a", "b", "c"])
            #expect(page.objects.map(\.spec.size) == [1, -2, 3])
            #expect(page.objects.last?.spec.tags == ["}]\"\\", ",[{", "}"])
            #expect(page.resourceVersion == "9")
            #expect(page.continuation == "to\"ken")
            #expect(page.malformed.isEmpty)
        }
    }

    @Test("Lists without objects", arguments: ["[]", "[ ]", "null"])
    func empty(items: String) throws {
        let page = try read(#"{"items":\#(items),"other":[[{}],1,"x"],"metadata":{"resourceVersion":"1"}}"#)
        #expect(page.objects.isEmpty)
        #expect(page.continuation == nil)
    }

    @Test("What is no list is refused, and says why")
    func refused() {
        let cases: [(String, APIError)] = [
            (#"{"metadata":{"resourceVersion":"1"}}"#, .malformed("what should be a list has no items")),
            (#"{"items":[]}"#, .malformed("what should be a list has no metadata")),
            (#"{"items":[],"metadata":{}}"#, .malformed("the metadata of a list has no resourceVersion")),
            (
                #"{"items":[],"metadata":{"resourceVersion":5}}"#,
                .malformed(
                    "the metadata of a list: resourceVersion is not a string: Expected to decode String but "
                        + "found number instead.")
            ),
            ("<html>", .malformed(#"a list is not JSON: "<" at byte 0"#)),
            (#"{"items":[,]}"#, .malformed(#"a list is not JSON: "," at byte 10"#)),
            (#"{"items":[1]]"#, .malformed(#"a list is not JSON: "]" at byte 12"#)),
            ("{\u{1}", .malformed("a list is not JSON: byte 0x1 at byte 1")),
            ("", .unreachable("the connection closed in the middle of a list, after 0 bytes")),
            (
                #"{"items":[{"metadata":{"name":"a"#,
                .unreachable("the connection closed in the middle of a list, after 32 bytes")
            ),
        ]
        for (text, expected) in cases {
            let error = #expect(throws: APIError.self) { try read(text) }
            #expect(error == expected)
        }
    }

    @Test("Objects that cannot be read are reported by name, and spoil nobody")
    func malformed() throws {
        let items = [
            Gadget.json("good", version: 1),
            Gadget.json("type", version: 2, uid: "x", size: #""big""#),
            Gadget.json("text", version: 3, size: "1e"),
            Gadget.json("null", version: 4, size: "null"),
            #"{"metadata":{"name":"missing","resourceVersion":"5"}}"#,
            #"{"metadata":{"name":"labels","namespace":"ns","labels":{"a":5}},"spec":{"size":1}}"#,
            #"{"metadata":{"name":"","resourceVersion":"6"},"spec":{"size":1}}"#,
            #"{"metadata":{"name":7},"spec":{"size":1}}"#,
            Gadget.json("tags", version: 8, size: #"1,"tags":["a",1]"#),
            Gadget.json("huge", version: 9, size: "99999999999999999999999"),
            "5", #""text""#, "null", "[]",
            Gadget.json("last", version: 10),
        ]
        let page = try read(Gadget.list(items, version: "11"))
        #expect(page.objects.map(\.metadata.name) == ["good", "last"])
        let told = page.malformed.map { "\($0.name?.description ?? "?")@\($0.resourceVersion): \($0.reason)" }
        #expect(
            told.prefix(8) == [
                "ns/type@2: spec.size is not a number: Expected to decode Int but found a string instead.",
                told[1],
                "ns/null@4: spec.size is null, not a number",
                "missing@5: spec is missing",
                "ns/labels@: metadata.labels.a is not a string: Expected to decode String but found number instead.",
                "?@6: metadata.name is empty",
                "?@: metadata.name is not a string: Expected to decode String but found number instead.",
                "ns/tags@8: spec.tags[1] is not a string: Expected to decode String but found number instead.",
            ])
        #expect(told[1].hasPrefix("ns/text@3: the object cannot be read: The given data was not valid JSON"))
        #expect(told[8].hasPrefix("ns/huge@9: the object cannot be read: "))
        #expect(page.malformed.count == 13)
        #expect(page.malformed[0].uid == "x")
    }

    @Test("An object of more than 10 MB is reported by name, and its bytes are not kept")
    func long() throws {
        let filler = String(repeating: #"{\"a\":[1,2,3]},"#, count: 700_000)
        let text = Gadget.list(
            [
                Gadget.json("a", version: 1), Gadget.json("b", version: 2, more: #","text":"\#(filler)""#),
                Gadget.json("c", version: 3),
            ],
            version: "4"
        )
        #expect(text.utf8.count > 10_000_000)
        let page = try read(text)
        #expect(page.objects.map(\.metadata.name) == ["a", "c"])
        #expect(
            page.malformed == [
                MalformedObject(
                    name: ObjectName(namespace: "ns", name: "b"), resourceVersion: "2", uid: "u",
                    reason: "longer than the 10000000 bytes that an object may have"
                )
            ])
    }

    @Test("A page that is too long is refused")
    func longPage() {
        var limits = APILimits()
        limits.pageBytes = 100
        let error = #expect(throws: APIError.self) {
            try read([ByteBuffer(string: Gadget.list([Gadget.json("a", version: 1)], version: "1"))], limits)
        }
        #expect(error == .malformed("a page of a list is longer than 100 bytes"))
    }

    @Test("No bytes whatever make it crash")
    func fuzz() {
        var random = SeededRandom(seed: 5)
        let sample = Array(
            Gadget.list([Gadget.json("a", version: 1), Gadget.json("b", version: 2)], version: "3").utf8)
        var read = 0
        for _ in 0..<1000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(Array("{}[]\",:\\".utf8).randomElement(using: &random) ?? 0, at: index)
                }
            }
            var whole = ListDecoder<Gadget>(limits: APILimits())
            let first = Result { () throws(APIError) in
                try whole.take(ByteBuffer(bytes: bytes))
                return try whole.finish()
            }
            // In pieces it is the same.
            var parts = ListDecoder<Gadget>(limits: APILimits())
            let second = Result { () throws(APIError) in
                for byte in bytes { try parts.take(ByteBuffer(bytes: [byte])) }
                return try parts.finish()
            }
            switch (first, second) {
            case (.success(let left), .success(let right)):
                read += 1
                #expect(left.objects == right.objects && left.malformed == right.malformed)
            case (.failure(let left), .failure(let right)): #expect(left == right)
            default: Issue.record("\(String(decoding: bytes, as: UTF8.self)) is read in two ways")
            }
        }
        #expect(read > 100)
    }
}
