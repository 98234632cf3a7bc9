import Testing

@testable import RequestFormats

/// Long strings, which are passed 64 bytes at a time, against a reader that looks at one byte after the other.
@Suite struct StringBlocksTests {
    /// What became of a string: where it ends and whether it has escapes, or where its fault stands.
    private struct Outcome: Equatable {
        var end: Int?
        var hasEscapes = false
        var fault: Int?
    }

    @Test func `random strings, whole and damaged, are judged as byte by byte`() {
        var generator = SeededGenerator(seed: 11)
        var (valid, invalid, long) = (0, 0, 0)
        for round in 0..<1_500 {
            // What stands in front decides whether a block may look back, so all lengths from 0 on are met.
            let front = [UInt8](repeating: round % 7 == 0 ? 0xE3 : 0x20, count: round % 5)
            let text = Self.randomContent(&generator)
            let content = round % 2 == 0 ? text : generator.mutated(text)
            let bytes = front + [0x22] + content + [0x22] + Array("é, \"日".utf8.prefix(round % 11))
            let outcome = Self.outcome(of: bytes, at: front.count)
            let expected = Self.plainOutcome(of: bytes, at: front.count)
            if outcome != expected { Issue.record("\(outcome) should be \(expected): \(bytes) at \(front.count)") }
            if expected.fault == nil { valid += 1 } else { invalid += 1 }
            if content.count > 128 { long += 1 }
        }
        #expect(valid > 750 && invalid > 150 && long > 400)
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0xC3, 0xA9], [0xC3, 0xC0, 0x80], [0xE0, 0x9F, 0xBF],
            [0xE0, 0xA0, 0x80], [0xE3, 0x81], [0xE3], [0xE3, 0x81, 0x82], [0xE3, 0x81, 0x82, 0x80], [0xED, 0x9F, 0xBF],
            [0xED, 0xA0, 0x80], [0xEF, 0xBF, 0xBF], [0xF0, 0x90, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x90],
            [0xF0], [0xF4, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF],
            [0x5C, 0x6E], [0x5C, 0x5C, 0x5C, 0x22], [0x5C, 0x78], [0x5C, 0xC3, 0xA9],
            [0x5C, 0x75, 0x30, 0x30, 0x65, 0x39], [0x5C, 0x75, 0x30, 0x30, 0x67, 0x39],
            [0x5C, 0x75, 0x44, 0x38, 0x33, 0x64],
            [0x5C, 0x75, 0x30, 0x30, 0x22], [0x5C, 0x75, 0x5C, 0x6E], [0x5C, 0x75, 0x30, 0xC3, 0xA9], [0x5C, 0x0A],
            [0x00], [0x1F], [0x7F], [0x22],
            [0x5C],
        ] as [[UInt8]]
    )
    func `a sequence is judged alike at every place of a block and across its borders`(sequence: [UInt8]) {
        let fillers: [[UInt8]] = [
            [0x61], [0xC3, 0xA9], [0xE3, 0x81, 0x82], [0xF0, 0x9F, 0x98, 0x80], [0x5C, 0x5C],
            [0x5C, 0x75, 0x61, 0x62, 0x43, 0x44],
        ]
        for filler in fillers {
            // The borders of vectors and, place by place, those of the first two blocks.
            for length in [0, 1, 15, 16, 31, 33] + Array(57..<68) + Array(121..<132) {
                let letters = [UInt8](repeating: 0x7A, count: length % filler.count)
                let padding = letters + [[UInt8]](repeating: filler, count: length / filler.count).joined()
                for tail in [0, 70] {
                    let bytes = [0x20, 0x22] + padding + sequence + [UInt8](repeating: 0x61, count: tail) + [0x22]
                    let outcome = Self.outcome(of: bytes, at: 1)
                    let expected = Self.plainOutcome(of: bytes, at: 1)
                    if outcome != expected { Issue.record("\(outcome) should be \(expected): \(bytes)") }
                    for path in StringBlockPath.available {
                        let fault = path.fault(in: bytes.span.bytes, from: 2)
                        if let fault { Issue.record("\(path): \(fault): \(bytes)") }
                    }
                }
            }
        }
    }

    private static func outcome(of bytes: [UInt8], at quote: Int) -> Outcome {
        var offset = quote
        do throws(FormatError) {
            let hasEscapes = try JSONLexer.passString(in: bytes.span.bytes, from: &offset)
            return Outcome(end: offset, hasEscapes: hasEscapes)
        } catch {
            return Outcome(fault: error.byteOffset)
        }
    }

    /// The grammar of RFC 8259, section 7, in its plainest form; UTF-8 is the standard library's judgement.
    private static func plainOutcome(of bytes: [UInt8], at quote: Int) -> Outcome {
        var outcome = Outcome()
        var position = quote + 1
        while position < bytes.count {
            switch bytes[position] {
            case 0x22:
                outcome.end = position + 1
                return outcome
            case 0x5C:
                guard position + 1 < bytes.count else { return Outcome(fault: position + 1) }
                outcome.hasEscapes = true
                let digits = bytes[min(position + 2, bytes.count)...].prefix(4)
                if bytes[position + 1] == UInt8(ascii: "u") {
                    let isNumber = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }
                    guard digits.count == 4, isNumber else { return Outcome(fault: position) }
                    position += 6
                } else {
                    guard "\"\\/bfnrt".utf8.contains(bytes[position + 1]) else { return Outcome(fault: position) }
                    position += 2
                }
            case 0x00..<0x20:
                return Outcome(fault: position)
            case 0x20..<0x80:
                position += 1
            default:
                let length = (2...4).first { length in
                    let sequence = bytes[position...].prefix(length)
                    return String(validating: sequence, as: UTF8.self)?.unicodeScalars.count == 1
                }
                guard let length else { return Outcome(fault: position) }
                position += length
            }
        }
        return Outcome(fault: position)
    }

    private static func randomContent(_ generator: inout SeededGenerator) -> [UInt8] {
        let parts = [
            "a", "plain words of a prompt ", "\\n", "\\\"", "\\\\", "\\u00e9", "\\/", "é", "я", "日本", "한국", "ไทย", "😀",
            " ",
            "\u{7F}", "sixty-four bytes without anything that would need another look. ",
        ]
        // A few kinds at a time, so that blocks of one sort only come up as well as mixed ones.
        let kinds = (0..<Int.random(in: 1...5, using: &generator)).map { _ in parts.randomElement(using: &generator)! }
        var content: [UInt8] = []
        for _ in 0..<Int.random(in: 0...80, using: &generator) {
            content += Array(kinds.randomElement(using: &generator)!.utf8)
        }
        return content
    }
}
