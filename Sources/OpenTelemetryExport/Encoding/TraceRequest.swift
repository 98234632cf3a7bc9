package import Telemetry

/// The spans of one export, and who has made them: OTLP's `ExportTraceServiceRequest`.
package struct TraceRequest: Sendable {
    /// What is said of the process.
    package let resource: [SpanAttribute]
    /// The program, as the scope of all spans.
    package let scope: String
    /// The program's version.
    package let version: String
    /// The spans.
    package let spans: [TraceSpan]

    /// Makes a request.
    package init(resource: [SpanAttribute], scope: String, version: String, spans: [TraceSpan]) {
        self.resource = resource
        self.scope = scope
        self.version = version
        self.spans = spans
    }
}

// The numbers are those of opentelemetry/proto/collector/trace/v1/trace_service.proto, trace/v1/trace.proto,
// resource/v1/resource.proto and common/v1/common.proto.
extension TraceRequest {
    /// The request in the binary form of protocol buffers.
    package var protobuf: [UInt8] {
        var writer = ProtobufWriter(capacity: 512 + spans.count * 512)
        writer.message(1) { resourceSpans in
            resourceSpans.message(1) { $0.attributes(1, resource) }
            resourceSpans.message(2) { scopeSpans in
                scopeSpans.message(1) {
                    $0.string(1, scope)
                    $0.string(2, version)
                }
                for span in spans { scopeSpans.message(2) { $0.span(span) } }
            }
        }
        return writer.bytes
    }
}

extension ProtobufWriter {
    fileprivate mutating func span(_ span: TraceSpan) {
        identifier(1, span.context.traceIDHigh, span.context.traceIDLow)
        identifier(2, span.context.spanID)
        if !span.traceState.isEmpty { string(3, span.traceState) }
        if span.parentSpanID != 0 { identifier(4, span.parentSpanID) }
        string(5, span.name)
        varint(6, UInt64(span.kind.rawValue))
        fixed64(7, UInt64(bitPattern: span.startedAt))
        fixed64(8, UInt64(bitPattern: span.endedAt))
        attributes(9, span.attributes)
        for event in span.events {
            message(11) {
                $0.fixed64(1, UInt64(bitPattern: event.at))
                $0.string(2, event.name)
            }
        }
        if case .error(let message) = span.status {
            self.message(15) {
                if !message.isEmpty { $0.string(2, message) }
                $0.varint(3, UInt64(SpanFlags.statusError))
            }
        }
        fixed32(16, SpanFlags.flags(of: span))
    }

    fileprivate mutating func attributes(_ field: UInt64, _ attributes: [SpanAttribute]) {
        for attribute in attributes {
            message(field) {
                $0.string(1, attribute.key)
                $0.message(2) { $0.value(attribute.value) }
            }
        }
    }

    private mutating func value(_ value: SpanAttribute.Value) {
        switch value {
        case .text(let text): string(1, text)
        case .boolean(let boolean): varint(2, boolean ? 1 : 0)
        case .integer(let number): varint(3, UInt64(bitPattern: Int64(number)))
        case .number(let number): double(4, number)
        case .texts(let texts):
            message(5) { list in
                for text in texts { list.message(1) { $0.string(1, text) } }
            }
        case .numbers(let numbers):
            message(5) { list in
                for number in numbers { list.message(1) { $0.double(4, number) } }
            }
        }
    }
}

/// The numbers of a span that both forms write.
enum SpanFlags {
    /// The code of a status that says that something failed.
    static let statusError = 2
    private static let knowsWhetherParentIsRemote: UInt32 = 0x100
    private static let parentIsRemote: UInt32 = 0x200

    /// The flags of the trace, and whether the parent is another process's.
    static func flags(of span: TraceSpan) -> UInt32 {
        let flags = UInt32(span.context.flags) | knowsWhetherParentIsRemote
        return span.hasRemoteParent ? flags | parentIsRemote : flags
    }
}
