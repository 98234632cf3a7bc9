import HTTP1Messages
import NIOCore
import RequestFormats

/// Reads the body of an answer as it comes and notes when its text came.
struct AnswerReader {
    /// The most bytes that are kept of an answer that is no stream, and of what a user hears before the next turn.
    private static let keptBytesMax = 4 << 20
    /// The most tokens that an answer is believed to tell of: what is counted with them stays within a number.
    private static let tokensMax = 1_000_000_000
    /// The most gaps that are kept of one answer.
    private static let gapsMax = 1 << 20

    private let isEventStream: Bool
    private let keepsContent: Bool
    private var events = ServerSentEvents()
    private var usage: UsageReader
    /// The answer that is no stream, as far as its text is wanted.
    private var body: [UInt8] = []
    /// The text of the answer, as the inside of JSON strings; empty when it is not wanted.
    private(set) var content: [UInt8] = []
    /// Whether an event told of an error.
    private(set) var hasError = false

    init(api: Workload.API, isEventStream: Bool, keepsContent: Bool) {
        self.isEventStream = isEventStream
        self.keepsContent = keepsContent
        usage = UsageReader(api: api == .chat ? .chatCompletions : .completions, isEventStream: isEventStream)
    }

    /// Reads a piece that came at the instant `now` and notes it in `record`.
    mutating func consume(_ piece: ByteBuffer, at now: Int64, into record: inout RequestRecord) {
        piece.withUnsafeReadableBytes { raw in
            let bytes = RawSpan(_unsafeBytes: raw)
            usage.consume(bytes)
            guard isEventStream else {
                if keepsContent, body.count + raw.count <= Self.keptBytesMax { body.append(contentsOf: raw) }
                return
            }
            // Taken out for the time of the call, so that an event can be noted while the reader is changed.
            var events = events
            events.consume(bytes) { event in
                event.withUnsafeBytes { note($0, at: now, &record) }
            }
            self.events = events
        }
    }

    /// The answer is whole.
    mutating func finish(into record: inout RequestRecord) {
        usage.finish()
        if let counts = usage.usage {
            record.usage = TokenUsage(
                prompt: min(counts.promptTokens, Self.tokensMax),
                output: min(counts.completionTokens, Self.tokensMax),
                cached: min(counts.cachedTokens, Self.tokensMax)
            )
        }
        if isEventStream { return }
        body.withUnsafeBytes { bytes in
            if let range = Self.content(in: bytes) { content = Array(bytes[range]) }
        }
    }

    private mutating func note(_ event: UnsafeRawBufferPointer, at now: Int64, _ record: inout RequestRecord) {
        if event.starts(with: #"{"error""#.utf8) { hasError = true }
        guard let range = Self.content(in: event) else { return }
        record.textEvents += 1
        if record.firstToken == nil {
            record.firstToken = now
        } else if record.gaps.count < Self.gapsMax {
            record.gaps.append(now - record.lastToken)
        }
        record.lastToken = now
        if keepsContent, content.count + range.count <= Self.keptBytesMax { content.append(contentsOf: event[range]) }
    }

    /// The names under which engines send text: of chats and of their reasoning, of completions, of tool calls.
    private static let keys: [StaticString] = [
        "\"content\"", "\"text\"", "\"reasoning_content\"", "\"reasoning\"", "\"arguments\"",
    ]

    /// Where the first text that is not empty stands in an event or an answer, without its quotes.
    ///
    /// A quoted name with a colon behind it can only be a key: within a string its quotes would have backslashes.
    static func content(in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        for key in keys {
            var start = 0
            while let found = RawSpan(_unsafeBytes: bytes).first(key, from: start) {
                start = found + key.utf8CodeUnitCount
                if let text = bytes.string(behindKey: start), !text.isEmpty { return text }
            }
        }
        return nil
    }
}

extension UnsafeRawBufferPointer {
    /// The inside of the string that stands behind a key; `nil` when another value does.
    fileprivate func string(behindKey offset: Int) -> Range<Int>? {
        var position = offset
        func skipSpace() { while position < count, self[position] == ASCII.space { position += 1 } }
        skipSpace()
        guard position < count, self[position] == ASCII.colon else { return nil }
        position += 1
        skipSpace()
        guard position < count, self[position] == UInt8(ascii: "\"") else { return nil }
        let start = position + 1
        position = start
        while position < count {
            switch self[position] {
            case UInt8(ascii: "\\"): position += 2
            case UInt8(ascii: "\""): return start..<position
            default: position += 1
            }
        }
        return nil
    }
}
