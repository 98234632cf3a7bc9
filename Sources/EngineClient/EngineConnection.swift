import GatewayCore
import NIOCore

/// One connection to one endpoint. Used by one exchange at a time; safe to be held by any thread.
final class EngineConnection: Sendable {
    let address: EndpointAddress
    private let channel: any Channel
    private let handler: NIOLoopBound<ExchangeHandler>

    init(address: EndpointAddress, channel: any Channel, handler: NIOLoopBound<ExchangeHandler>) {
        self.address = address
        self.channel = channel
        self.handler = handler
    }

    var isActive: Bool { channel.isActive }

    var closeFuture: EventLoopFuture<Void> { channel.closeFuture }

    func close() {
        channel.close(promise: nil)
    }

    /// Sends a request and waits for its response. Cancelling the task closes the connection.
    ///
    /// - Throws: ``ExchangeFailure``; `CancellationError`.
    func exchange(_ request: OutboundRequest, deadline: NIODeadline) async throws -> ExchangeResult {
        let result = OneShot<ExchangeResult>()
        let exchange = Exchange(
            head: EngineRequestHead.make(request),
            maxResponseBytes: request.maxResponseBytes,
            deadline: deadline,
            result: result
        )
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard result.begin(continuation) else { return close() }
                channel.eventLoop.execute { self.handler.value.start(exchange) }
            }
        } onCancel: {
            // Only while the exchange has not ended: afterwards the connection may be another one's.
            if result.cancel() { close() }
        }
    }
}
