import GatewayCore
import NIOCore

/// One connection to one endpoint. Used by one exchange at a time, on its event loop; safe to be held by any thread.
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

    /// Begins an exchange. Only on the connection's event loop.
    func start(_ exchange: Exchange) {
        handler.value.start(exchange)
    }

    /// Ends the exchange under way when its deadline has come. Only on the connection's event loop.
    ///
    /// - Returns: the deadline of an exchange that goes on.
    func endIfLate(at now: NIODeadline) -> NIODeadline? {
        handler.value.endIfLate(at: now)
    }
}
