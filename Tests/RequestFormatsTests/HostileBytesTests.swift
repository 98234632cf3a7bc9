import Foundation
import Testing

@testable import RequestFormats

/// Random and damaged inputs. Seeded, so that a failure comes again.
@Suite struct HostileBytesTests {
    private static let bodies: [(InferenceAPI, String)] = [
        (
            .chatCompletions,
            #"{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":16,"#
                + #""messages":[{"role":"system","content":"Grüße \ud83d\ude00\n"},{"role":"user","content":"#
                + #"[{"type":"text","text":"x"}]}],"tools":[{"a":1}]}"#
        ),
        (
            .messages,
            #"{"model":"c","max_tokens":1e2,"system":[{"type":"text","text":"s"}],"messages":"#
                + #"[{"role":"user","content":"日本"}]}"#
        ),
        (.responses, #"{"input":"x","instructions":"y","tools":[1],"max_output_tokens":5,"model":"\u006d"}"#),
        (.completions, #"{"prompt":[1,22,333,4294967295,1.0],"max_tokens":0.5e1,"model":"m","cache_salt":"s"}"#),
        (.completions, #"{"prompt":["a","b\\"],"seed":-0.0e-0,"model":null}"#),
        (.vllmGenerate, #"{"token_ids":[ 1 , 2 ],"sampling_params":{"max_tokens":3},"features":{"mm_hashes":{}}}"#),
        (.sglangGenerate, #"{"input_ids":[1],"extra_key":"k","sampling_params":{"max_new_tokens":3}}"#),
    ]

    @Test func `damaged bodies are parsed or refused, and ranges stay within them`() {
        var generator = SeededGenerator(seed: 1)
        var accepted = 0
        for round in 0..<6_000 {
            let (api, text) = Self.bodies[round % Self.bodies.count]
            let bytes = generator.mutated(Array(text.utf8))
            do throws(FormatError) {
                let body = try ParsedBody(parsing: bytes.span.bytes, as: api)
                accepted += 1
                for range in body.prompt where range.upperBound > bytes.count { Issue.record("\(bytes)") }
                if let range = body.modelRange, bytes[range].first != 0x22 { Issue.record("\(bytes)") }
                if syntaxError(bytes) != nil { Issue.record("accepted, and not JSON: \(bytes)") }
            } catch {
                if let offset = error.byteOffset, offset > bytes.count { Issue.record("\(bytes)") }
            }
        }
        #expect(accepted > 200 && accepted < 4_000)
    }

    @Test func `damaged streams are read without harm, whatever the chunks`() {
        var generator = SeededGenerator(seed: 2)
        let streams = [RecordedResponses.vllmChat, RecordedResponses.vllmAnthropic, RecordedResponses.vllmResponses]
        for round in 0..<1_500 {
            let bytes = generator.mutated(Array(streams[round % streams.count].utf8))
            var whole = UsageReader(api: .chatCompletions, isEventStream: true)
            whole.consume(bytes.span.bytes)
            whole.finish()
            var pieces = UsageReader(api: .chatCompletions, isEventStream: true)
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + Int.random(in: 1...400, using: &generator))
                pieces.consume(bytes.span.bytes.extracting(start..<end))
                start = end
            }
            pieces.finish()
            if whole.usage != pieces.usage || whole.eventCount != pieces.eventCount { Issue.record("\(bytes)") }
            var body = UsageReader(api: .chatCompletions, isEventStream: false)
            body.consume(bytes.span.bytes)
            body.finish()
        }
    }

    @Test func `the scanner agrees with Foundation on random documents, whole and damaged`() {
        var generator = SeededGenerator(seed: 3)
        var (valid, invalid) = (0, 0)
        for _ in 0..<3_000 {
            var document: [UInt8] = []
            appendRandomValue(to: &document, depth: 0, &generator)
            if syntaxError(document) != nil { Issue.record("refused: \(document)") }
            for candidate in [document, generator.mutated(document)] where !Self.isBeyondComparison(candidate) {
                let data = Data(candidate)
                let foundation = (try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)) != nil
                if foundation != (syntaxError(candidate) == nil) {
                    Issue.record("Foundation says \(foundation): \(String(decoding: data, as: UTF8.self)) \(candidate)")
                }
                if foundation { valid += 1 } else { invalid += 1 }
            }
        }
        #expect(valid > 1_500 && invalid > 1_000)
    }

    /// Whether Foundation is known to judge `bytes` otherwise than RFC 8259: it takes other encodings and a byte
    /// order mark (told by a zero or a byte above 0x7F among the first), and it refuses escapes of half a surrogate
    /// pair.
    private static func isBeyondComparison(_ bytes: [UInt8]) -> Bool {
        if bytes.isEmpty || bytes.prefix(4).contains(where: { $0 == 0 || $0 > 0x7F }) { return true }
        let text = String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: #"\ud83d\ude00"#, with: "")
        return text.lowercased().contains(#"\ud"#)
    }

    private func appendRandomValue(to bytes: inout [UInt8], depth: Int, _ generator: inout SeededGenerator) {
        func space() { bytes += Array(["", "", " ", "\n", "\t ", "\r\n"].randomElement(using: &generator)!.utf8) }
        space()
        defer { space() }
        switch Int.random(in: depth > 4 ? 2..<6 : 0..<6, using: &generator) {
        case 0:
            bytes.append(0x7B)
            for index in 0..<Int.random(in: 0...4, using: &generator) {
                if index > 0 { bytes.append(0x2C) }
                appendRandomString(to: &bytes, &generator)
                bytes.append(0x3A)
                appendRandomValue(to: &bytes, depth: depth + 1, &generator)
            }
            bytes.append(0x7D)
        case 1:
            bytes.append(0x5B)
            for index in 0..<Int.random(in: 0...4, using: &generator) {
                if index > 0 { bytes.append(0x2C) }
                appendRandomValue(to: &bytes, depth: depth + 1, &generator)
            }
            bytes.append(0x5D)
        case 2:
            appendRandomString(to: &bytes, &generator)
        case 3:
            bytes += Array(
                ["0", "-0", "1.5", "-12", "1e5", "2E-3", "0.25e+1", "907"].randomElement(using: &generator)!.utf8
            )
        default:
            bytes += Array(["true", "false", "null"].randomElement(using: &generator)!.utf8)
        }
    }

    private func appendRandomString(to bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        let parts = [
            "a", "key", "\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83d\\ude00", "é", "日", "😀", " ", "/",
            "long text here",
        ]
        bytes.append(0x22)
        for _ in 0..<Int.random(in: 0...5, using: &generator) {
            bytes += Array(parts.randomElement(using: &generator)!.utf8)
        }
        bytes.append(0x22)
    }
}
