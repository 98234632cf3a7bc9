import Synchronization

/// Spans that wait for their exporter: a queue that never grows over its bound. Safe from any thread.
///
/// Nobody waits for it. The spans of a request go in together or, where there is no room for all of them, not at all:
/// half of a trace explains nothing. What is left out is counted.
package final class SpanBuffer: Sendable {
    private struct Waiting {
        var spans: [TraceSpan] = []
        var batchIsReady: (@Sendable () -> Void)?
    }

    /// The most spans that wait.
    package let capacity: Int
    /// How many spans make a batch.
    package let batchSize: Int
    private let metrics: TraceMetrics
    private let waiting: Mutex<Waiting>

    /// Makes an empty buffer.
    ///
    /// - Parameters:
    ///   - capacity: the most spans that wait, at least 1.
    ///   - batchSize: how many spans make a batch, from 1 to the capacity.
    ///   - metrics: counts what is left out.
    package init(capacity: Int = 2048, batchSize: Int = 512, metrics: TraceMetrics) {
        precondition(capacity > 0, "a buffer of spans has room for one at least, not \(capacity)")
        precondition((1...capacity).contains(batchSize), "a batch has 1 to \(capacity) spans, not \(batchSize)")
        self.capacity = capacity
        self.batchSize = batchSize
        self.metrics = metrics
        waiting = Mutex(Waiting())
    }

    /// How many spans wait.
    package var count: Int { waiting.withLock { $0.spans.count } }

    /// Has `action` called from now on, whenever a batch has come together. It is called on the thread of whoever
    /// appends, and must not wait.
    package func whenBatchIsReady(_ action: @escaping @Sendable () -> Void) {
        waiting.withLock { $0.batchIsReady = action }
    }

    /// Appends spans that belong together, or none of them.
    package func append(_ spans: [TraceSpan]) {
        let action: (@Sendable () -> Void)?
        let hasRoom: Bool
        (hasRoom, action) = waiting.withLock { waiting in
            let before = waiting.spans.count
            guard before + spans.count <= capacity else { return (false, nil) }
            waiting.spans += spans
            let isReady = before < batchSize && waiting.spans.count >= batchSize
            return (true, isReady ? waiting.batchIsReady : nil)
        }
        if !hasRoom { metrics.dropped.increment(by: UInt64(spans.count)) }
        action?()
    }

    /// Takes the oldest spans out, one batch at most.
    package func takeBatch() -> [TraceSpan] {
        waiting.withLock { waiting in
            let batch = Array(waiting.spans.prefix(batchSize))
            waiting.spans.removeFirst(batch.count)
            return batch
        }
    }

    /// Takes out what nobody will export any more, and counts it as left out.
    package func dropAll() {
        let spans = waiting.withLock { waiting in
            let spans = waiting.spans
            waiting.spans = []
            return spans
        }
        if !spans.isEmpty { metrics.dropped.increment(by: UInt64(spans.count)) }
    }
}
