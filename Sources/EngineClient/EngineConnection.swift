import GatewayCore
import NIOCore

/// One connection to one endpoint. Used by one question at a time, on its event loop; safe to be held by any thread.
final class EngineConnection: Sendable {
    /// The number of its address's place on the ``ConnectionShelf``.
    let place: Int
    private let channel: any Channel
    private let handler: NIOLoopBound<ExchangeHandler>

    init(place: Int, channel: any Channel, handler: NIOLoopBound<ExchangeHandler>) {
        self.place = place
        self.channel = channel
        self.handler = handler
    }

    var closeFuture: EventLoopFuture<Void> { channel.closeFuture }

    func close() {
        channel.close(promise: nil)
    }

    /// Sends a question. Only on the connection's event loop.
    func start(_ question: Question) {
        handler.value.start(question, on: self)
    }

    /// Ends the question under way when its deadline has come. Only on the connection's event loop.
    ///
    /// - Returns: the deadline of a question that goes on.
    func endIfLate(at now: NIODeadline) -> NIODeadline? {
        handler.value.endIfLate(at: now)
    }
}
