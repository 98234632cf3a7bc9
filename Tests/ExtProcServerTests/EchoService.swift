import ExtProcProto
import NIOCore
import Synchronization

@testable import ExtProcServer

/// A service for tests of the server: it sends back what it gets. Safe from any thread.
final class EchoService: GRPCService {
    /// Calls that are open now, and those that were closed.
    let open = Atomic<Int>(0)
    let closed = Atomic<Int>(0)

    func makeCall(path: String, stream: GRPCStream) -> (any GRPCCall)? {
        let kind: EchoCall.Kind
        switch path {
        case "/test/Echo": kind = .echo
        case "/test/Refuse": kind = .refuse
        case "/test/Stream": kind = .stream
        default: return nil
        }
        open.wrappingAdd(1, ordering: .relaxed)
        return EchoCall(stream, kind, self)
    }
}

private final class EchoCall: GRPCCall {
    enum Kind {
        /// Each message comes back.
        case echo
        /// Any message is an error.
        case refuse
        /// A message is the number of 1,000-byte messages that come back.
        case stream
    }

    private let stream: GRPCStream
    private let kind: Kind
    private let service: EchoService

    init(_ stream: GRPCStream, _ kind: Kind, _ service: EchoService) {
        self.stream = stream
        self.kind = kind
        self.service = service
    }

    func received(_ message: ByteBuffer) {
        switch kind {
        case .echo: send(message)
        case .refuse: stream.end(GRPCStatus(.failedPrecondition, "no: 100 % ü"))
        case .stream:
            let count = Int(message.getInteger(at: message.readerIndex, as: UInt32.self) ?? 0)
            for index in 0..<count { send(ByteBuffer(repeating: UInt8(truncatingIfNeeded: index), count: 1_000)) }
        }
    }

    func receivedEnd() {
        stream.end(.ok)
    }

    func closed() {
        service.open.wrappingSubtract(1, ordering: .relaxed)
        service.closed.wrappingAdd(1, ordering: .relaxed)
    }

    func abort() {}

    private func send(_ message: ByteBuffer) {
        stream.send(byteCount: GRPCPrefix.byteCount, body: message) { output in
            GRPCPrefix.append(length: message.readableBytes, to: &output)
        }
    }
}
