import Foundation
import GatewayCore
import Logging
import Testing

@testable import MartletApp

@Suite struct LogLineTests {
    private let time = WallTime(microseconds: 1_764_208_786_123_456)

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func object(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func aLineOfJSONHasTheKeysOfTheEndpointPicker() {
        var line = LogLine(.json, .warning, logger: "martlet", message: "late", caller: "A/B.swift:7", at: time)
        line.add("x-request-id", "a")
        line.add("count", 3)
        line.add("ms", nanoseconds: 1_250_499)
        line.add("whole", nanoseconds: 7_000_000)
        line.add("less", nanoseconds: -3_004_600)
        line.add("stream", true)
        let expected =
            #"{"level":"warn","ts":1764208786.123456,"logger":"martlet","caller":"A/B.swift:7","msg":"late","#
            + #""x-request-id":"a","count":3,"ms":1.250,"whole":7,"less":-3.005,"stream":true}"# + "\n"
        #expect(text(line.finished()) == expected)
    }

    @Test func aLineOfTextQuotesOnlyWhatNeedsIt() {
        var line = LogLine(.text(isColoured: false), .info, logger: "martlet", message: "so it is", at: time)
        line.add("bare", "a-b/c:1,é")
        line.add("empty", "")
        line.add("blank", "a b")
        line.add("equals", "a=b")
        line.add("quote", #"a"\"#)
        line.add("line", "a\nb\r\t")
        line.add("odd key", "x")
        let expected =
            #"2025-11-27T01:59:46.123Z info martlet: so it is bare=a-b/c:1,é empty="" blank="a b" equals="a=b" "#
            + #"quote="a\"\\" line="a\nb\r\t" "odd key"=x"# + "\n"
        #expect(text(line.finished()) == expected)
    }

    @Test func coloursAreForTheTimeAndTheLevel() {
        let line = LogLine(.text(isColoured: true), .error, logger: "martlet", message: "m", at: time)
        #expect(text(line.finished()).hasSuffix("Z \u{1B}[0;1;31merror\u{1B}[0m martlet: m\n"))
    }

    @Test func theLinesOfAMessageStayTogether() {
        let message = "two mistakes:\na.yaml:1: x\n2026-11-27T00:00:00.000Z info martlet: not so"
        let line = LogLine(.text(isColoured: false), .error, logger: "martlet", message: message, at: time)
        let lines = text(line.finished()).split(separator: "\n")
        #expect(lines.count == 3 && lines.dropFirst().allSatisfy { $0.hasPrefix("    ") })
    }

    @Test func valuesWithPartsAreObjectsAndLists() throws {
        let value: Logger.MetadataValue = [
            "list": ["a", "b\n"], "number": .stringConvertible(7), "share": .stringConvertible(0.5),
            "none": .stringConvertible(Double.nan), "flag": .stringConvertible(true),
        ]
        var json = LogLine(.json, .info, logger: "l", message: "m", at: time)
        json.add("value", value)
        let told = try #require(try object(json.finished())["value"] as? [String: Any])
        #expect(told["list"] as? [String] == ["a", "b\n"])
        #expect(told["number"] as? Int == 7 && told["share"] as? Double == 0.5)
        #expect(told["none"] as? String == "nan" && told["flag"] as? Bool == true)
        var plain = LogLine(.text(isColoured: false), .info, logger: "l", message: "m", at: time)
        plain.add("value", ["a": "b c"])
        #expect(text(plain.finished()).hasSuffix(#" m value="{\"a\":\"b c\"}""# + "\n"))
    }

    @Test func longValuesEndInAnEllipsisAndLongLinesSaySo() throws {
        for style in [LogStyle.json, .text(isColoured: false)] {
            var line = LogLine(style, .info, logger: "l", message: String(repeating: "ä\u{1}", count: 9_000), at: time)
            for number in 0..<100 { line.add("key\(number)", String(repeating: "\u{0}x", count: 5_000)) }
            let bytes = line.finished()
            #expect(bytes.count < LogLine.lengthMax + 64)
            #expect(text(bytes).contains("…"))
            if style == .json {
                let object = try object(bytes)
                #expect(object["truncated"] as? Bool == true)
                #expect((object["key0"] as? String)?.hasSuffix("…") == true)
                #expect(object["key99"] == nil)
            } else {
                #expect(text(bytes).hasSuffix(" …\n"))
            }
        }
    }

    @Test func nestingHasAnEnd() throws {
        var value: Logger.MetadataValue = "core"
        for _ in 0..<10_000 { value = [value] }
        var line = LogLine(.json, .info, logger: "l", message: "m", at: time)
        line.add("value", value)
        let bytes = line.finished()
        #expect(text(bytes).contains("[[[[[[[[\"…\"]]]]]]]]"))
        _ = try object(bytes)
    }

    /// Whatever comes in, a line is one line, JSON parses and tells what was said, and nothing in it can end a line or
    /// move a cursor.
    @Test(arguments: 0..<200) func hostileTextsStayText(seed: Int) throws {
        var random = RandomSource(seed: UInt64(seed))
        let texts = (0..<12).map { _ in Self.hostileText(&random) }
        var json = LogLine(.json, .debug, logger: texts[0], message: texts[1], at: time)
        var plain = LogLine(.text(isColoured: false), .debug, logger: "l", message: texts[1], at: time)
        for index in stride(from: 2, to: 12, by: 2) {
            json.add("\(index)\(texts[index])", texts[index + 1])
            plain.add("\(index)\(texts[index])", texts[index + 1])
        }
        let (jsonBytes, plainBytes) = (json.finished(), plain.finished())
        let object = try object(jsonBytes)
        #expect(Self.matches(object["msg"] as? String, texts[1], limit: LogLine.messageMax))
        #expect(Self.matches(object["logger"] as? String, texts[0], limit: LogLine.valueMax))
        for index in stride(from: 2, to: 12, by: 2) where texts[index].utf8.count < 10 {
            #expect(
                Self.matches(object["\(index)\(texts[index])"] as? String, texts[index + 1], limit: LogLine.valueMax))
        }
        for bytes in [jsonBytes, plainBytes] {
            let scalars = Array(text(bytes).unicodeScalars)
            let lineFeeds = scalars.indices.dropLast().filter { scalars[$0] == "\n" }
            #expect(lineFeeds.allSatisfy { bytes == plainBytes && scalars[$0 + 1] == " " })
            #expect(scalars.last == "\n")
            #expect(!scalars.contains { $0 != "\n" && ($0.value < 0x20 || (0x7F...0x9F).contains($0.value)) })
            #expect(!scalars.contains { (0x2028...0x202E).contains($0.value) || (0x2066...0x2069).contains($0.value) })
        }
    }

    /// Whether what a line tells is what was said, or its beginning with an ellipsis. By scalars, since a cut may part
    /// a letter from its accent.
    private static func matches(_ told: String?, _ said: String, limit: Int) -> Bool {
        guard let told else { return false }
        let (toldScalars, saidScalars) = (Array(told.unicodeScalars), Array(said.unicodeScalars))
        if toldScalars == saidScalars { return true }
        let isCut = toldScalars.last == "…" && said.utf8.count > limit / 12
        return isCut && saidScalars.starts(with: toldScalars.dropLast())
    }

    private static func hostileText(_ random: inout RandomSource) -> String {
        let pieces = [
            "\u{0}", "\n", "\r\n", "\t", "\u{1B}[31m", "\"", "\\", "{\"a\":1}", "\u{7F}", "\u{85}", "\u{9B}2J",
            "\u{202E}",
            "\u{2028}", "\u{2066}", "\u{FEFF}", "=", " ", "ä", "🦢", "e\u{301}", "plain", "%s", "\u{FFFF}", "\u{10FFFF}",
        ]
        if Int.random(in: 0..<4, using: &random) == 0 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        let count = Int.random(in: 0..<12, using: &random)
        let text = (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
        return Int.random(in: 0..<10, using: &random) == 0 ? String(repeating: text, count: 400) : text
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"), (4_107_542_399_999_999, "2100-02-28T23:59:59.999Z"),
            (1_764_208_786_123_456, "2025-11-27T01:59:46.123Z"), (-62_135_596_800_000_000, "0001-01-01T00:00:00.000Z"),
        ] as [(Int64, String)]
    )
    func timesOfDay(microseconds: Int64, expected: String) {
        var bytes: [UInt8] = []
        WallTime(microseconds: microseconds).appendText(to: &bytes)
        #expect(text(bytes) == expected)
    }

    @Test func everyDayHasItsDate() {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        // Foundation has the Julian calendar before 1582, and halves of seconds without rounding.
        for day in stride(from: Int64(-141_000), to: 200_000, by: 37) {
            let seconds = day * 86_400 + 45_296
            var bytes: [UInt8] = []
            WallTime(microseconds: seconds * 1_000_000 + 500_000).appendText(to: &bytes)
            #expect(text(bytes) == Date(timeIntervalSince1970: Double(seconds) + 0.5).formatted(format))
        }
    }
}
