/// The bytes of a request's body, held once and shared by everyone who reads them.
///
/// The edges keep the body in the buffers of their transport; this is the window through which parsers and plugins see
/// it without a copy and without knowing the transport.
public protocol BodyBytes: Sendable {
    /// The number of bytes.
    var count: Int { get }

    /// Calls `body` with all bytes. The span must not be used after `body` returns.
    func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result
}

/// A body in an array: for tests and for front doors without a transport buffer.
public struct ArrayBody: BodyBytes {
    private let bytes: [UInt8]

    /// Wraps `bytes`.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The number of bytes.
    public var count: Int { bytes.count }

    /// Calls `body` with the array's bytes.
    public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try body(bytes.span.bytes)
    }
}
