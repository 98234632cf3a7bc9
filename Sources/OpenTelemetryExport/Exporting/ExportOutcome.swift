package import NIOCore

/// What became of one try to hand a batch to a collector.
package enum ExportOutcome: Sendable, Hashable {
    /// The collector took the batch, but for some spans; what it has to say of it, or nothing.
    case accepted(rejectedSpans: Int, message: String)
    /// It may take the batch later, not before this time has passed; why, in words.
    case retryable(String, after: TimeAmount?)
    /// It will not take the batch; why, in words.
    case refused(String)

    /// The collector took everything.
    package static let accepted = ExportOutcome.accepted(rejectedSpans: 0, message: "")
}

/// The way to a collector. Used on one event loop.
package protocol SpanTransport: AnyObject {
    /// How batches are written.
    var encoding: SpanEncoding { get }
    /// Hands over a batch. The future never fails.
    ///
    /// - Parameters:
    ///   - batch: the batch, written in ``encoding``.
    ///   - timeout: when the try is given up.
    func send(_ batch: ByteBuffer, timeout: TimeAmount) -> EventLoopFuture<ExportOutcome>
    /// Closes its connections. The future never fails.
    func close() -> EventLoopFuture<Void>
}

/// The forms in which batches are written.
package enum SpanEncoding: Sendable, Hashable {
    /// Protocol buffers.
    case protobuf
    /// OTLP's JSON.
    case json
}
