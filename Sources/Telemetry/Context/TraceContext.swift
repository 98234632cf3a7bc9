/// The position of a request in a distributed trace, as the `traceparent` header carries it (W3C Trace Context).
package struct TraceContext: Sendable, Hashable {
    /// The header's name, in lower case.
    package static let headerName: StaticString = "traceparent"
    /// The name, in lower case, of the header with what the systems on the way add to a trace. It goes with
    /// ``headerName``: without a valid one of that it has no meaning.
    package static let stateHeaderName: StaticString = "tracestate"

    /// The upper and lower half of the 128-bit trace id; not both zero.
    package let traceIDHigh: UInt64
    /// See ``traceIDHigh``.
    package let traceIDLow: UInt64
    /// The id of the span that is the parent of whatever the receiver starts; not zero.
    package let spanID: UInt64
    /// Whether the caller may have recorded the trace.
    package let isSampled: Bool
    /// Whether the right 56 bits of the trace id are random (level 2 of the specification).
    package let isRandom: Bool

    /// The specification's flag bits; the others must be sent as zero.
    private static let sampledFlag: UInt8 = 0x01
    private static let randomFlag: UInt8 = 0x02
    private static let headerLength = 55

    private init(traceIDHigh: UInt64, traceIDLow: UInt64, spanID: UInt64, isSampled: Bool, isRandom: Bool) {
        self.traceIDHigh = traceIDHigh
        self.traceIDLow = traceIDLow
        self.spanID = spanID
        self.isSampled = isSampled
        self.isRandom = isRandom
    }

    /// Starts a new trace.
    package init(isSampled: Bool, using generator: inout some RandomNumberGenerator) {
        self.init(
            traceIDHigh: generator.next(),
            traceIDLow: .random(in: 1...(.max), using: &generator),
            spanID: .random(in: 1...(.max), using: &generator),
            isSampled: isSampled,
            isRandom: true
        )
    }

    /// Reads the value of a `traceparent` header. Anything the specification does not allow gives nil, upon which a new
    /// trace has to be started: upper-case digits, the version `ff`, zero ids, a version 00 that is not 55 characters
    /// long. Of a later version the part that version 00 knows is read, as the specification asks (§3.2.4).
    package init?(_ header: some StringProtocol) {
        var digits = HexadecimalFields(header.utf8)
        guard
            let version = digits.field(digits: 2), version != 0xFF, digits.dash(),
            let high = digits.field(digits: 16), let low = digits.field(digits: 16), high | low != 0, digits.dash(),
            let span = digits.field(digits: 16), span != 0, digits.dash(),
            let flags = digits.field(digits: 2)
        else { return nil }
        guard digits.isAtEnd || (version > 0 && digits.dash()) else { return nil }
        self.init(
            traceIDHigh: high,
            traceIDLow: low,
            spanID: span,
            isSampled: UInt8(flags) & Self.sampledFlag != 0,
            isRandom: UInt8(flags) & Self.randomFlag != 0
        )
    }

    /// The same trace with a new span, to be sent onwards.
    package func child(using generator: inout some RandomNumberGenerator) -> TraceContext {
        TraceContext(
            traceIDHigh: traceIDHigh,
            traceIDLow: traceIDLow,
            spanID: .random(in: 1...(.max), using: &generator),
            isSampled: isSampled,
            isRandom: isRandom
        )
    }

    /// The same span, recorded or not.
    package func sampled(_ isSampled: Bool) -> TraceContext {
        TraceContext(
            traceIDHigh: traceIDHigh, traceIDLow: traceIDLow, spanID: spanID, isSampled: isSampled, isRandom: isRandom
        )
    }

    /// The flags as one number, as the header has them.
    package var flags: UInt8 { (isSampled ? Self.sampledFlag : 0) | (isRandom ? Self.randomFlag : 0) }

    /// The value of the header, always as version 00.
    package var headerValue: String {
        String(unsafeUninitializedCapacity: Self.headerLength) { buffer in
            var writer = HexadecimalWriter(buffer: buffer)
            writer.append(0, digits: 2)
            writer.dash()
            writer.append(traceIDHigh, digits: 16)
            writer.append(traceIDLow, digits: 16)
            writer.dash()
            writer.append(spanID, digits: 16)
            writer.dash()
            writer.append(UInt64(flags), digits: 2)
            return writer.count
        }
    }

    /// The span id as 16 hexadecimal digits.
    package var spanIDText: String { Self.text(ofSpan: spanID) }

    /// A span id as 16 hexadecimal digits.
    package static func text(ofSpan id: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { buffer in
            var writer = HexadecimalWriter(buffer: buffer)
            writer.append(id, digits: 16)
            return writer.count
        }
    }

    /// The trace id as 32 hexadecimal digits, for log lines and exemplars.
    package var traceID: String {
        String(unsafeUninitializedCapacity: 32) { buffer in
            var writer = HexadecimalWriter(buffer: buffer)
            writer.append(traceIDHigh, digits: 16)
            writer.append(traceIDLow, digits: 16)
            return writer.count
        }
    }
}

extension TraceContext {
    /// What the value of a `traceparent` header says, when the trace is sampled; nil for any other, and without one.
    package static func sampled(_ header: String?) -> TraceContext? {
        header.flatMap { TraceContext($0) }.flatMap { $0.isSampled ? $0 : nil }
    }
}

/// Takes fixed-width lower-case hexadecimal numbers and dashes from the front of a text.
private struct HexadecimalFields<Bytes: Sequence<UInt8>> {
    private var iterator: Bytes.Iterator
    private var next: UInt8?

    init(_ bytes: Bytes) {
        iterator = bytes.makeIterator()
        next = iterator.next()
    }

    var isAtEnd: Bool { next == nil }

    mutating func field(digits: Int) -> UInt64? {
        var value: UInt64 = 0
        for _ in 0..<digits {
            switch next {
            case .some(let byte) where (0x30...0x39).contains(byte): value = value << 4 | UInt64(byte - 0x30)
            case .some(let byte) where (0x61...0x66).contains(byte): value = value << 4 | UInt64(byte - 0x61 + 10)
            default: return nil
            }
            next = iterator.next()
        }
        return value
    }

    mutating func dash() -> Bool {
        guard next == UInt8(ascii: "-") else { return false }
        next = iterator.next()
        return true
    }
}

/// Appends fixed-width lower-case hexadecimal numbers and dashes to a buffer that is large enough.
private struct HexadecimalWriter {
    private let buffer: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(buffer: UnsafeMutableBufferPointer<UInt8>) {
        self.buffer = buffer
    }

    mutating func append(_ value: UInt64, digits: Int) {
        for place in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(place * 4)) & 0x0F
            put(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
        }
    }

    mutating func dash() {
        put(UInt8(ascii: "-"))
    }

    private mutating func put(_ byte: UInt8) {
        buffer[count] = byte
        count += 1
    }
}
