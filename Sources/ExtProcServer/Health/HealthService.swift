package import ExtProcProto
import NIOCore

/// grpc.health.v1.Health: Check, List and Watch.
package struct HealthService: GRPCService {
    private let names: @Sendable () -> [String]
    private let status: @Sendable (String) -> ServingStatus?

    /// Makes a service.
    ///
    /// - Parameters:
    ///   - names: the services that List tells, asked each time; an empty name is the server as a whole.
    ///   - status: the present health of a service; `nil` for one that is not known. Called from any event loop, with
    ///     any text that a client sends.
    package init(
        names: @escaping @Sendable () -> [String],
        status: @escaping @Sendable (_ service: String) -> ServingStatus?
    ) {
        self.names = names
        self.status = status
    }

    /// Answers a question about health.
    package func makeCall(path: String, stream: GRPCStream) -> (any GRPCCall)? {
        switch path {
        case "/grpc.health.v1.Health/Check": HealthCall(stream, status: status, kind: .check)
        case "/grpc.health.v1.Health/List": HealthCall(stream, status: status, kind: .list(names()))
        case "/grpc.health.v1.Health/Watch": HealthCall(stream, status: status, kind: .watch)
        default: nil
        }
    }
}

/// A question about health. Confined to the event loop of its connection.
private final class HealthCall: GRPCCall {
    enum Kind {
        case check
        case list([String])
        case watch
    }

    /// How often a watched service is looked at.
    private static let watchInterval = TimeAmount.seconds(1)

    private let stream: GRPCStream
    private let status: @Sendable (String) -> ServingStatus?
    private let kind: Kind
    private var watch: Scheduled<Void>?
    private var told: ServingStatus?
    private var isClosed = false

    init(_ stream: GRPCStream, status: @escaping @Sendable (String) -> ServingStatus?, kind: Kind) {
        self.stream = stream
        self.status = status
        self.kind = kind
    }

    func received(_ message: ByteBuffer) {
        do throws(WireError) {
            let request = try message.withUnsafeReadableBytes { (view) throws(WireError) in
                try HealthCheckRequest(reading: RawSpan(_unsafeBytes: view))
            }
            answer(request.service)
        } catch {
            stream.end(GRPCStatus(.invalidArgument, "\(error)"))
        }
    }

    func receivedEnd() {
        // A watch goes on until its client ends it; the others were answered by now.
        if watch == nil { stream.end(GRPCStatus(.invalidArgument, "the call ended before it asked for anything")) }
    }

    func closed() {
        isClosed = true
        watch?.cancel()
    }

    func abort() {}

    private func answer(_ service: String) {
        switch kind {
        case .check:
            guard let status = status(service) else {
                return stream.end(GRPCStatus(.notFound, "there is no service '\(service)'"))
            }
            tell(status)
            stream.end(.ok)
        case .list(let names):
            let response = HealthListResponse(names.map { .init($0, status($0) ?? .serviceUnknown) })
            stream.send(byteCount: response.byteCount, body: nil) { response.write(to: &$0) }
            stream.end(.ok)
        case .watch:
            guard watch == nil else {
                return stream.end(GRPCStatus(.invalidArgument, "a watch asks for one service"))
            }
            tellIfChanged(service)
            lookAgain(service)
        }
    }

    private func lookAgain(_ service: String) {
        watch = stream.eventLoop.assumeIsolated().scheduleTask(in: Self.watchInterval) {
            self.tellIfChanged(service)
            self.stream.flush()
            // The flush may have found the connection broken.
            if !self.isClosed { self.lookAgain(service) }
        }
    }

    private func tellIfChanged(_ service: String) {
        let present = status(service) ?? .serviceUnknown
        guard present != told else { return }
        told = present
        tell(present)
    }

    private func tell(_ status: ServingStatus) {
        let response = HealthCheckResponse(status)
        stream.send(byteCount: response.byteCount, body: nil) { response.write(to: &$0) }
    }
}
