import Testing

@testable import RequestFormats

@Suite struct MultipartReaderTests {
    private static let boundary = "----form7MA4YWxk"

    /// A form as a client writes it; contents by the header lines in front of them.
    private static func form(_ parts: [(header: String, content: [UInt8])], boundary: String = boundary) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in parts {
            bytes += Array("--\(boundary)\r\n\(part.header)\r\n\r\n".utf8) + part.content + Array("\r\n".utf8)
        }
        return bytes + Array("--\(boundary)--\r\n".utf8)
    }

    private static func field(_ name: String, _ text: String) -> (header: String, content: [UInt8]) {
        ("Content-Disposition: form-data; name=\"\(name)\"", Array(text.utf8))
    }

    /// Bytes that look like the ends of parts as often as can be.
    private static let recording: (header: String, content: [UInt8]) = (
        "Content-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".wav\"\r\nContent-Type: audio/wav",
        (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            + Array("\r\n--\r\r\n--\(boundary.dropLast())\r\n\r".utf8)
    )

    private func read(_ bytes: [UInt8], boundary: String = boundary) -> [String: String]? {
        let names = ["model", "language", "file"]
        let finder = FieldFinder(names: names, bytesMax: 64)
        return finder.fields(ofForm: bytes.span.bytes, boundary: boundary).map { found in
            Dictionary(
                uniqueKeysWithValues: zip(names, found).compactMap { name, text in
                    switch text {
                    case nil: nil
                    case .tooLong: (name, "too long")
                    case .text(let text): (name, text)
                    }
                }
            )
        }
    }

    private func read(_ text: String, boundary: String = "b") -> [String: String]? {
        read(Array(text.replacing("\n", with: "\r\n").utf8), boundary: boundary)
    }

    @Test func `fields are read, files are not`() {
        let parts = [Self.recording, Self.field("model", "whisper-1"), Self.field("language", "")]
        #expect(read(Self.form(parts)) == ["model": "whisper-1", "language": ""])
        #expect(read(Self.form(parts.reversed())) == ["model": "whisper-1", "language": ""])
        #expect(read(Self.form([])) == [:])
        #expect(read(Self.form([Self.field("model", "größe\r\n")])) == ["model": "größe\r\n"])
        #expect(read(Self.form([Self.field("model", String(repeating: "x", count: 65))])) == ["model": "too long"])
    }

    @Test(
        arguments: [
            "preamble\n--b\nContent-Disposition: form-data; name=model\n\nm\n--b--",
            "--b  \nCONTENT-DISPOSITION:form-data;name=\"mo\\del\"; x=1 ;\nA:\n\n1\n--b \nX: y\n"
                + "content-disposition: Form-Data; NAME=\"model\"\n\nm\n--b-- \t\nepilogue --b\n",
        ])
    func `spellings that the standard allows are read`(text: String) {
        #expect(read(text) == ["model": "m"])
    }

    @Test(
        arguments: [
            "", "--b", "--b\n", "--b-", "--c--", "--b--x", "--bx--", "x--b--", "\n--b\n\n\n--b--",
            "--b\nContent-Disposition: form-data; name=model\n\nm", "--b\nContent-Disposition: form-data; name=model\n",
            "--b\nContent-Disposition: form-data; name=model\n\nm\n--bx\n--b--",
            "--b\nContent-Disposition: form-data; name=model\n\n--b--",
            "--b\nContent-Disposition: form-data\n\nm\n--b--",
            "--b\nContent-Disposition: attachment; name=model\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=model; name=x\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=\"model\n\nm\n--b--",
            "--b\nContent-Disposition: form-data; name=model\nContent-Disposition: form-data; name=x\n\nm\n--b--",
            "--b\nContent-Disposition: form-data;\n name=model\n\nm\n--b--", "--b\nX: y\n\nm\n--b--",
            "--b\nContent-Disposition : form-data; name=model\n\nm\n--b--", "--b\n: x\n\nm\n--b--",
            "--b\nx\n\nm\n--b--",
        ])
    func `a damaged form is not read`(text: String) {
        #expect(read(text) == nil)
    }

    @Test func `what two readers could read in two ways is not read`() {
        #expect(read(Self.form([Self.field("model", "a"), Self.field("model", "b")])) == nil)
        #expect(read(Self.form([Self.field("x", "a"), Self.field("x", "b")])) == [:])
        let file = ("Content-Disposition: form-data; name=\"model\"; filename=\"\"", Array("b".utf8))
        #expect(read(Self.form([Self.field("model", "a"), file])) == nil)
        #expect(read(Self.form([file])) == [:])
        #expect(read(Self.form([("Content-Disposition: form-data; name=model; name*=UTF-8''x", [])])) == nil)
        let lineFeeds = "--b\nContent-Disposition: form-data; name=model\n\nm\n--b--"
        #expect(read(Array(lineFeeds.utf8), boundary: "b") == nil)
        #expect(read(Self.form([("Content-Disposition: form-data; name=\"model\"", [0xFF])])) == nil)
    }

    @Test func `parts and headers are bounded`() {
        let most = Array(repeating: Self.field("x", ""), count: MultipartReader.partsMax)
        #expect(read(Self.form(most)) == [:])
        #expect(read(Self.form(most + [Self.field("x", "")])) == nil)
        let long = String(repeating: "x", count: MultipartReader.headerBytesMax)
        #expect(read(Self.form([("X: \(long)\r\n\(Self.field("model", "").header)", [])])) == nil)
    }

    @Test func `every cut and any damage is survived`() {
        let whole = Self.form([Self.field("model", "whisper-1"), Self.recording, Self.field("language", "de")])
        // What is behind the last boundary is nobody's.
        for end in 0..<whole.count - 2 where read(Array(whole[..<end])) != nil { Issue.record("cut at \(end)") }
        #expect(read(Array(whole.dropLast(2))) != nil)
        #expect(read(Array(whole.dropLast())) == nil)
        let small = Self.form(
            [
                Self.field("model", "m\r\n"),
                ("Content-Disposition: form-data; name=file; filename=x", [13, 10, 45, 45]),
            ],
            boundary: "b"
        )
        var generator = SeededGenerator(seed: 5)
        var (readable, unreadable) = (0, 0)
        for _ in 0..<10_000 {
            let bytes = generator.mutated(small)
            if read(bytes, boundary: "b") == nil { unreadable += 1 } else { readable += 1 }
        }
        #expect(readable > 300 && unreadable > 1_000, "\(readable) read")
    }

    @Test func `a delimiter is found wherever it stands`() {
        let delimiter = Array("\r\n--b".utf8)
        for length in 0..<70 {
            for place in 0...length {
                var bytes = [UInt8](repeating: 0x0D, count: place)
                bytes += delimiter + [UInt8](repeating: 0x0A, count: length - place)
                #expect(bytes.span.bytes.first(delimiter: delimiter, from: 0) == place)
                #expect(bytes.span.bytes.first(delimiter: delimiter, from: place + 1) == nil)
            }
        }
    }
}

