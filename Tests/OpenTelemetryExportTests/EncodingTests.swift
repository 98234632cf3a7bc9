import NIOCore
import Telemetry
import Testing

@testable import OpenTelemetryExport

@Suite struct EncodingTests {
    private let context = TraceContext("00-000102030405060708090a0b0c0d0e0f-1011121314151617-01")

    private func request() throws -> TraceRequest {
        let span = TraceSpan(
            context: try #require(context),
            parentSpanID: 0x2021_2223_2425_2627,
            hasRemoteParent: true,
            traceState: "a=1",
            name: "n",
            kind: .server,
            startedAt: 1,
            endedAt: 258,
            attributes: [SpanAttribute("i", -1), SpanAttribute("l", .numbers([1]))],
            events: [TraceSpan.Event(name: "e", at: 2)],
            status: .error("m\"\n")
        )
        return TraceRequest(resource: [SpanAttribute("service.name", "s")], scope: "x", version: "v", spans: [span])
    }

    /// By hand from the numbers of OTLP's messages. That whole exports are understood is checked with OpenTelemetry's
    /// own package, in the end-to-end tests.
    @Test func theBinaryForm() throws {
        func message(_ field: UInt8, _ content: [UInt8]) -> [UInt8] {
            [field << 3 | 2, UInt8(content.count)] + content
        }
        func text(_ field: UInt8, _ text: String) -> [UInt8] { message(field, Array(text.utf8)) }
        func fixed(_ field: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            [field << 3 | 1] + bytes + [UInt8](repeating: 0, count: 8 - bytes.count)
        }
        var span = message(1, Array(0...15)) + message(2, Array(16...23)) + text(3, "a=1")
        span += message(4, Array(0x20...0x27)) + text(5, "n") + [6 << 3, 2] + fixed(7, [1]) + fixed(8, [2, 1])
        let minusOne: [UInt8] = [3 << 3] + [UInt8](repeating: 0xFF, count: 9) + [1]
        span += message(9, text(1, "i") + message(2, minusOne))
        let one: [UInt8] = [4 << 3 | 1, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        span += message(9, text(1, "l") + message(2, message(5, message(1, one))))
        span += message(11, fixed(1, [2]) + text(2, "e"))
        span += message(15, text(2, "m\"\n") + [3 << 3, 2])
        // The field number 16 takes two bytes with its type; sampled, and the parent is known to be remote.
        span += [0x85, 0x01, 0x01, 0x03, 0, 0]
        let resource = message(1, message(1, text(1, "service.name") + message(2, text(1, "s"))))
        #expect(span.count > 127, "lengths of two bytes are covered")
        let spanMessage: [UInt8] = [2 << 3 | 2, UInt8(span.count & 0x7F | 0x80), UInt8(span.count >> 7)] + span
        let scoped = message(1, text(1, "x") + text(2, "v")) + spanMessage
        let scopeSpans: [UInt8] = [2 << 3 | 2, UInt8(scoped.count & 0x7F | 0x80), UInt8(scoped.count >> 7)] + scoped
        let whole = resource + scopeSpans
        let expected = [1 << 3 | 2, UInt8(whole.count & 0x7F | 0x80), UInt8(whole.count >> 7)] + whole
        #expect(try request().protobuf == expected)
    }

    @Test func theFormForPeople() throws {
        let json = String(decoding: try request().json, as: UTF8.self)
        #expect(
            json
                == #"{"resourceSpans":[{"resource":{"attributes":["#
                + #"{"key":"service.name","value":{"stringValue":"s"}}]},"#
                + #""scopeSpans":[{"scope":{"name":"x","version":"v"},"spans":[{"#
                + #""traceId":"000102030405060708090a0b0c0d0e0f","spanId":"1011121314151617","traceState":"a=1","#
                + #""parentSpanId":"2021222324252627","name":"n","kind":2,"startTimeUnixNano":"1","#
                + #""endTimeUnixNano":"258","attributes":[{"key":"i","value":{"intValue":"-1"}},"#
                + #"{"key":"l","value":{"arrayValue":{"values":[{"doubleValue":1.0}]}}}],"#
                + #""events":[{"timeUnixNano":"2","name":"e"}],"status":{"message":"m\"\u000a","code":2},"#
                + #""flags":769}]}]}]}"#
        )
    }

    @Test func numbersThatJSONDoesNotHaveAreTexts() throws {
        let context = try #require(context)
        let span = TraceSpan(
            context: context, name: "n", startedAt: 1, endedAt: 1,
            attributes: [SpanAttribute("n", .numbers([.nan, .infinity, -.infinity]))]
        )
        let json = TraceRequest(resource: [], scope: "", version: "", spans: [span]).json
        #expect(
            String(decoding: json, as: UTF8.self)
                .contains(#"[{"doubleValue":"NaN"},{"doubleValue":"Infinity"},{"doubleValue":"-Infinity"}]"#))
    }

    @Test func aPartialSuccessIsRead() {
        #expect(PartialSuccess(protobuf: []) == PartialSuccess())
        let partial = PartialSuccess(protobuf: [0x0A, 0x05, 0x08, 0x03, 0x12, 0x01, 0x77] as [UInt8])
        #expect(partial.rejectedSpans == 3 && partial.message == "w")
    }

    /// Bytes of strangers end the reading; they never end the program.
    @Test(arguments: [
        [0x0A], [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], [0x0A, 0x05, 0x08], [0x0F, 1],
        [0x80], [UInt8](repeating: 0xFF, count: 30), [0x0A, 0x02, 0x12, 0x7F],
    ])
    func whatCannotBeReadSaysNothing(bytes: [UInt8]) {
        #expect(PartialSuccess(protobuf: bytes) == PartialSuccess())
        #expect(RetryInfo.delay(inStatus: bytes) == nil)
    }

    @Test func theDelayOfAStatusIsRead() {
        let duration: [UInt8] = [0x08, 0x02, 0x10, 0x80, 0xCA, 0xB5, 0xEE, 0x01]  // 2 s and 500,000,000 ns
        let info: [UInt8] = [0x0A, UInt8(duration.count)] + duration
        let type = Array("type.googleapis.com/google.rpc.RetryInfo".utf8)
        let any: [UInt8] = [0x0A, UInt8(type.count)] + type + [0x12, UInt8(info.count)] + info
        let other: [UInt8] = [0x1A, 0x03, 0x0A, 0x01, 0x2F]
        let status: [UInt8] = [0x08, 0x08, 0x12, 0x01, 0x6D] + other + [0x1A, UInt8(any.count)] + any
        #expect(RetryInfo.delay(inStatus: status) == .milliseconds(2500))
        #expect(RetryInfo.delay(inStatus: [0x08, 0x08] as [UInt8]) == nil)
    }
}
