import Logging
import NIOCore
import NIOEmbedded
import Telemetry
import Testing

@testable import OpenTelemetryExport

/// A collector that answers when the test says so.
private final class ScriptedTransport: SpanTransport {
    private let eventLoop: EmbeddedEventLoop
    private var open: [EventLoopPromise<ExportOutcome>] = []
    private(set) var sent: [ByteBuffer] = []
    private(set) var isClosed = false

    init(eventLoop: EmbeddedEventLoop) {
        self.eventLoop = eventLoop
    }

    var encoding: SpanEncoding { .protobuf }

    func send(_ batch: ByteBuffer, timeout: TimeAmount) -> EventLoopFuture<ExportOutcome> {
        let promise = eventLoop.makePromise(of: ExportOutcome.self)
        sent.append(batch)
        open.append(promise)
        return promise.futureResult
    }

    func answer(_ outcome: ExportOutcome) {
        open.removeFirst().succeed(outcome)
    }

    func close() -> EventLoopFuture<Void> {
        isClosed = true
        return eventLoop.makeSucceededVoidFuture()
    }
}

/// The exporter on a loop whose time the test moves.
@Suite struct TraceExporterTests {
    private let eventLoop = EmbeddedEventLoop()
    private let transport: ScriptedTransport
    private let metrics: TraceMetrics
    private let buffer: SpanBuffer
    private let loop: ExportLoop

    init() throws {
        transport = ScriptedTransport(eventLoop: eventLoop)
        metrics = try TraceMetrics(registry: MetricRegistry())
        buffer = SpanBuffer(capacity: 8, batchSize: 4, metrics: metrics)
        loop = ExportLoop(
            buffer: buffer,
            transport: transport,
            configuration: TraceExporter.Configuration(resource: [], scope: "s", version: "v"),
            metrics: metrics,
            eventLoop: eventLoop,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        loop.step()
    }

    private func append(_ count: Int) throws {
        let context = try #require(TraceContext("00-000102030405060708090a0b0c0d0e0f-1011121314151617-01"))
        buffer.append((0..<count).map { TraceSpan(context: context, name: "\($0)", startedAt: 1, endedAt: 2) })
        loop.step()
    }

    private var counts: [UInt64] { [metrics.exported.value, metrics.dropped.value, metrics.failed.value] }

    @Test func spansLeaveInBatches() throws {
        try append(3)
        #expect(transport.sent.isEmpty)
        eventLoop.advanceTime(by: .seconds(5))
        #expect(transport.sent.count == 1)
        try append(8)
        #expect(transport.sent.count == 1, "one batch at a time")
        transport.answer(.accepted)
        #expect(transport.sent.count == 2 && buffer.count == 4)
        transport.answer(.accepted)
        transport.answer(.accepted(rejectedSpans: 1, message: "too old"))
        #expect(counts == [10, 0, 1])
    }

    @Test func theSameBytesAreSentAgain() throws {
        try append(4)
        transport.answer(.retryable("busy", after: .seconds(3)))
        eventLoop.advanceTime(by: .milliseconds(2999))
        #expect(transport.sent.count == 1)
        eventLoop.advanceTime(by: .milliseconds(1))
        #expect(transport.sent.count == 2 && transport.sent[0] == transport.sent[1])
        transport.answer(.refused("never"))
        #expect(counts == [0, 0, 4])
    }

    @Test func aCollectorThatDoesNotAnswerCostsABoundedNumberOfSpans() throws {
        for _ in 0..<100 { try append(4) }
        #expect(transport.sent.count == 1 && buffer.count == 8)
        #expect(counts == [0, 4 * 97, 0])
    }

    @Test func theShutdownSendsWhatWaits() throws {
        try append(2)
        let ended = loop.shutDown(within: .seconds(5))
        #expect(transport.sent.count == 1)
        var isOver = false
        ended.assumeIsolated().whenComplete { _ in isOver = true }
        #expect(!isOver && !transport.isClosed)
        transport.answer(.accepted)
        #expect(isOver && transport.isClosed && counts == [2, 0, 0])
    }

    @Test func theShutdownDoesNotWaitForACollectorThatDoesNotAnswer() throws {
        try append(4)
        try append(3)
        var isOver = false
        loop.shutDown(within: .seconds(5)).assumeIsolated().whenComplete { _ in isOver = true }
        eventLoop.advanceTime(by: .milliseconds(4999))
        #expect(!isOver)
        eventLoop.advanceTime(by: .milliseconds(1))
        #expect(isOver && transport.isClosed && counts == [0, 7, 0])
        transport.answer(.accepted)
        #expect(counts == [0, 7, 0], "an answer behind the end changes nothing")
    }
}
