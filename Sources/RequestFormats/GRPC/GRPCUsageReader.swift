/// Reads the token counts out of the messages of a gRPC response while its chunks pass by.
///
/// A state machine over bytes: messages may be of any length and may be split anywhere, and what is not a count is
/// passed over without being kept. A message that is compressed or no protobuf is left out; a body that has no frames
/// is not read further.
struct GRPCUsageReader: Sendable {
    /// What the messages are.
    enum Message: Sendable {
        /// GenerateResponse of vLLM: 1 chunk (2, 3, 4 prompt, completion and cached tokens) or 2 complete (3, 4, 5).
        case generate
        /// EmbedResponse of vLLM: 2 prompt tokens.
        case embed
        /// HttpBody of Google's APIs: 2 data, a piece of JSON or of an event stream.
        case httpBody
    }

    /// The counts so far; `nil` when none have come. Those within an HTTP body are known at its end.
    private(set) var usage: ResponseUsage?

    private enum Step {
        /// Within the frame in front of a message: so many bytes of it have come.
        case frame(Int)
        case tag
        case number(field: UInt32)
        case length(field: UInt32)
        /// Content that is not looked into; it may be kept.
        case content(left: Int, isKept: Bool)
        /// The rest of the body has no frames.
        case lost
    }

    private let message: Message
    private var step = Step.frame(0)
    private var varint: UInt64 = 0
    private var varintLength = 0
    /// The place in the message, its length, and the end of the message within it that is being read.
    private var position = 0
    private var length = 0
    private var innerEnd: Int?
    /// The field that holds that message.
    private var innerField: UInt32 = 0
    /// The counts of the present message, which hold when it is whole.
    private var counts = ResponseUsage()
    private var isCompressed = false
    private var tail = ByteTail(capacity: ServerSentEvents.heldBytesMax)

    init(_ message: Message) {
        self.message = message
    }

    /// Reads the next bytes of the body.
    mutating func consume(_ chunk: RawSpan) {
        var offset = 0
        while offset < chunk.byteCount {
            switch step {
            case .lost:
                return
            case .content(let left, let isKept):
                let count = min(left, chunk.byteCount &- offset)
                if isKept { tail.append(chunk.extracting(offset..<offset &+ count)) }
                offset &+= count
                position &+= count
                step = .content(left: left &- count, isKept: isKept)
                if count == left { fieldEnded() }
            case .frame(let count):
                takeFrame(chunk.byte(at: offset), count)
                offset &+= 1
            case .tag, .number, .length:
                takeVarint(chunk.byte(at: offset))
                offset &+= 1
            }
        }
    }

    /// Ends the body.
    mutating func finish() {
        guard message == .httpBody else { return }
        let found = tail.withBytes { UsageObject.last(key: "\"usage\"", in: $0, needsFinishReason: false) }
        if let found { merge(found) }
    }

    private mutating func merge(_ found: ResponseUsage) {
        var merged = usage ?? ResponseUsage()
        merged.merge(found)
        usage = merged
    }

    // MARK: - Frames

    private mutating func takeFrame(_ byte: UInt8, _ count: Int) {
        if count == 0 {
            guard byte <= 1 else {
                step = .lost
                return
            }
            isCompressed = byte == 1
            length = 0
        } else {
            length = length &<< 8 | Int(byte)
        }
        step = .frame(count &+ 1)
        if count &+ 1 == GRPCFrame.prefixLength { beginMessage() }
    }

    private mutating func beginMessage() {
        position = 0
        innerEnd = nil
        counts = ResponseUsage()
        (varint, varintLength) = (0, 0)
        if isCompressed, length > 0 {
            step = .content(left: length, isKept: false)
        } else {
            fieldEnded()
        }
    }

    /// Leaves messages whose end is here, and awaits what comes next.
    private mutating func fieldEnded() {
        if position == innerEnd { innerEnd = nil }
        guard position == length else {
            step = .tag
            return
        }
        if counts.promptTokens > 0 || counts.completionTokens > 0 { merge(counts) }
        step = .frame(0)
    }

    /// Passes over the rest of a message that cannot be read.
    private mutating func giveUpMessage() {
        counts = ResponseUsage()
        innerEnd = nil
        step = position < length ? .content(left: length &- position, isKept: false) : .frame(0)
    }

    // MARK: - Fields

    private mutating func takeVarint(_ byte: UInt8) {
        position &+= 1
        varint |= UInt64(byte & 0x7F) &<< UInt64(7 &* varintLength)
        varintLength &+= 1
        guard byte < 0x80 else {
            if varintLength == 10 || position == innerEnd ?? length { giveUpMessage() }
            return
        }
        let value = varint
        (varint, varintLength) = (0, 0)
        switch step {
        case .tag: begin(field: value >> 3, type: value & 7)
        case .number(let field):
            note(field, Int(UInt32(truncatingIfNeeded: value)))
            fieldEnded()
        case .length(let field): enter(field, Int(clamping: value))
        case .frame, .content, .lost: break
        }
    }

    private mutating func begin(field: UInt64, type: UInt64) {
        guard let field = UInt32(exactly: field), field > 0, position < innerEnd ?? length else {
            return giveUpMessage()
        }
        switch type {
        case 0: step = .number(field: field)
        case 1: pass(8)
        case 2: step = .length(field: field)
        case 5: pass(4)
        default: giveUpMessage()
        }
    }

    private mutating func pass(_ count: Int, isKept: Bool = false) {
        guard count <= (innerEnd ?? length) &- position else { return giveUpMessage() }
        step = .content(left: count, isKept: isKept)
        if count == 0 { fieldEnded() }
    }

    /// A field with a length begins: a message to read, bytes to keep, or something to pass over.
    private mutating func enter(_ field: UInt32, _ count: Int) {
        let isOutermost = innerEnd == nil
        guard message == .generate, isOutermost, field <= 2, count <= length &- position else {
            return pass(count, isKept: message == .httpBody && isOutermost && field == 2)
        }
        innerField = field
        innerEnd = position &+ count
        // The last member of a oneof is the one that holds.
        counts = ResponseUsage()
        fieldEnded()
    }

    private mutating func note(_ field: UInt32, _ value: Int) {
        let first: UInt32
        switch message {
        case .generate where innerEnd != nil: first = innerField &+ 1
        case .embed where innerEnd == nil && field == 2: first = 2
        default: return
        }
        switch field &- first {
        case 0: counts.promptTokens = value
        case 1: counts.completionTokens = value
        case 2: counts.cachedTokens = value
        default: break
        }
    }
}
