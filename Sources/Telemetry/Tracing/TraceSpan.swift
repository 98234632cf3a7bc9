/// A piece of work in a distributed trace, which has ended. Times are nanoseconds since 1970 (UTC).
package struct TraceSpan: Sendable, Hashable {
    /// What the span is to its parent. The numbers are OpenTelemetry's.
    package enum Kind: UInt8, Sendable, Hashable {
        /// Work inside of the process.
        case `internal` = 1
        /// The answer to a request of another process.
        case server = 2
        /// A request to another process.
        case client = 3
    }

    /// How the work ended. The numbers are OpenTelemetry's.
    package enum Status: Sendable, Hashable {
        /// Nothing is said; it went well as far as anybody knows.
        case unset
        /// It failed, for this reason in words.
        case error(String)
    }

    /// Something that happened at one moment of the span.
    package struct Event: Sendable, Hashable {
        /// What happened.
        package let name: String
        /// When it happened.
        package let at: Int64

        /// Makes an event.
        package init(name: String, at: Int64) {
            self.name = name
            self.at = at
        }
    }

    /// The trace and the span's own id.
    package let context: TraceContext
    /// The span that this one is a part of; 0 for none.
    package let parentSpanID: UInt64
    /// Whether the parent is another process's.
    package let hasRemoteParent: Bool
    /// The request's `tracestate`; empty for none.
    package let traceState: String
    /// What the work is, with few different values.
    package let name: String
    /// What the span is to its parent.
    package let kind: Kind
    /// When the work began.
    package let startedAt: Int64
    /// When it ended.
    package let endedAt: Int64
    /// What else is known.
    package let attributes: [SpanAttribute]
    /// What happened meanwhile.
    package let events: [Event]
    /// How it ended.
    package let status: Status

    /// Makes a span; see the properties. Its name and the message of its status are cut as texts of attributes are.
    package init(
        context: TraceContext,
        parentSpanID: UInt64 = 0,
        hasRemoteParent: Bool = false,
        traceState: String = "",
        name: String,
        kind: Kind = .internal,
        startedAt: Int64,
        endedAt: Int64,
        attributes: [SpanAttribute] = [],
        events: [Event] = [],
        status: Status = .unset
    ) {
        self.context = context
        self.parentSpanID = parentSpanID
        self.hasRemoteParent = hasRemoteParent
        self.traceState = traceState
        self.name = SpanAttribute.cut(name)
        self.kind = kind
        self.startedAt = startedAt
        self.endedAt = max(startedAt, endedAt)
        self.attributes = attributes
        self.events = events
        if case .error(let message) = status {
            self.status = .error(SpanAttribute.cut(message))
        } else {
            self.status = status
        }
    }
}

/// One named fact about a span.
package struct SpanAttribute: Sendable, Hashable {
    /// The types that facts may have.
    package enum Value: Sendable, Hashable {
        case text(String)
        case integer(Int)
        case number(Double)
        case boolean(Bool)
        case texts([String])
        case numbers([Double])
    }

    /// The longest text that is kept: what a client sends must not fill the memory of those who collect spans.
    package static let textBytesMax = 1024

    /// The name, such as `gen_ai.request.model`.
    package let key: String
    /// The fact.
    package let value: Value

    /// Makes an attribute. A text over ``textBytesMax`` bytes is cut.
    package init(_ key: String, _ value: Value) {
        self.key = key
        if case .text(let text) = value {
            self.value = .text(Self.cut(text))
        } else {
            self.value = value
        }
    }

    /// Makes an attribute with a text.
    package init(_ key: String, _ text: String) { self.init(key, .text(text)) }

    /// Makes an attribute with a whole number.
    package init(_ key: String, _ number: Int) { self.init(key, .integer(number)) }

    /// The longest beginning of `text` that is not over the limit and breaks no character.
    fileprivate static func cut(_ text: String) -> String {
        let utf8 = text.utf8
        guard utf8.count > textBytesMax else { return text }
        var end = utf8.index(utf8.startIndex, offsetBy: textBytesMax)
        while end > utf8.startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(text[..<end])
    }
}
