package import NIOCore

/// Writes each batch as one line of OTLP's JSON, for people and for files.
package final class ConsoleTransport: SpanTransport {
    private let eventLoop: any EventLoop
    private let write: @Sendable (String) -> Void

    /// Makes one that hands each line, with its end, to `write`.
    package init(eventLoop: any EventLoop, write: @escaping @Sendable (String) -> Void) {
        self.eventLoop = eventLoop
        self.write = write
    }

    /// OTLP's JSON.
    package var encoding: SpanEncoding { .json }

    /// Writes the line; it always goes well.
    package func send(_ batch: ByteBuffer, timeout: TimeAmount) -> EventLoopFuture<ExportOutcome> {
        write(String(buffer: batch) + "\n")
        return eventLoop.makeSucceededFuture(.accepted)
    }

    /// Does nothing.
    package func close() -> EventLoopFuture<Void> { eventLoop.makeSucceededVoidFuture() }
}
