import Testing

@testable import Telemetry

@Suite struct TraceContextTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func theExampleOfTheSpecification() throws {
        let context = try #require(TraceContext(Self.example))
        #expect(context.traceIDHigh == 0x4bf9_2f35_77b3_4da6)
        #expect(context.traceIDLow == 0xa3ce_929d_0e0e_4736)
        #expect(context.spanID == 0x00f0_67aa_0ba9_02b7)
        #expect(context.isSampled)
        #expect(!context.isRandom)
        #expect(context.headerValue == Self.example)
        #expect(context.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
    }

    @Test(arguments: [
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
    ])
    func whatTheSpecificationForbids(_ header: String) {
        #expect(TraceContext(header) == nil)
    }

    @Test func aLaterVersionIsReadAsFarAsItIsKnown() throws {
        let later = try #require(TraceContext("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"))
        #expect(later == TraceContext(Self.example))
        #expect(TraceContext("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") == later)
        #expect(later.headerValue == Self.example)
    }

    @Test func unknownFlagsAreNotPassedOn() throws {
        let context = try #require(TraceContext(Self.example.dropLast(2) + "fe"))
        #expect(!context.isSampled)
        #expect(context.headerValue.hasSuffix("-02"))
    }

    @Test func newTracesAndSpansRoundTrip() throws {
        var generator = SplitMix(seed: 1)
        for round in 0..<200 {
            let context = TraceContext(isSampled: round.isMultiple(of: 2), using: &generator)
            let child = context.child(using: &generator)
            #expect(TraceContext(context.headerValue) == context)
            #expect(child.traceID == context.traceID)
            #expect(child.spanID != context.spanID)
            #expect(child.isSampled == context.isSampled)
        }
    }

    @Test func anyChangedByteIsReadOrRefusedWithoutTrapping() {
        var generator = SplitMix(seed: 2)
        for _ in 0..<3_000 {
            var bytes = Array(Self.example.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...2, using: &generator))
            let text = String(decoding: bytes, as: UTF8.self)
            if let context = TraceContext(text) { #expect(TraceContext(context.headerValue) == context) }
        }
    }
}
