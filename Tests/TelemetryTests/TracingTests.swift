import Synchronization
import Testing

@testable import Telemetry

@Suite struct SamplerTests {
    private func context(_ header: String) throws -> TraceContext { try #require(TraceContext(header)) }

    @Test(arguments: [("01", true), ("00", false)])
    func aParentsDecisionIsKept(flags: String, isSampled: Bool) throws {
        let parent = try context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-\(flags)")
        for root in [Sampler.Root.always, .never, .ratio(0), .ratio(1)] {
            let sampler = Sampler(root: root, followsParent: true)
            #expect(sampler.isSampled(parent: parent, traceIDLow: parent.traceIDLow) == isSampled, "\(root)")
        }
        #expect(Sampler(root: .always, followsParent: false).isSampled(parent: parent, traceIDLow: 0))
        #expect(!Sampler(root: .never, followsParent: false).isSampled(parent: parent, traceIDLow: 0))
    }

    /// The bounds are those of OpenTelemetry's SDKs for Go and Python: the lower 64 bits against the share of 2^64.
    @Test func aShareIsDecidedByTheLowerHalfOfTheTraceID() {
        let quarter = Sampler(root: .ratio(0.25), followsParent: true)
        #expect(quarter.isSampled(parent: nil, traceIDLow: 0x3FFF_FFFF_FFFF_FFFF))
        #expect(!quarter.isSampled(parent: nil, traceIDLow: 0x4000_0000_0000_0000))
        #expect(!Sampler(root: .ratio(0), followsParent: true).isSampled(parent: nil, traceIDLow: 1))
        #expect(Sampler(root: .ratio(1), followsParent: true).isSampled(parent: nil, traceIDLow: .max))
    }

    @Test func aShareOfManyIsThatShare() throws {
        var generator = Numbers()
        let tracer = try tracer(Sampler(root: .ratio(0.1), followsParent: true))
        let sampled = (0..<20_000).count { _ in tracer.begin(under: nil, using: &generator).isSampled }
        // Five standard deviations of a binomial distribution.
        #expect(abs(sampled - 2000) < 212)
    }
}

@Suite struct TracerTests {
    @Test func aNewTraceIsRandomAndItsOwn() throws {
        var generator = Numbers()
        let tracer = try tracer(Sampler(root: .always, followsParent: true))
        let first = tracer.begin(under: nil, using: &generator)
        let second = tracer.begin(under: nil, using: &generator)
        #expect(first.isSampled && first.isRandom && first.traceID != second.traceID && first.spanID != second.spanID)
        var again = Numbers()
        #expect(tracer.begin(under: nil, using: &again) == first, "equal sources give equal ids")
    }

    /// The random flag says something of the trace id, so only who made the id may set it.
    @Test(arguments: ["01", "03"])
    func aPartOfATraceKeepsItsIDAndItsRandomFlag(flags: String) throws {
        var generator = Numbers()
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-\(flags)"
        let parent = try #require(TraceContext(header))
        let tracer = try tracer(Sampler(root: .never, followsParent: true))
        let context = tracer.begin(under: parent, using: &generator)
        #expect(context.traceID == parent.traceID && context.spanID != parent.spanID)
        #expect(context.flags == parent.flags)
        #expect(context.headerValue == "00-\(context.traceID)-\(context.spanIDText)-\(flags)")
    }

    @Test func anotherDecisionThanTheParentsIsPassedOn() throws {
        var generator = Numbers()
        let parent = try #require(TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let tracer = try tracer(Sampler(root: .never, followsParent: false))
        #expect(!tracer.begin(under: parent, using: &generator).isSampled)
    }
}

@Suite struct SpanBufferTests {
    private let registry = MetricRegistry()

    private func spans(_ count: Int, name: String = "s") -> [TraceSpan] {
        var generator = Numbers()
        let context = TraceContext(isSampled: true, using: &generator)
        return (0..<count).map { _ in TraceSpan(context: context, name: name, startedAt: 1, endedAt: 2) }
    }

    private func dropped() -> String {
        let page = String(decoding: registry.page(.prometheusText), as: UTF8.self)
        return page.split(separator: "\n").first { $0.contains(#"result="dropped""#) }.map(String.init) ?? ""
    }

    @Test func itNeverGrowsOverItsBound() throws {
        let buffer = SpanBuffer(capacity: 10, batchSize: 4, metrics: try TraceMetrics(registry: registry))
        buffer.append(spans(6))
        buffer.append(spans(5))
        #expect(buffer.count == 6, "spans that belong together go in together or not at all")
        buffer.append(spans(4))
        #expect(buffer.count == 10)
        buffer.append(spans(1))
        #expect(buffer.count == 10 && dropped().hasSuffix(" 6"))
        buffer.dropAll()
        #expect(buffer.count == 0 && dropped().hasSuffix(" 16"))
    }

    @Test func batchesComeInOrder() throws {
        let buffer = SpanBuffer(capacity: 10, batchSize: 2, metrics: try TraceMetrics(registry: registry))
        for name in ["a", "b", "c"] { buffer.append(spans(1, name: name)) }
        #expect(buffer.takeBatch().map(\.name) == ["a", "b"])
        #expect(buffer.takeBatch().map(\.name) == ["c"])
        #expect(buffer.takeBatch().isEmpty)
    }

    @Test func aBatchIsToldOnceWhenItHasComeTogether() throws {
        let buffer = SpanBuffer(capacity: 10, batchSize: 3, metrics: try TraceMetrics(registry: registry))
        let told = Atomic<Int>(0)
        buffer.whenBatchIsReady { told.wrappingAdd(1, ordering: .relaxed) }
        buffer.append(spans(2))
        #expect(told.load(ordering: .relaxed) == 0)
        buffer.append(spans(2))
        buffer.append(spans(2))
        #expect(told.load(ordering: .relaxed) == 1)
        _ = buffer.takeBatch()
        _ = buffer.takeBatch()
        buffer.append(spans(3))
        #expect(told.load(ordering: .relaxed) == 2)
    }

    @Test func aLongTextIsCutBetweenCharacters() throws {
        let attribute = SpanAttribute("k", String(repeating: "ä", count: 600) + "z")
        #expect(attribute.value == .text(String(repeating: "ä", count: 512)))
        #expect(
            SpanAttribute("k", "x" + String(repeating: "ä", count: 600)).value
                == .text("x" + String(repeating: "ä", count: 511)))
        #expect(SpanAttribute("k", "short").value == .text("short"))
        let context = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        let long = String(repeating: "x", count: 1025)
        let span = TraceSpan(
            context: try #require(context), name: long, startedAt: 1, endedAt: 2, status: .error(long))
        #expect(span.name == long.dropLast() && span.status == .error(String(long.dropLast())))
    }
}

/// SplitMix64.
private struct Numbers: RandomNumberGenerator {
    private var state: UInt64 = 7

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private func tracer(_ sampler: Sampler) throws -> Tracer {
    let metrics = try TraceMetrics(registry: MetricRegistry())
    return Tracer(sampler: sampler, buffer: SpanBuffer(metrics: metrics), wallClock: { 0 })
}
