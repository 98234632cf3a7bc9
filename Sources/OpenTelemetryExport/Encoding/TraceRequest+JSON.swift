import Telemetry

extension TraceRequest {
    /// The request in OTLP's JSON form, in one line without its end: also the form of OTLP's files.
    package var json: [UInt8] {
        var writer = LineWriter(capacity: 512 + spans.count * 1024)
        writer.raw(#"{"resourceSpans":[{"resource":{"#)
        writer.attributes(resource)
        writer.raw(#"},"scopeSpans":[{"scope":{"name":"#)
        writer.text(scope)
        writer.raw(#","version":"#)
        writer.text(version)
        writer.raw(#"},"spans":["#)
        for (index, span) in spans.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.span(span)
        }
        writer.raw("]}]}]}")
        return writer.bytes
    }
}

/// Writes JSON. Numbers of 64 bits are texts, as the JSON form of protocol buffers wants it.
private struct LineWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    mutating func raw(_ text: String) { bytes += text.utf8 }

    mutating func text(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                raw("\\u00")
                bytes += [digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func span(_ span: TraceSpan) {
        raw(#"{"traceId":"\#(span.context.traceID)","spanId":"\#(span.context.spanIDText)""#)
        if !span.traceState.isEmpty {
            raw(#","traceState":"#)
            text(span.traceState)
        }
        if span.parentSpanID != 0 { raw(#","parentSpanId":"\#(TraceContext.text(ofSpan: span.parentSpanID))""#) }
        raw(#","name":"#)
        text(span.name)
        raw(#","kind":\#(span.kind.rawValue),"startTimeUnixNano":"\#(span.startedAt)""#)
        raw(#","endTimeUnixNano":"\#(span.endedAt)","#)
        attributes(span.attributes)
        if !span.events.isEmpty {
            raw(#","events":["#)
            for (index, event) in span.events.enumerated() {
                raw((index > 0 ? "," : "") + #"{"timeUnixNano":"\#(event.at)","name":"#)
                text(event.name)
                raw("}")
            }
            raw("]")
        }
        if case .error(let message) = span.status {
            raw(#","status":{"message":"#)
            text(message)
            raw(#","code":\#(SpanFlags.statusError)}"#)
        }
        raw(#","flags":\#(SpanFlags.flags(of: span))}"#)
    }

    mutating func attributes(_ attributes: [SpanAttribute]) {
        raw(#""attributes":["#)
        for (index, attribute) in attributes.enumerated() {
            raw(index > 0 ? #",{"key":"# : #"{"key":"#)
            text(attribute.key)
            raw(#","value":"#)
            value(attribute.value)
            raw("}")
        }
        raw("]")
    }

    private mutating func value(_ value: SpanAttribute.Value) {
        switch value {
        case .text(let text):
            raw(#"{"stringValue":"#)
            self.text(text)
            raw("}")
        case .boolean(let boolean): raw(#"{"boolValue":\#(boolean)}"#)
        case .integer(let number): raw(#"{"intValue":"\#(number)"}"#)
        case .number(let number): raw(#"{"doubleValue":\#(Self.literal(number))}"#)
        case .texts(let texts): list(texts.map(SpanAttribute.Value.text))
        case .numbers(let numbers): list(numbers.map(SpanAttribute.Value.number))
        }
    }

    private mutating func list(_ values: [SpanAttribute.Value]) {
        raw(#"{"arrayValue":{"values":["#)
        for (index, value) in values.enumerated() {
            if index > 0 { raw(",") }
            self.value(value)
        }
        raw("]}}")
    }

    private static func literal(_ number: Double) -> String {
        if number.isFinite { return "\(number)" }
        return number.isNaN ? #""NaN""# : (number > 0 ? #""Infinity""# : #""-Infinity""#)
    }
}
