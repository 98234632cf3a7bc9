package import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
package import NIOSSL

/// OTLP over gRPC: a unary call for each batch, on one connection.
///
/// A call is a stream of HTTP/2 with a known head, one message and trailers; that is all that an exporter needs of
/// gRPC.
package final class GRPCTransport: SpanTransport {
    private static let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    private static let connectTimeout = TimeAmount.seconds(10)

    private let eventLoop: any EventLoop
    private let address: CollectorAddress
    private let port: Int
    private let headers: HPACKHeaders
    private let tls: NIOSSLContext?
    private var connection: EventLoopFuture<Connection>?

    private struct Connection {
        let channel: any Channel
        let multiplexer: NIOHTTP2Handler.StreamMultiplexer
    }

    /// Makes one; a connection is made with the first batch.
    ///
    /// - Parameters:
    ///   - address: the collector.
    ///   - headers: what else is sent with each call.
    ///   - tls: whom to trust, and who we are; `nil` for plain text.
    ///   - eventLoop: where all of it happens.
    /// - Throws: what NIOSSL finds wrong with the certificates.
    package init(
        address: CollectorAddress,
        headers: [(String, String)],
        tls: TLSConfiguration?,
        eventLoop: any EventLoop
    ) throws {
        self.address = address
        port = address.port ?? 4317
        self.eventLoop = eventLoop
        var fields: HPACKHeaders = [
            ":method": "POST", ":path": Self.path, ":scheme": tls == nil ? "http" : "https",
            ":authority": address.authority(defaultPort: 4317), "te": "trailers", "content-type": "application/grpc",
        ]
        for (name, value) in headers { fields.add(name: name.lowercased(), value: value) }
        self.headers = fields
        self.tls = try tls.map {
            var tls = $0
            tls.applicationProtocols = ["h2"]
            return try NIOSSLContext(configuration: tls)
        }
    }

    /// Protocol buffers.
    package var encoding: SpanEncoding { .protobuf }

    /// Makes a call, and a connection if there is none.
    package func send(_ batch: ByteBuffer, timeout: TimeAmount) -> EventLoopFuture<ExportOutcome> {
        let deadline = eventLoop.now + timeout
        let promise = eventLoop.makePromise(of: ExportOutcome.self)
        let timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            let milliseconds = timeout.nanoseconds / 1_000_000
            promise.succeed(.retryable("the collector did not answer within \(milliseconds) ms", after: nil))
            // Perhaps nobody is at the other end any more, and no packet will ever say so.
            self.disconnect()
        }
        var headers = headers
        headers.add(name: "grpc-timeout", value: "\(max(1, timeout.nanoseconds / 1_000_000))m")
        connected().assumeIsolated().whenComplete { result in
            switch result {
            case .failure(let error): promise.succeed(.retryable("\(error)", after: nil))
            case .success(let connection): self.call(on: connection, headers, batch, promise)
            }
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() }
        return promise.futureResult
    }

    /// Closes the connection with the call that runs on it.
    package func close() -> EventLoopFuture<Void> {
        guard let connection else { return eventLoop.makeSucceededVoidFuture() }
        let closed = eventLoop.makePromise(of: Void.self)
        connection.assumeIsolated().whenComplete { result in
            guard case .success(let connection) = result else { return closed.succeed() }
            connection.channel.close(promise: nil)
            connection.channel.closeFuture.cascade(to: closed)
        }
        return closed.futureResult
    }

    private func call(
        on connection: Connection,
        _ headers: HPACKHeaders,
        _ batch: ByteBuffer,
        _ promise: EventLoopPromise<ExportOutcome>
    ) {
        connection.multiplexer.createStreamChannel { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(
                    GRPCCallHandler(headers: headers, message: batch, outcome: promise))
            }
        }.assumeIsolated().whenComplete { result in
            switch result {
            case .failure(let error):
                promise.succeed(.retryable("\(error)", after: nil))
                // A connection that takes no more calls, such as one that the collector is about to close.
                self.disconnect()
            case .success(let stream):
                // A call that nobody waits for any more ends. One that ended by itself is closed already.
                promise.futureResult.assumeIsolated().whenComplete { _ in stream.close(promise: nil) }
            }
        }
    }

    /// Gives up the connection; the next call makes another one.
    private func disconnect() {
        connection.take()?.assumeIsolated().whenSuccess { $0.channel.close(promise: nil) }
    }

    /// The connection, which is made when there is none.
    private func connected() -> EventLoopFuture<Connection> {
        if let connection { return connection }
        let (tls, host) = (tls, address.host)
        let made = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(Self.tlsHandler(tls, host: host)) }
                    try pipeline.addHandler(NIOHTTP2Handler(mode: .client, eventLoop: channel.eventLoop) { $0.close() })
                    try pipeline.addHandler(ErrorCloser())
                }
            }
            .connect(host: host, port: port)
            .flatMap { channel in
                channel.pipeline.handler(type: NIOHTTP2Handler.self).flatMap(\.multiplexer)
                    .map { Connection(channel: channel, multiplexer: $0) }
            }
        connection = made
        made.assumeIsolated().whenComplete { result in
            switch result {
            case .failure:
                if self.connection == made { self.connection = nil }
            case .success(let connection):
                connection.channel.closeFuture.assumeIsolated().whenComplete { _ in
                    if self.connection == made { self.connection = nil }
                }
            }
        }
        return made
    }

    /// An address has no name that a server could be asked for.
    private static func tlsHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}

/// Closes a connection that has an error, such as a certificate that is not trusted.
private final class ErrorCloser: ChannelInboundHandler {
    typealias InboundIn = Any

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
