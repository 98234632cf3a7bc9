import AsyncHTTPClient
package import NIOCore
import NIOHTTP1
package import NIOSSL

/// OTLP over HTTP: a POST for each batch.
package final class HTTPTransport: SpanTransport {
    /// The most bytes of an answer that are read.
    private static let answerBytesMax = 1 << 20

    /// The form of the bodies.
    package let encoding: SpanEncoding
    private let eventLoop: any EventLoop
    private let url: String
    private let headers: HTTPHeaders
    private let client: HTTPClient

    /// Makes one; a connection is made with the first batch.
    ///
    /// - Parameters:
    ///   - url: where batches go, whole.
    ///   - encoding: how they are written.
    ///   - headers: what else is sent with each.
    ///   - tls: whom to trust, and who we are.
    ///   - eventLoop: where all of it happens.
    package init(
        url: String,
        encoding: SpanEncoding,
        headers: [(String, String)],
        tls: TLSConfiguration,
        eventLoop: any EventLoop
    ) {
        self.url = url
        self.encoding = encoding
        self.eventLoop = eventLoop
        var fields = HTTPHeaders(headers)
        fields.replaceOrAdd(
            name: "content-type", value: encoding == .json ? "application/json" : "application/x-protobuf")
        self.headers = fields
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1
        client = HTTPClient(eventLoopGroupProvider: .shared(eventLoop), configuration: configuration)
    }

    /// Sends a request.
    package func send(_ batch: ByteBuffer, timeout: TimeAmount) -> EventLoopFuture<ExportOutcome> {
        do {
            let request = try HTTPClient.Request(url: url, method: .POST, headers: headers, body: .byteBuffer(batch))
            let collector = ResponseAccumulator(request: request, maxBodySize: Self.answerBytesMax)
            let encoding = encoding
            return client.execute(
                request: request,
                delegate: collector,
                eventLoop: .delegateAndChannel(on: eventLoop),
                deadline: .now() + timeout
            ).futureResult
                .map { Self.outcome(of: $0, encoding) }
                .flatMapErrorThrowing { .retryable("\($0)", after: nil) }
        } catch {
            return eventLoop.makeSucceededFuture(.refused("\(error)"))
        }
    }

    /// Closes the connections with the requests that run on them.
    package func close() -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        // It only fails when it was shut down before.
        promise.completeWithTask { [client] in try? await client.shutdown() }
        return promise.futureResult
    }

    /// What OTLP means by a response.
    private static func outcome(of response: HTTPClient.Response, _ encoding: SpanEncoding) -> ExportOutcome {
        let status = response.status.code
        switch status {
        case 200..<300:
            guard encoding == .protobuf, let body = response.body else { return .accepted }
            let partial = PartialSuccess(protobuf: body.readableBytesView)
            return .accepted(rejectedSpans: partial.rejectedSpans, message: partial.message)
        case 429, 502, 503, 504:
            let seconds = response.headers.first(name: "retry-after").flatMap { Int64($0) }
            let after = seconds.map { TimeAmount.seconds(min(max($0, 0), 3600)) }
            return .retryable("the collector answered \(status)", after: after)
        default:
            return .refused("the collector answered \(status)")
        }
    }
}
