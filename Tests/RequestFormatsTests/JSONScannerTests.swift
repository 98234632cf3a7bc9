import Testing

@testable import RequestFormats

@Suite struct JSONScannerTests {
    @Test(arguments: [
        "{}", "[]", "null", " true ", "false\n", "0", "-0", "-0.0", "1e5", "1E+5", "1e-05", "0.5",
        "12345678901234567890",
        #""""#, #""\u0000\uD83D\uDE00\"\\\/\b\f\n\r\t""#, #"[1,[2,{"a":[{}]}],"x"]"#, "\t[\r\n ]", #"{"":""}"#,
        #""\uD800""#, #"{"a":1,"a":2}"#, "\"\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\"",
    ])
    func `valid documents pass`(text: String) {
        #expect(syntaxError(text) == nil)
    }

    @Test(arguments: [
        ("", 0), ("  ", 2), ("nul", 0), ("nulL", 0), ("tru", 0), ("True", 0), ("fals", 0), ("01", 1), ("-", 1),
        ("-a", 1),
        ("+1", 0), (".5", 0), ("1.", 2), ("1.e5", 2), ("1e", 2), ("1e+", 3), ("0x1", 1), ("1 2", 2), ("NaN", 0),
        ("[", 1), ("[1", 2), ("[1,", 3), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("[1}", 2), ("]", 0),
        ("{", 1), ("{,}", 1), (#"{"a"}"#, 4), (#"{"a":}"#, 5), (#"{"a":1,}"#, 7), (#"{"a":1 "b":2}"#, 7), ("{a:1}", 1),
        (#"{"a":1]"#, 6), (#"{"a",1}"#, 4), ("{1:2}", 1), (#"{"a":1"#, 6), ("{}}", 2), ("[]x", 2), ("'a'", 0),
        (#"""#, 1), (#""abc"#, 4), (#""\""#, 3), (#""\x""#, 1), (#""\u12""#, 1), (#""\u12G4""#, 1), (#""\"#, 2),
        ("\"a\nb\"", 2), ("\"12345678\tb\"", 9), ("\"\0\"", 1), ("/**/1", 0), ("\u{FEFF}1", 0),
    ])
    func `invalid documents are refused where the fault stands`(text: String, offset: Int) throws {
        let error = try #require(syntaxError(text))
        #expect(error.code == .invalidJSON)
        #expect(error.byteOffset == offset)
        #expect(error.description.hasSuffix(" (byte \(offset))"))
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x20], [0xE0, 0x9F, 0xBF], [0xE0, 0xA0],
            [0xE1, 0x80],
            [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xEF, 0xBF, 0x20], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x90, 0x80],
            [0xF1, 0x80, 0x80, 0x20], [0xF1, 0x80, 0x20, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xFF],
        ] as [[UInt8]]
    )
    func `bytes that are not UTF-8 are refused at the sequence's start`(sequence: [UInt8]) throws {
        for padding in 0..<10 {
            let front = [0x22] + [UInt8](repeating: 0x61, count: padding)
            for end in [[0x22], [0x22] + [UInt8](repeating: 0x20, count: 9), []] as [[UInt8]] {
                let error = try #require(syntaxError(front + sequence + end))
                #expect(error.byteOffset == 1 + padding, "\(sequence) behind \(padding) letters")
            }
        }
    }

