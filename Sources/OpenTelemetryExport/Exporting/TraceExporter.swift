package import Logging
package import NIOCore
package import Telemetry

/// Sends spans to a collector, one batch after the other, on an event loop of its own choice.
///
/// Nobody waits for it: spans come through a ``SpanBuffer``, which leaves out what does not fit while the collector
/// does not answer. Safe from any thread.
package final class TraceExporter: Sendable {
    /// What an exporter needs to know.
    package struct Configuration: Sendable {
        /// What is said of the process.
        package var resource: [SpanAttribute]
        /// The program's name, as the scope of all spans.
        package var scope: String
        /// The program's version.
        package var version: String
        /// When batches are sent.
        package var times = ExportStateMachine.Times()

        /// Makes a configuration with the usual times.
        package init(resource: [SpanAttribute], scope: String, version: String) {
            self.resource = resource
            self.scope = scope
            self.version = version
        }
    }

    private let loop: NIOLoopBoundBox<ExportLoop>
    private let eventLoop: any EventLoop
    private let buffer: SpanBuffer

    /// Makes an exporter, which begins at once.
    ///
    /// - Parameters:
    ///   - buffer: where the spans come from; no other exporter may have it.
    ///   - transport: the way to the collector.
    ///   - configuration: the rest.
    ///   - metrics: counts what became of spans.
    ///   - eventLoop: where all of it happens.
    ///   - logger: told of faults, at most once a minute.
    package init(
        buffer: SpanBuffer,
        transport: sending any SpanTransport,
        configuration: Configuration,
        metrics: TraceMetrics,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.buffer = buffer
        self.eventLoop = eventLoop
        let loop = ExportLoop(
            buffer: buffer,
            transport: transport,
            configuration: configuration,
            metrics: metrics,
            eventLoop: eventLoop,
            logger: logger
        )
        self.loop = NIOLoopBoundBox.makeBoxSendingValue(loop, eventLoop: eventLoop)
        let bound = self.loop
        buffer.whenBatchIsReady { eventLoop.execute { bound.value.step() } }
        eventLoop.execute { bound.value.step() }
    }

    /// Sends what waits and then closes the connections.
    ///
    /// - Parameter timeout: how long that may take; what is left then is counted as dropped.
    /// - Returns: succeeds when all of it is over; never fails.
    package func shutDown(within timeout: TimeAmount) -> EventLoopFuture<Void> {
        let loop = loop
        return eventLoop.flatSubmit { loop.value.shutDown(within: timeout) }
    }
}

/// What of an exporter belongs to its event loop.
final class ExportLoop {
    private let buffer: SpanBuffer
    private let transport: any SpanTransport
    private let configuration: TraceExporter.Configuration
    private let metrics: TraceMetrics
    private let eventLoop: any EventLoop
    private let logger: Logger
    private var machine: ExportStateMachine
    /// The batch that is on its way, or will be sent again.
    private var batch: (bytes: ByteBuffer, spans: Int)?
    private var timer: Scheduled<Void>?
    private var fault = RepeatedFault()
    private var complaint = RepeatedFault()
    private var finished: EventLoopPromise<Void>?
    private var hasFinished = false

    init(
        buffer: SpanBuffer,
        transport: any SpanTransport,
        configuration: TraceExporter.Configuration,
        metrics: TraceMetrics,
        eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.buffer = buffer
        self.transport = transport
        self.configuration = configuration
        self.metrics = metrics
        self.eventLoop = eventLoop
        self.logger = logger
        machine = ExportStateMachine(
            times: configuration.times, batchSize: buffer.batchSize, now: eventLoop.now)
    }

    /// Does what is to be done now.
    func step() {
        guard !hasFinished else { return }
        timer?.cancel()
        timer = nil
        switch machine.next(queued: buffer.count, now: eventLoop.now) {
        case .send(let timeout):
            let spans = buffer.takeBatch()
            batch = (encode(spans), spans.count)
            send(timeout)
        case .resend(let timeout):
            send(timeout)
        case .wait(let until):
            timer = eventLoop.assumeIsolated().scheduleTask(deadline: until) { [weak self] in self?.step() }
        case .idle:
            break
        case .finish:
            finish()
        }
    }

    private func encode(_ spans: [TraceSpan]) -> ByteBuffer {
        let request = TraceRequest(
            resource: configuration.resource,
            scope: configuration.scope,
            version: configuration.version,
            spans: spans
        )
        switch transport.encoding {
        case .protobuf: return ByteBuffer(bytes: request.protobuf)
        case .json: return ByteBuffer(bytes: request.json)
        }
    }

    private func send(_ timeout: TimeAmount) {
        guard let batch else { return }
        transport.send(batch.bytes, timeout: timeout).assumeIsolated().whenSuccess { self.ended($0) }
        // The try may outlast the shutdown, which has its own end.
        if finished != nil { step() }
    }

    private func ended(_ outcome: ExportOutcome) {
        guard !hasFinished, let sent = batch else { return }
        let now = eventLoop.now
        let verdict = machine.ended(outcome, now: now, jitter: .random(in: 0..<1))
        if verdict != .keep { batch = nil }
        switch verdict {
        case .done: break
        case .keep: break
        case .drop: metrics.failed.increment(by: UInt64(sent.spans))
        }
        tell(outcome, verdict, spans: sent.spans, now)
        step()
    }

    private func tell(_ outcome: ExportOutcome, _ verdict: ExportStateMachine.Verdict, spans: Int, _ now: NIODeadline) {
        switch outcome {
        case .accepted(let rejected, let message):
            let failed = min(max(rejected, 0), spans)
            metrics.exported.increment(by: UInt64(spans - failed))
            metrics.failed.increment(by: UInt64(failed))
            if fault.ended() { logger.info("the collector of traces takes spans again") }
            guard failed > 0 || !message.isEmpty, let untold = complaint.came(at: now) else { return }
            let times = Self.more(untold)
            logger.warning("the collector of traces did not take \(failed) of \(spans) spans: \(message)\(times)")
        case .retryable(let why, _), .refused(let why):
            guard let untold = fault.came(at: now) else { return }
            let consequence = verdict == .drop ? "\(spans) spans are lost" : "they will be sent again"
            let times = Self.more(untold)
            logger.warning("spans could not be sent to the collector of traces, \(consequence): \(why)\(times)")
        }
    }

    private static func more(_ untold: Int) -> String {
        untold == 0 ? "" : "; \(untold) more times since the last line"
    }

    /// See ``TraceExporter/shutDown(within:)``.
    func shutDown(within timeout: TimeAmount) -> EventLoopFuture<Void> {
        if let finished { return finished.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        finished = promise
        machine.shutDown(by: eventLoop.now + timeout)
        step()
        return promise.futureResult
    }

    private func finish() {
        hasFinished = true
        if let batch { metrics.dropped.increment(by: UInt64(batch.spans)) }
        batch = nil
        buffer.dropAll()
        transport.close().assumeIsolated().whenComplete { _ in self.finished?.succeed() }
    }
}
