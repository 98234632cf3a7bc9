import GatewayCore
import RequestFormats

/// Requests that were recorded somewhere, from a file with a JSON object in each line.
///
/// Two kinds of lines are understood, and lines may have the members of both. One tells lengths, as the traces of
/// Mooncake do: `timestamp` in milliseconds, `input_length`, `output_length`, and `hash_ids`, one for each 512 tokens
/// of the prompt, so that prompts share what the recorded ones shared. The other has text: `prompt`, `messages`, or the
/// `conversations` of ShareGPT, of which the first thing a human said is asked. `model` names the model.
package struct Trace: Sendable {
    /// The most lines of a trace.
    package static let entriesMax = 2_000_000
    /// The furthest from 0 that a timestamp may be, in seconds: nanoseconds in place of milliseconds still are less.
    private static let secondsMax = 1e16
    /// The tokens that one of `hash_ids` stands for.
    static let tokensPerHash = 512

    /// One request.
    package struct Entry: Sendable {
        /// When it came, in seconds since the first one; `nil` when the line does not tell.
        package internal(set) var seconds: Double?
        /// The tokens of its answer; `nil` for those of the workload.
        package internal(set) var outputTokens: Int?
        var inputTokens = 0
        var hashes: [UInt32] = []
        /// The text of its prompt, as the inside of a JSON string.
        var text: [UInt8]?
        /// Its messages, as the inside of a JSON array.
        var messages: [UInt8]?
        var model: String?

        /// Whether the line names its model.
        package var namesModel: Bool { model != nil }

        /// Appends the prompt, as the inside of a JSON string.
        func appendPrompt(seed: UInt64, _ random: inout RandomSource, to bytes: inout [UInt8]) {
            if let text {
                bytes += text
                return
            }
            var missing = max(1, inputTokens)
            for hash in hashes where missing > 0 {
                var block = RandomSource.stream(seed: seed, Int(hash), 0xB1)
                let count = min(missing, Trace.tokensPerHash)
                if missing < inputTokens { bytes.append(UInt8(ascii: " ")) }
                PromptWords.append(count, &block, to: &bytes)
                missing -= count
            }
            if missing == 0 { return }
            if missing < inputTokens { bytes.append(UInt8(ascii: " ")) }
            PromptWords.append(missing, &random, to: &bytes)
        }
    }

    /// What is wrong with a trace, with its line.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// A full sentence.
        package let description: String
    }

    /// The requests; at least one.
    package let entries: [Entry]

    /// Whether a line has a text, which is asked as it stands.
    package var hasTexts: Bool { entries.contains { $0.text != nil || $0.messages != nil } }

    /// Whether every line tells when its request came, so that the trace can be replayed by its own times.
    package var isTimed: Bool { entries.allSatisfy { $0.seconds != nil } }

    /// Reads the bytes of a trace.
    ///
    /// - Throws: ``Fault`` for the first line that is no request, and for a trace without any.
    package init(_ bytes: [UInt8]) throws(Fault) {
        var entries: [Entry] = []
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { continue }
            guard entries.count < Self.entriesMax else {
                throw Fault(description: "It has more than \(Self.entriesMax) lines.")
            }
            do {
                entries.append(try Self.entry(Array(line)))
            } catch let fault as Fault {
                throw Fault(description: "Line \(number): \(fault)")
            } catch {
                throw Fault(description: "Line \(number) is not a JSON object: \(error).")
            }
        }
        guard !entries.isEmpty else { throw Fault(description: "It has no line with a request.") }
        let origin = entries.compactMap(\.seconds).min() ?? 0
        for index in entries.indices { entries[index].seconds = entries[index].seconds.map { $0 - origin } }
        // Replay takes them in order of time.
        self.entries = entries.allSatisfy { $0.seconds != nil } ? entries.sorted(by: Self.isEarlier) : entries
    }

    private static func isEarlier(_ one: Entry, _ other: Entry) -> Bool {
        (one.seconds ?? 0) < (other.seconds ?? 0)
    }

    private static func entry(_ line: [UInt8]) throws -> Entry {
        var entry = Entry()
        try line.withUnsafeBytes { raw in
            let bytes = RawSpan(_unsafeBytes: raw)
            var scanner = JSONScanner()
            try scanner.enterObject(in: bytes)
            while let key = try scanner.nextKey(in: bytes) {
                switch key.string(in: bytes) ?? "" {
                case "hash_ids" where try scanner.nextKind(in: bytes) == .array:
                    entry.hashes = try hashes(&scanner, bytes)
                case "conversations" where try scanner.nextKind(in: bytes) == .array:
                    entry.text = try humanText(&scanner, bytes) ?? entry.text
                case let name:
                    take(name, try scanner.skipValue(in: bytes), line, bytes, into: &entry)
                }
            }
            try scanner.finish(in: bytes)
        }
        guard entry.inputTokens > 0 || entry.text != nil || entry.messages != nil else {
            throw Fault(description: "it has none of input_length, prompt, messages and conversations.")
        }
        guard entry.inputTokens <= TokenDistribution.tokensMax else {
            throw Fault(description: "input_length \(entry.inputTokens) is above \(TokenDistribution.tokensMax).")
        }
        if let seconds = entry.seconds, !(abs(seconds) <= Self.secondsMax) {
            throw Fault(description: "timestamp \(seconds * 1_000) is no time in milliseconds.")
        }
        if entry.outputTokens == 0 { entry.outputTokens = 1 }
        return entry
    }

    private static func take(
        _ name: String,
        _ value: JSONValue,
        _ line: [UInt8],
        _ bytes: RawSpan,
        into entry: inout Entry
    ) {
        let content = value.contentRange
        switch name {
        case "timestamp":
            entry.seconds = Double(String(decoding: line[content], as: UTF8.self)).map { $0 / 1_000 }
        case "input_length": entry.inputTokens = value.nonNegativeInteger(in: bytes) ?? 0
        case "output_length": entry.outputTokens = value.nonNegativeInteger(in: bytes)
        case "model": entry.model = value.string(in: bytes)
        case "prompt" where value.kind == .string: entry.text = Array(line[content])
        case "messages" where value.kind == .array:
            entry.messages = Array(line[value.range.lowerBound + 1..<value.range.upperBound - 1])
        default: break
        }
    }

    private static func hashes(_ scanner: inout JSONScanner, _ bytes: RawSpan) throws -> [UInt32] {
        var hashes: [UInt32] = []
        try scanner.enterArray(in: bytes)
        while try scanner.nextElement(in: bytes) {
            let value = try scanner.skipValue(in: bytes)
            hashes.append(UInt32(truncatingIfNeeded: value.nonNegativeInteger(in: bytes) ?? 0))
        }
        return hashes
    }

    /// What a human said first, as the inside of a JSON string.
    private static func humanText(_ scanner: inout JSONScanner, _ bytes: RawSpan) throws -> [UInt8]? {
        var text: [UInt8]?
        try scanner.enterArray(in: bytes)
        while try scanner.nextElement(in: bytes) {
            try scanner.enterObject(in: bytes)
            var isHuman = false
            var value: JSONValue?
            while let key = try scanner.nextKey(in: bytes) {
                let member = try scanner.skipValue(in: bytes)
                if key.equals("from", in: bytes) { isHuman = member.equals("human", in: bytes) }
                if key.equals("value", in: bytes), member.kind == .string { value = member }
            }
            if isHuman, text == nil, let value {
                text = bytes.extracting(value.contentRange).withUnsafeBytes { Array($0) }
            }
        }
        return text
    }
}
