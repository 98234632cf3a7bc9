/// HTTP/2's error codes (RFC 9113, 7).
package enum HTTP2ErrorCode: UInt32, Hashable, Sendable {
    /// No error.
    case noError = 0x0
    /// The peer broke the protocol.
    case protocolError = 0x1
    /// A fault of this side.
    case internalError = 0x2
    /// The peer sent more than its window.
    case flowControlError = 0x3
    /// Settings were not acknowledged in time.
    case settingsTimeout = 0x4
    /// A frame for a stream that is closed.
    case streamClosed = 0x5
    /// A frame of a length that it cannot have.
    case frameSizeError = 0x6
    /// The stream was not looked at.
    case refusedStream = 0x7
    /// The stream is not wanted any more.
    case cancel = 0x8
    /// The header tables are out of step.
    case compressionError = 0x9
    /// A CONNECT failed.
    case connectError = 0xA
    /// The peer makes too much work.
    case enhanceYourCalm = 0xB
    /// The transport is not secure enough.
    case inadequateSecurity = 0xC
    /// HTTP/1.1 is wanted.
    case http11Required = 0xD
}

/// Why a connection ends.
package struct HTTP2Error: Error, Sendable, CustomStringConvertible {
    /// The code that the GOAWAY has.
    package let code: HTTP2ErrorCode
    /// What happened, without a capital letter and a full stop.
    package let reason: StaticString

    init(_ code: HTTP2ErrorCode, _ reason: StaticString) {
        self.code = code
        self.reason = reason
    }

    /// One sentence.
    package var description: String { "\(reason) (\(code))" }
}