    @Test func `UTF-8 validation agrees with the standard library at all borders`() {
        let borders: [UInt8] = [0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        let tails: [[UInt8]] = [[], [0x7F], [0x80], [0xBF], [0xC0], [0x80, 0x7F], [0x80, 0x80], [0xBF, 0xBF]]
        var rejected = 0
        for lead in UInt8(0x80)...0xFF {
            for second in borders {
                for tail in tails {
                    let sequence = [lead, second] + tail
                    let isValid = String(validating: sequence, as: UTF8.self) != nil
                    let error = syntaxError([0x22] + sequence + [0x22])
                    if (error == nil) != isValid { Issue.record("\(sequence) should be \(isValid)") }
                    rejected += isValid ? 0 : 1
                }
            }
        }
        #expect(rejected > 5_000 && rejected < 10_240)
    }

    @Test func `every special byte is found at every distance from the opening quote`() {
        for distance in 0..<40 {
            let front = [0x22] + [UInt8](repeating: 0x7A, count: distance)
            #expect(syntaxError(front + [0x22]) == nil)
            #expect(syntaxError(front + [0x5C, 0x22, 0x22]) == nil)
            #expect(syntaxError(front + [0x1F, 0x22])?.byteOffset == distance + 1)
            #expect(syntaxError(front + [0x22, 0x61])?.byteOffset == distance + 2)
            // Neighbours of the special bytes are plain.
            #expect(syntaxError(front + [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F] + [0x22]) == nil)
        }
    }

    @Test(arguments: ["[", "{\"a\":", "[{\"a\":"])
    func `nesting is bounded without recursion`(opening: String) throws {
        let text = String(repeating: opening, count: 10_000)
        let error = try #require(syntaxError(text))
        #expect(error.code == .nestedTooDeeply)
        #expect(syntaxError(text, depthLimit: .max)?.code == .nestedTooDeeply)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 128, 1024])
    func `the depth limit is exact`(limit: Int) {
        func nested(_ depth: Int) -> String {
            // Objects and arrays in turn, so that the remembered types matter on the way out.
            let levels = (0..<depth).map { $0 % 3 == 0 }
            return levels.map { $0 ? #"{"k":"# : "[" }.joined() + "0"
                + levels.reversed().map { $0 ? "}" : "]" }.joined()
        }
        #expect(syntaxError(nested(limit), depthLimit: limit) == nil)
        #expect(syntaxError(nested(limit + 1), depthLimit: limit)?.code == .nestedTooDeeply)
    }

    @Test func `a walk gives keys, kinds and ranges`() throws {
        let bytes = Array(#" { "a" : [1, "x\n"] ,"b\u0063":{"d":null}, "e":-1.5e3} "#.utf8)
        let span = bytes.span.bytes
        var scanner = JSONScanner()
        try scanner.enterObject(in: span)
        var found: [String] = []
        while let key = try scanner.nextKey(in: span) {
            let name = key.string(in: span) ?? "undecodable"
            let value = try scanner.skipValue(in: span)
            found.append("\(name) \(value.kind.phrase) \(String(decoding: bytes[value.range], as: UTF8.self))")
        }
        try scanner.finish(in: span)
        #expect(found == [#"a an array [1, "x\n"]"#, #"bc an object {"d":null}"#, "e a number -1.5e3"])
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("-0.00", 0), ("7", 7), ("10.0", 10), ("1e3", 1000), ("1.5e1", 15), ("100e-2", 1),
            ("0.001e3", 1), ("1.00000000000000000000000000000", 1), ("9223372036854775807", Int.max),
            ("0e999999999999", 0),
            ("0.00000000000000000000000000001e29", 1), ("1e18", 1_000_000_000_000_000_000),
            ("9223372036854775808", nil), ("-1", nil), ("1.5", nil), ("1e-1", nil), ("1e19", nil),
            ("1e999999999999999999999", nil),
            ("10e-99999999999999999999", nil), ("99999999999999999999999999", nil),
            ("100000000000000000000e-10", 10_000_000_000),
        ] as [(String, Int?)]
    )
    func `integers are read exactly in any notation`(text: String, expected: Int?) throws {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner()
        let value = try scanner.skipValue(in: bytes.span.bytes)
        let integer = value.nonNegativeInteger(in: bytes.span.bytes)
        #expect(integer == expected)
    }

    @Test func `strings are decoded with their escapes`() throws {
        let cases: [(String, String?)] = [
            (#""plain""#, "plain"), (#""""#, ""), (#""é\u00e9""#, "éé"), (#""\ud83d\ude00!""#, "😀!"),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\ud83d""#, nil), (#""\ude00""#, nil),
            (#""\ud83d\ud83d""#, nil), (#""\ud83dx""#, nil), ("12", nil), (#""\u0000""#, "\0"),
        ]
        for (text, expected) in cases {
            let bytes = Array(text.utf8)
            var scanner = JSONScanner()
            let value = try scanner.skipValue(in: bytes.span.bytes)
            let decoded = value.string(in: bytes.span.bytes)
            #expect(decoded == expected, "\(text)")
        }
    }

    @Test func `byte searches find what a plain search finds`() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<2_000 {
            let alphabet = Array("\"us\r\nage\u{80}".utf8)
            var bytes = (0..<Int.random(in: 0...90, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            let place = Int.random(in: 0...bytes.count, using: &generator)
            if Bool.random(using: &generator) { bytes.insert(contentsOf: "\"usag".utf8, at: place) }
            let start = Int.random(in: 0...bytes.count, using: &generator)
            let span = bytes.span.bytes
            let (lineEnd, key) = (span.firstLineEnd(from: start), span.first("\"usag", from: start))
            #expect(lineEnd == bytes[start...].firstIndex { $0 == 10 || $0 == 13 })
            #expect(key == bytes.indices.first { $0 >= start && bytes[$0...].starts(with: "\"usag".utf8) })
        }
    }
}
