package import NIOCore

/// The status that ends a gRPC call.
package struct GRPCStatus: Hashable, Sendable {
    /// gRPC's status codes, as far as they are sent here.
    package enum Code: Int, Hashable, Sendable {
        /// 0.
        case ok = 0
        /// 2: no other one fits.
        case unknown = 2
        /// 3: the client sent what cannot be understood.
        case invalidArgument = 3
        /// 5: there is no such thing.
        case notFound = 5
        /// 8: a message is over the limit.
        case resourceExhausted = 8
        /// 9: the message does not fit the state of the call.
        case failedPrecondition = 9
        /// 12: there is no such method, or no such encoding of messages.
        case unimplemented = 12
        /// 13: a fault of the server, or of the client's gRPC.
        case `internal` = 13
        /// 14: the server goes away.
        case unavailable = 14
    }

    /// The code.
    package let code: Code
    /// The code as gRPC's libraries print it.
    package var name: String {
        switch code {
        case .ok: "OK"
        case .unknown: "Unknown"
        case .invalidArgument: "InvalidArgument"
        case .notFound: "NotFound"
        case .resourceExhausted: "ResourceExhausted"
        case .failedPrecondition: "FailedPrecondition"
        case .unimplemented: "Unimplemented"
        case .internal: "Internal"
        case .unavailable: "Unavailable"
        }
    }
    /// One sentence; empty for `ok`.
    package let message: String

    /// The end of a call that went well.
    package static let ok = GRPCStatus(.ok)

    /// Makes a status.
    package init(_ code: Code, _ message: String = "") {
        self.code = code
        self.message = message
    }
}

extension GRPCStatus {
    /// What of a message is sent: it may name what a client sent.
    private static let messageBytesMax = 512

    /// The message as the trailer `grpc-message` has it: bytes outside the printable ASCII range, and `%`, as `%XX`.
    var escapedMessage: [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in message.utf8.prefix(Self.messageBytesMax) {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return bytes
    }
}

/// A service that a ``GRPCServer`` offers: it takes the calls of the paths that it knows.
package protocol GRPCService: Sendable {
    /// Starts the call of `path`, such as `/grpc.health.v1.Health/Check`; `nil` when the service has no such method.
    /// Called on the connection's event loop, where the call then stays.
    func makeCall(path: String, stream: GRPCStream) -> (any GRPCCall)?
}

/// The server's side of one call. Every function is called on the connection's event loop, and none after ``closed()``.
package protocol GRPCCall: AnyObject {
    /// Takes a message, without its prefix. Not called once the call has ended its stream.
    func received(_ message: ByteBuffer)
    /// The client sends no further message.
    func receivedEnd()
    /// The stream is over: it ended on both sides, was reset, or its connection broke. Called exactly once.
    func closed()
    /// The server's drain is over: the call must end itself now.
    func abort()
}
