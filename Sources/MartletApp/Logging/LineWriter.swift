import NIOPosix
import Synchronization

/// Writes whole lines to one place, in the order in which they come, from a thread of its own.
///
/// Whoever has a line only copies it: a pipe that nobody reads or a disk that hangs makes nobody wait. What is not
/// written yet is bounded; lines beyond are dropped and counted, and once a line went through again, the next one says
/// how many were lost. Safe from any thread.
final class LineWriter: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var pendingLines = 0
        /// Dropped lines that nobody was told of yet.
        var untold = 0
        /// Who wants the place opened anew, and to know what became of it.
        var reopening: Reopening?
        var isWriting = false
    }

    private struct Batch {
        var bytes: [UInt8] = []
        var lineCount = 0
        /// The lines that were lost before these and that nobody was told of.
        var untold = 0
        var reopening: Reopening?
    }

    /// Is told why the place could not be opened anew; `nil` when it could.
    typealias Reopening = @Sendable (_ problem: String?) -> Void

    private let bytesMax: Int
    private let lossNotice: @Sendable (_ lost: Int) -> [UInt8]
    private let state = Mutex(State())
    private let destination: Mutex<LineDestination>
    private let dropped = Atomic<Int>(0)
    private let thread = NIOThreadPool(numberOfThreads: 1)

    /// Makes a writer.
    ///
    /// - Parameters:
    ///   - destination: where the lines go.
    ///   - bytesMax: the most bytes that wait, beside as many that are being written.
    ///   - lossNotice: makes the line that says how many were lost; nothing, for a place where such a line would be in
    ///     the way. Called on the writer's thread.
    init(
        to destination: consuming LineDestination,
        bytesMax: Int,
        lossNotice: @escaping @Sendable (_ lost: Int) -> [UInt8]
    ) {
        self.destination = Mutex(destination)
        self.bytesMax = bytesMax
        self.lossNotice = lossNotice
        thread.start()
    }

    deinit {
        thread.shutdownGracefully { _ in }
    }

    /// How many lines were lost since the start.
    var droppedLines: Int { dropped.load(ordering: .relaxed) }

    /// Writes a line, with its line feed; drops it when too much waits already.
    func write(_ line: [UInt8]) {
        let needsThread = state.withLock { state in
            guard state.pending.count + line.count <= bytesMax else {
                state.untold += 1
                dropped.wrappingAdd(1, ordering: .relaxed)
                return false
            }
            state.pending += line
            state.pendingLines += 1
            return Self.begins(&state)
        }
        if needsThread { work() }
    }

    /// Opens the place anew before the next line: its file was moved away, to be rotated.
    ///
    /// - Parameter told: called on the writer's thread, once for all that asked before it was done.
    func reopen(_ told: @escaping Reopening) {
        let needsThread = state.withLock { state in
            state.reopening = told
            return Self.begins(&state)
        }
        if needsThread { work() }
    }

    /// Waits until every line is written, but not longer than `limit`: a place that takes nothing must not keep a
    /// process from ending.
    func flush(within limit: Duration) async {
        let deadline = ContinuousClock.now.advanced(by: limit)
        while state.withLock({ $0.isWriting }), ContinuousClock.now < deadline {
            // Cancelled or not: the last lines are those that matter.
            try? await ContinuousClock().sleep(for: .milliseconds(5))
        }
    }

    private static func begins(_ state: inout State) -> Bool {
        if state.isWriting { return false }
        state.isWriting = true
        return true
    }

    private func work() {
        thread.submit { [self] _ in
            while let batch = nextBatch() { write(batch) }
        }
    }

    private func nextBatch() -> Batch? {
        state.withLock { state in
            if state.pending.isEmpty, state.reopening == nil {
                state.isWriting = false
                return nil
            }
            var batch = Batch()
            // Request threads wait for this lock: nothing is copied under it.
            swap(&batch.bytes, &state.pending)
            swap(&batch.lineCount, &state.pendingLines)
            swap(&batch.reopening, &state.reopening)
            // With nothing to write nobody learns whether the place takes anything again.
            if !batch.bytes.isEmpty { swap(&batch.untold, &state.untold) }
            return batch
        }
    }

    private func write(_ batch: Batch) {
        if let told = batch.reopening { told(destination.withLock { $0.reopen() }) }
        guard destination.withLock({ $0.write(batch.bytes) }) else {
            dropped.wrappingAdd(batch.lineCount, ordering: .relaxed)
            return state.withLock { $0.untold += batch.lineCount + batch.untold }
        }
        if batch.untold == 0 { return }
        // The lines that were lost came behind those that waited.
        let notice = lossNotice(batch.untold)
        if destination.withLock({ $0.write(notice) }) { return }
        state.withLock { $0.untold += batch.untold }
    }
}