@Suite struct MediaTypeTests {
    @Test(
        arguments: [
            ("application/json", true), ("Application/JSON; charset=utf-8", true), (" application/json;", true),
            ("application/vnd.api+json", true), ("text/json", true), ("application/jsonx", false), ("json", false),
            ("text/plain; x=application/json", false), ("", false), (";", false),
            ("application/x-www-form-urlencoded", false), ("application/json, text/plain", false),
        ])
    func `JSON is told by its type`(text: String, isJSON: Bool) {
        #expect(MediaType(text).isJSON == isJSON)
    }

    @Test(
        arguments: [
            ("multipart/form-data; boundary=abc", "abc"), ("Multipart/Form-Data;BOUNDARY=\"a b:c\"", "a b:c"),
            ("multipart/form-data; charset=utf-8; boundary=\"a\\\"\\\\\"", "a\"\\"), ("multipart/form-data", nil),
            ("multipart/form-data; boundary=", nil), ("multipart/form-data; boundary=\"\"", nil),
            ("multipart/form-data; boundary=a; boundary=b", nil), ("multipart/form-data; boundary=\"a ", nil),
            ("multipart/form-data; boundary=\"a \"", nil), ("multipart/form-data; boundary=a b", nil),
            ("multipart/form-data; boundary=\"a\u{E9}\"", nil), ("multipart/mixed; boundary=abc", nil),
            ("multipart/form-data; boundary=\"a\r\nb\"", nil), ("multipart/form-data; boundary=a;", "a"),
        ] as [(String, String?)])
    func `a form has one boundary`(text: String, boundary: String?) {
        #expect(MediaType(text).boundary == boundary)
        #expect(MediaType(text).isForm == text.lowercased().hasPrefix("multipart/form-data"))
    }

    @Test func `a boundary has at most 70 characters`() {
        let longest = String(repeating: "b", count: 70)
        #expect(MediaType("multipart/form-data; boundary=\(longest)").boundary == longest)
        #expect(MediaType("multipart/form-data; boundary=\(longest)b").boundary == nil)
    }

    @Test func `any text is a media type or none`() {
        var generator = SeededGenerator(seed: 3)
        let whole = Array("multipart/form-data; charset=\"a\\\"b\"; boundary=\"x y\"; z=1".utf8)
        for _ in 0..<5_000 {
            let type = MediaType(String(decoding: generator.mutated(whole), as: UTF8.self))
            if let boundary = type.boundary { #expect(boundary.utf8.allSatisfy { 0x20...0x7E ~= $0 }) }
        }
    }

    @Test func `the fields of an upload are known`() {
        let body = Array(
            ("--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--b\r\n"
                + "Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b--\r\n").utf8
        )
        let parsed = ParsedBody(form: body.span.bytes, contentType: "multipart/form-data; boundary=b", as: .audio)
        #expect(parsed.model == "whisper" && parsed.stream && parsed.modelRange == nil)
        for contentType in ["", "application/json", "multipart/form-data; boundary=c"] {
            #expect(ParsedBody(form: body.span.bytes, contentType: contentType, as: .audio) == ParsedBody(api: .audio))
        }
    }
}
