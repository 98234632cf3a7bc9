import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import Synchronization

/// One request and its response: what comes is handed to who reads the body, not faster than it is read, and a
/// silence that lasts too long ends it.
///
/// Called by the client on the event loop and by the reader on any thread; a lock protects the state, and nothing
/// foreign is called with it held.
final class Exchange: HTTPClientResponseDelegate, NIOAsyncSequenceProducerDelegate {
    typealias Response = Void
    typealias Body = NIOThrowingAsyncSequenceProducer<
        ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Exchange
    >

    /// How many pieces of a body wait for the reader. A piece is what one read from the socket gave, 64 KiB at most.
    private static let waterMarks = NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
        lowWatermark: 1, highWatermark: 4)

    private struct State {
        var silence: ResponseSilence
        var task: HTTPClient.Task<Void>?
        var timer: Scheduled<Void>?
        var source: Body.Source?
        /// The reader's end, until the reader takes it: a body that nobody holds ends the exchange.
        var body: Body?
        /// Fulfilled when the reader wants more.
        var more: EventLoopPromise<Void>?
        /// Why this side ended it.
        var reason: (any Error)?
        var isOver = false
    }

    private let eventLoop: any EventLoop
    private let idleLimit: TimeAmount
    private let describe: @Sendable (any Error) -> any Error
    private let head: EventLoopPromise<HTTPResponseHead>
    private let state: Mutex<State>

    /// Makes an exchange that has not begun.
    ///
    /// - Parameters:
    ///   - eventLoop: where the exchange is, and its connection unless one on another loop is idle.
    ///   - headLimit: how long the head may take, from now on.
    ///   - idleLimit: the longest time between two pieces of the body.
    ///   - describe: turns what went wrong into what the reader of the body is told.
    init(
        eventLoop: any EventLoop,
        headLimit: TimeAmount,
        idleLimit: TimeAmount,
        describe: @escaping @Sendable (any Error) -> any Error
    ) {
        self.eventLoop = eventLoop
        self.idleLimit = idleLimit
        self.describe = describe
        head = eventLoop.makePromise()
        state = Mutex(State(silence: ResponseSilence(now: .now(), limit: headLimit)))
    }

    /// Sends `request` and waits for the head. The connection is closed when the task is cancelled, or later when the
    /// body is dropped or its reader is cancelled.
    func run(_ request: HTTPClient.Request, on client: HTTPClient) async throws -> (HTTPResponseHead, Body) {
        let task = client.execute(request: request, delegate: self, eventLoop: .delegate(on: eventLoop), logger: nil)
        state.withLock { $0.task = task }
        task.futureResult.whenComplete { result in
            switch result {
            case .success: self.end(nil)
            case .failure(let error): self.end(error)
            }
        }
        eventLoop.execute { self.look() }
        let head = try await withTaskCancellationHandler {
            try await self.head.futureResult.get()
        } onCancel: {
            abort(CancellationError())
        }
        let body = state.withLock { state in
            let body = state.body
            state.body = nil
            return body
        }
        guard let body else { throw HTTPClientError.cancelled }
        return (head, body)
    }

    /// Ends the exchange for a reason of this side.
    private func abort(_ reason: any Error) {
        let task: HTTPClient.Task<Void>? = state.withLock { state in
            guard !state.isOver else { return nil }
            if state.reason == nil { state.reason = reason }
            return state.task
        }
        task?.fail(reason: reason)
    }

    private func end(_ error: (any Error)?) {
        let (before, reason) = state.withLock { state in
            let before = state
            state.isOver = true
            state.timer = nil
            state.source = nil
            state.more = nil
            state.task = nil
            return (before, state.reason ?? error)
        }
        before.timer?.cancel()
        before.more?.fail(reason ?? HTTPClientError.cancelled)
        if before.silence.isBeforeHead { head.fail(reason ?? HTTPClientError.remoteConnectionClosed) }
        if let reason { before.source?.finish(describe(reason)) } else { before.source?.finish() }
    }

    // MARK: - Silence

    /// Ends the exchange if it has been silent for too long, and otherwise looks again when it could be.
    private func look() {
        let isTooLong = state.withLock { state in
            state.timer = nil
            guard !state.isOver else { return false }
            switch state.silence.verdict(at: .now()) {
            case .tooLong: return true
            case .nothing: return false
            case .lookAgain(let time):
                state.timer = eventLoop.scheduleTask(deadline: time) { self.look() }
                return false
            }
        }
        if isTooLong { abort(SilenceError(isBeforeHead: state.withLock(\.silence.isBeforeHead))) }
    }

    // MARK: - What the client tells

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        let body = Body.makeSequence(
            elementType: ByteBuffer.self, failureType: (any Error).self, backPressureStrategy: Self.waterMarks,
            finishOnDeinit: true, delegate: self)
        let timer = state.withLock { state in
            state.silence.headCame(at: .now(), limit: idleLimit)
            state.source = body.source
            state.body = body.sequence
            let timer = state.timer
            state.timer = nil
            return timer
        }
        timer?.cancel()
        look()
        self.head.succeed(head)
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let source = state.withLock { state in
            state.silence.pieceCame(at: .now())
            return state.source
        }
        guard let source, buffer.readableBytes > 0 else { return task.eventLoop.makeSucceededVoidFuture() }
        // The reader may want more before the promise is in its place: it is put there first.
        let more = task.eventLoop.makePromise(of: Void.self)
        state.withLock { $0.more = more }
        switch source.yield(buffer) {
        case .stopProducing:
            state.withLock { state in
                if state.more != nil { state.silence.readerPaused() }
            }
        case .produceMore: takeMore()?.succeed()
        case .dropped: takeMore()?.fail(HTTPClientError.cancelled)
        }
        return more.futureResult
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) throws {}

    // MARK: - What the reader tells

    func produceMore() {
        let more = takeMore()
        guard let more else { return }
        state.withLock { $0.silence.readerResumed(at: .now()) }
        more.succeed()
        eventLoop.execute {
            if self.state.withLock({ $0.timer == nil }) { self.look() }
        }
    }

    func didTerminate() {
        abort(CancellationError())
    }

    private func takeMore() -> EventLoopPromise<Void>? {
        state.withLock { state in
            let more = state.more
            state.more = nil
            return more
        }
    }
}

/// The other side sent nothing for too long.
struct SilenceError: Error {
    /// Whether not even the head of the response came.
    let isBeforeHead: Bool
}
