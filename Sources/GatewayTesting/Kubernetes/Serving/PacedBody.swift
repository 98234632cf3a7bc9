import NIOCore

/// The body of one answer on its way out: at once, or slower, or only a part of it. Confined to an event loop.
final class PacedBody {
    /// What becomes of a body that is not sent to its end.
    enum Break {
        case reset
        case stall
    }

    private struct Part {
        var bytes: ByteBuffer
        let written: (@Sendable () -> Void)?
    }

    /// Bytes per second; `nil` for as fast as the other side takes them.
    var rate: Int?
    /// After how many bytes from the start it breaks, and how.
    var breaksAfter: (bytes: Int, how: Break)?
    /// Whether nothing is sent any more.
    private(set) var isStalled = false
    private var waiting = CircularBuffer<Part>()
    private var sent = 0
    private var isFinished = false
    private var isOver = false
    private var isTicking = false
    private let loop: any EventLoop
    private let write: (ByteBuffer) -> EventLoopFuture<Void>
    private let finish: () -> Void
    private let reset: () -> Void

    private static let ticksPerSecond = 20

    /// - Parameters:
    ///   - write: writes and flushes a part of the body.
    ///   - finish: ends the answer.
    ///   - reset: breaks the connection.
    init(
        loop: any EventLoop,
        write: @escaping (ByteBuffer) -> EventLoopFuture<Void>,
        finish: @escaping () -> Void,
        reset: @escaping () -> Void
    ) {
        self.loop = loop
        self.write = write
        self.finish = finish
        self.reset = reset
    }

    /// Adds to the body, and calls `written` when the system has taken it, or when it is dropped.
    func send(_ bytes: ByteBuffer, written: (@Sendable () -> Void)? = nil) {
        // What a stalled connection is sent goes nowhere, as in a network that was cut.
        guard !isStalled, !isFinished, bytes.readableBytes > 0 else {
            written?()
            return
        }
        waiting.append(Part(bytes: bytes, written: written))
        drain()
    }

    /// Ends the body after what was added.
    func end() {
        guard !isFinished else { return }
        isFinished = true
        drain()
    }

    /// Sends nothing any more.
    func stall() {
        isStalled = true
        let dropped = waiting
        waiting.removeAll()
        for part in dropped { part.written?() }
    }

    /// Breaks the connection after so many more bytes.
    func cut(afterMore bytes: Int) {
        let ahead = waiting.reduce(0) { $0 + $1.bytes.readableBytes }
        breaksAfter = (sent + ahead + bytes, .reset)
    }

    private func drain() {
        while !isStalled, !isTicking, var next = waiting.first {
            var count = next.bytes.readableBytes
            if let rate { count = min(count, max(1, rate / Self.ticksPerSecond)) }
            if let breaksAfter { count = min(count, max(0, breaksAfter.bytes - sent)) }
            if count > 0, let slice = next.bytes.readSlice(length: count) {
                let isWhole = next.bytes.readableBytes == 0
                if isWhole { waiting.removeFirst() } else { waiting[waiting.startIndex] = next }
                sent += count
                let taken = write(slice)
                if isWhole, let written = next.written { taken.whenComplete { _ in written() } }
            }
            if let breaksAfter, sent >= breaksAfter.bytes {
                stall()
                if breaksAfter.how == .reset { reset() }
                return
            }
            if rate != nil { tick() }
        }
        // Together with the last bytes: who has them all may ask for something else at once.
        guard isFinished, !isStalled, !isOver, waiting.isEmpty else { return }
        isOver = true
        finish()
    }

    private func tick() {
        isTicking = true
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(Int64(1_000 / Self.ticksPerSecond))) {
            bound.value.isTicking = false
            bound.value.drain()
        }
    }
}
