/// The token counts of a response, as the engine reports them; zero where it reports none.
package struct ResponseUsage: Hashable, Sendable {
    /// Tokens of the prompt. Anthropic's count leaves out those that came from the cache; all others include them.
    package var promptTokens: Int
    /// Tokens that were generated.
    package var completionTokens: Int
    /// Tokens of the prompt whose keys and values came from the prefix cache.
    package var cachedTokens: Int

    /// Makes counts.
    package init(promptTokens: Int = 0, completionTokens: Int = 0, cachedTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
    }

    /// Takes over the counts of a later report that are not zero. Anthropic tells the prompt at the start of a stream
    /// and the completion at its end; OpenAI-shaped engines may repeat growing totals in every event.
    package mutating func merge(_ later: ResponseUsage) {
        if later.promptTokens != 0 { promptTokens = later.promptTokens }
        if later.completionTokens != 0 { completionTokens = later.completionTokens }
        if later.cachedTokens != 0 { cachedTokens = later.cachedTokens }
    }
}

/// Finds the object with the token counts in a response document, or in the last part of one.
enum UsageObject {
    /// The counts of the last object in `bytes` whose key is `key`, a quoted name; `nil` when there is none.
    ///
    /// The search needs no parse from the start, so it works on the tail of a document. In valid JSON, the quoted name
    /// without a backslash in front and with a colon behind can only be a key: within a string its quotes would be
    /// escaped. What it cannot see is the depth at which the key stands.
    static func last(key: StaticString, in bytes: RawSpan, needsFinishReason: Bool) -> ResponseUsage? {
        var usage: ResponseUsage?
        var start = 0
        while let offset = bytes.first(key, from: start) {
            start = offset &+ key.utf8CodeUnitCount
            if offset > 0, bytes.byte(at: offset &- 1) == UInt8(ascii: "\\") { continue }
            if let found = read(bytes, behindKey: start, needsFinishReason: needsFinishReason) { usage = found }
        }
        return usage
    }

    /// The counts of the object behind a key; `nil` when no whole object stands there or, where that is needed, when it
    /// has no finish reason.
    private static func read(_ bytes: RawSpan, behindKey offset: Int, needsFinishReason: Bool) -> ResponseUsage? {
        var offset = offset
        while offset < bytes.byteCount, bytes.byte(at: offset) == UInt8(ascii: " ") { offset &+= 1 }
        guard offset < bytes.byteCount, bytes.byte(at: offset) == UInt8(ascii: ":") else { return nil }
        offset &+= 1
        while offset < bytes.byteCount, bytes.byte(at: offset) == UInt8(ascii: " ") { offset &+= 1 }
        // Checked before the scanner is asked, because events with `"usage":null` are frequent and an error costs more.
        guard offset < bytes.byteCount, bytes.byte(at: offset) == UInt8(ascii: "{") else { return nil }
        var reader = Reader(scanner: JSONScanner(at: offset))
        guard (try? reader.read(bytes)) != nil else { return nil }
        return needsFinishReason && !reader.hasFinishReason ? nil : reader.usage
    }

    /// The members of the object, under the names of all APIs.
    private struct Reader {
        var scanner: JSONScanner
        var usage = ResponseUsage()
        var hasFinishReason = false

        mutating func read(_ bytes: RawSpan) throws(FormatError) {
            try scanner.enterObject(in: bytes)
            while let key = try scanner.nextKey(in: bytes) {
                if key.equals("prompt_tokens_details", in: bytes) || key.equals("input_tokens_details", in: bytes) {
                    try readDetails(bytes)
                    continue
                }
                let value = try scanner.skipValue(in: bytes)
                if key.equals("prompt_tokens", in: bytes) || key.equals("input_tokens", in: bytes) {
                    usage.promptTokens = value.tokenCount(in: bytes)
                } else if key.equals("completion_tokens", in: bytes) || key.equals("output_tokens", in: bytes) {
                    usage.completionTokens = value.tokenCount(in: bytes)
                } else if key.equals("cache_read_input_tokens", in: bytes) || key.equals("cached_tokens", in: bytes) {
                    usage.cachedTokens = value.tokenCount(in: bytes)
                } else if key.equals("finish_reason", in: bytes) {
                    hasFinishReason = value.kind != .null
                }
            }
        }

        private mutating func readDetails(_ bytes: RawSpan) throws(FormatError) {
            guard try scanner.nextKind(in: bytes) == .object else {
                _ = try scanner.skipValue(in: bytes)
                return
            }
            try scanner.enterObject(in: bytes)
            while let key = try scanner.nextKey(in: bytes) {
                let value = try scanner.skipValue(in: bytes)
                if key.equals("cached_tokens", in: bytes) { usage.cachedTokens = value.tokenCount(in: bytes) }
            }
        }
    }
}

extension JSONValue {
    /// The count that this number, or this string with a number in it, tells; zero for anything else.
    fileprivate func tokenCount(in bytes: RawSpan) -> Int {
        if kind == .string {
            return string(in: bytes).flatMap(Int.init).map { max($0, 0) } ?? 0
        }
        return nonNegativeInteger(in: bytes) ?? 0
    }
}
