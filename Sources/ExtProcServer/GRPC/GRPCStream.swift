import ExtProcProto
package import NIOCore
import Telemetry

/// What a stream asks of the connection that carries it.
///
/// This is the boundary behind which the HTTP/2 engine can be another one: it knows streams by number, and bytes.
protocol GRPCConnection: AnyObject {
    /// Begins the response of a stream.
    func writeHeaders(_ stream: Int)
    /// Writes bytes of a stream. They are sent at the next flush, or when the client's windows let them.
    func writeData(_ bytes: ByteBuffer, _ stream: Int, written: EventLoopPromise<Void>?)
    /// Ends a stream with a status; `isBegun` tells whether the response has begun. Unless the client has ended its
    /// side as well, the stream is reset behind it, so that the client stops sending.
    func writeEnd(_ status: GRPCStatus, _ stream: Int, isBegun: Bool, isClientDone: Bool)
    /// Lets the client send so many bytes more on a stream.
    func allow(bytes: Int, _ stream: Int)
    /// Sends out what was written, now or behind the bytes that are being read.
    func flush()
    /// The connection's event loop.
    var eventLoop: any EventLoop { get }
}

/// One gRPC call on its connection: makes messages of bytes and bytes of messages. Confined to an event loop.
package final class GRPCStream {
    /// What a stream may hold of bytes that its client does not take, before the client may send no more on it.
    private static let unsentBytesMax = 1 << 20
    /// A message's bytes up to this many are copied behind its head instead of being sent on their own.
    private static let copiedBytesMax = 4096

    /// What is counted of a stream while it is open.
    private struct Measurement {
        let metrics: StreamMetrics
        let startedAt = NIODeadline.now()
        /// What the client reset has the code of its library.
        var code = "Canceled"
    }

    private let number: Int
    private unowned let connection: any GRPCConnection
    private let sentBytesMax: Int
    private let windowBytes: Int
    private var call: (any GRPCCall)?
    private var measurement: Measurement?
    private var reader: GRPCMessageReader
    /// A message of which not all bytes have come.
    private var partial: ByteBuffer?
    /// Messages that were written and not handed to the connection yet.
    private var output: ByteBuffer?
    private var isBegun = false
    private var isEnded = false
    private var isClientDone = false
    private var consumedBytes = 0
    private var unsentBytes = 0
    private var untrackedBytes = 0

    /// The call's place in a trace, as its client wrote it; `nil` where the configuration does not ask for it.
    package var traceParent: String?

    init(_ number: Int, connection: any GRPCConnection, configuration: GRPCServerConfiguration) {
        self.number = number
        self.connection = connection
        windowBytes = configuration.streamWindowBytes
        sentBytesMax = configuration.maxSendMessageBytes ?? .max
        reader = GRPCMessageReader(limit: configuration.maxReceiveMessageBytes)
    }

    /// The connection's event loop.
    package var eventLoop: any EventLoop { connection.eventLoop }

    // MARK: What the connection tells

    /// Gives the stream its call.
    func start(_ call: any GRPCCall) {
        self.call = call
    }

    /// Bytes of the client.
    func received(_ bytes: ByteBuffer) {
        consumed(bytes.readableBytes)
        guard !isEnded else { return }
        do throws(GRPCFramingError) {
            try read(bytes)
        } catch {
            let code: GRPCStatus.Code = if case .messageTooLong = error { .resourceExhausted } else { .internal }
            end(GRPCStatus(code, "\(error)"))
        }
    }

    /// The client sends nothing more.
    func receivedEnd() {
        isClientDone = true
        guard !isEnded else { return }
        do throws(GRPCFramingError) {
            try reader.finish()
            call?.receivedEnd()
        } catch {
            end(GRPCStatus(.internal, "\(error)"))
        }
    }

    /// The stream is over.
    func closed() {
        isEnded = true
        output = nil
        partial = nil
        call.take()?.closed()
        if let measurement = measurement.take() {
            measurement.metrics.inFlight.decrement()
            measurement.metrics.duration.observe(
                Double((NIODeadline.now() - measurement.startedAt).nanoseconds) / 1e9)
            measurement.metrics.total.child(measurement.code).increment()
        }
    }

    /// Counts the stream, from now to its end.
    func measure(_ metrics: StreamMetrics) {
        metrics.inFlight.increment()
        measurement = Measurement(metrics: metrics)
    }

    /// The server's drain is over.
    func abort() {
        guard !isEnded else { return }
        call?.abort()
        end(GRPCStatus(.unavailable, "the server is shutting down"))
    }

    /// Hands what was written to the connection. Called once behind each batch of bytes that was read.
    func handOver() {
        guard let bytes = output.take() else { return }
        writeData(bytes)
    }

    private func read(_ bytes: ByteBuffer) throws(GRPCFramingError) {
        var offset = 0
        while !isEnded {
            let part = try bytes.withUnsafeReadableBytes { (view) throws(GRPCFramingError) in
                try reader.next(in: RawSpan(_unsafeBytes: view), from: &offset)
            }
            guard let part else { return }
            if part.isCompressed {
                return end(
                    GRPCStatus(.unimplemented, "messages must not be compressed: the server takes identity only"))
            }
            guard let slice = bytes.getSlice(at: bytes.readerIndex + part.range.lowerBound, length: part.range.count)
            else { preconditionFailure("a part of a message lies within the bytes that it was found in") }
            if part.isFirst, part.isLast {
                call?.received(slice)
            } else {
                gather(slice, part)
            }
        }
    }

    private func gather(_ slice: ByteBuffer, _ part: GRPCMessagePart) {
        // The announced length is the client's word: room is made for it as it is kept.
        let room = min(part.messageLength, max(4 << 10, 32 * slice.readableBytes))
        var message = partial.take() ?? ByteBufferAllocator().buffer(capacity: room)
        message.writeImmutableBuffer(slice)
        if part.isLast {
            call?.received(message)
        } else {
            partial = message
        }
    }

    // MARK: What the call does

    /// Whether nothing more can be sent.
    package var hasEnded: Bool { isEnded }

    /// Sends a message.
    ///
    /// - Parameters:
    ///   - byteCount: the bytes that `write` appends, gRPC's prefix among them.
    ///   - body: bytes that stand behind them; not copied when they are many.
    ///   - write: appends the head.
    package func send(byteCount: Int, body: ByteBuffer?, _ write: (inout OutputRawSpan) -> Void) {
        guard !isEnded else { return }
        let length = byteCount + (body?.readableBytes ?? 0) - GRPCPrefix.byteCount
        if length > sentBytesMax {
            let limit = "a message of \(length) bytes is longer than the limit of \(sentBytesMax)"
            return end(GRPCStatus(.resourceExhausted, limit))
        }
        let copied = body.map { $0.readableBytes <= Self.copiedBytesMax ? $0.readableBytes : 0 } ?? 0
        var buffer = output.take() ?? ByteBufferAllocator().buffer(capacity: max(512, byteCount + copied))
        buffer.writeWithOutputRawSpan(minimumWritableBytes: byteCount) { write(&$0) }
        if let body {
            if copied > 0 || body.readableBytes == 0 {
                buffer.writeImmutableBuffer(body)
            } else {
                writeData(buffer)
                writeData(body)
                return
            }
        }
        output = buffer
    }

    /// Ends the call.
    package func end(_ status: GRPCStatus) {
        guard !isEnded else { return }
        handOver()
        isEnded = true
        partial = nil
        measurement?.code = status.name
        connection.writeEnd(status, number, isBegun: isBegun, isClientDone: isClientDone)
    }

    /// Sends out what was written; for what is sent at another time than in answer to a message.
    package func flush() {
        handOver()
        connection.flush()
    }

    private func writeData(_ bytes: ByteBuffer) {
        if !isBegun {
            isBegun = true
            connection.writeHeaders(number)
        }
        connection.writeData(bytes, number, written: tracker(bytes.readableBytes))
    }

    // MARK: Flow control

    /// Counts bytes on their way to the client, and now and then notices by a promise that they are gone: a promise for
    /// each small piece of a streamed response would cost more than the piece.
    private func tracker(_ bytes: Int) -> EventLoopPromise<Void>? {
        unsentBytes += bytes
        untrackedBytes += bytes
        guard untrackedBytes >= 64 << 10 else { return nil }
        let tracked = untrackedBytes
        untrackedBytes = 0
        let promise = connection.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.unsentBytes -= tracked
            self.allowMore()
        }
        return promise
    }

    private func consumed(_ bytes: Int) {
        consumedBytes += bytes
        allowMore()
    }

    /// Lets the client send what was consumed, half a window at a time, unless it does not take what it was sent.
    private func allowMore() {
        guard consumedBytes >= windowBytes / 2, unsentBytes < Self.unsentBytesMax, !isClientDone, !isEnded else {
            return
        }
        connection.allow(bytes: consumedBytes, number)
        consumedBytes = 0
    }
}
