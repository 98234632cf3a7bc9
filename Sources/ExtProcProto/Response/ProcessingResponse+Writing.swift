extension CommonResponse {
    /// The size in bytes, the body's included.
    func size(headersSize: Int) -> Int {
        var size = WireSize.optionalNumber(UInt64(status.rawValue)) &+ WireSize.optionalBytes(headersSize)
        if let trailers { size &+= WireSize.bytes(Self.size(trailers)) }
        if clearsRouteCache { size &+= WireSize.number(1) }
        if let body { size &+= WireSize.bytes(body.size) }
        return size
    }

    /// Appends the message without the body's bytes, which are its last.
    func append(headersSize: Int, to output: inout OutputRawSpan) {
        output.append(.varint(1), optionalNumber: UInt64(status.rawValue))
        headers.append(.bytes(2), size: headersSize, to: &output)
        if let trailers {
            output.append(.bytes(4), length: Self.size(trailers))
            for trailer in trailers { trailer.appendAsHeaderValue(to: &output) }
        }
        output.append(.varint(5), optionalBoolean: clearsRouteCache)
        if let body {
            output.append(.bytes(3), length: body.size)
            body.append(to: &output)
        }
    }

    /// The size of a HeaderMap in bytes.
    private static func size(_ trailers: [HeaderSetting]) -> Int {
        trailers.reduce(0) { $0 &+ $1.fieldSizeAsHeaderValue }
    }
}

extension BodyChange {
    /// The size of the BodyMutation in bytes, the body's included.
    fileprivate var size: Int {
        switch self {
        case .replaced(let byteCount): WireSize.bytes(byteCount)
        case .cleared: WireSize.number(1)
        case .streamed(let piece): WireSize.bytes(piece.size)
        }
    }

    /// Appends the BodyMutation without the body's bytes.
    fileprivate func append(to output: inout OutputRawSpan) {
        switch self {
        case .replaced(let byteCount):
            // A member of a oneof is written even when it is empty.
            output.append(.bytes(1), length: byteCount)
        case .cleared:
            output.append(.varint(2), optionalBoolean: true)
        case .streamed(let piece):
            output.append(.bytes(3), length: piece.size)
            piece.append(to: &output)
        }
    }
}

extension StreamedPiece {
    /// The size in bytes, the body's included.
    var size: Int {
        var size = WireSize.optionalBytes(byteCount)
        if isEndOfStream { size &+= WireSize.number(1) }
        if isEndOfStreamWithoutMessage { size &+= WireSize.number(1) }
        if isCompressedGRPCMessage { size &+= WireSize.number(1) }
        return size
    }

    /// Appends the message without the body's bytes.
    func append(to output: inout OutputRawSpan) {
        output.append(.varint(2), optionalBoolean: isEndOfStream)
        output.append(.varint(3), optionalBoolean: isEndOfStreamWithoutMessage)
        output.append(.varint(4), optionalBoolean: isCompressedGRPCMessage)
        if byteCount > 0 { output.append(.bytes(1), length: byteCount) }
    }
}

extension ImmediateResponse {
    /// The size in bytes, the body's included.
    func size(headersSize: Int) -> Int {
        var size = WireSize.bytes(statusSize) &+ WireSize.optionalBytes(headersSize)
        if let grpcStatus { size &+= WireSize.bytes(WireSize.optionalNumber(UInt64(grpcStatus))) }
        size &+= WireSize.optionalBytes(details.utf8.count)
        return size &+ WireSize.optionalBytes(bodyByteCount)
    }

    /// Appends the message without the body's bytes, which are its last.
    func append(headersSize: Int, to output: inout OutputRawSpan) {
        output.append(.bytes(1), length: statusSize)
        output.append(.varint(1), optionalNumber: UInt64(status))
        headers.append(.bytes(2), size: headersSize, to: &output)
        if let grpcStatus {
            output.append(.bytes(4), length: WireSize.optionalNumber(UInt64(grpcStatus)))
            output.append(.varint(1), optionalNumber: UInt64(grpcStatus))
        }
        output.append(.bytes(5), optionalText: details)
        if bodyByteCount > 0 { output.append(.bytes(3), length: bodyByteCount) }
    }

    /// The size of the HttpStatus in bytes.
    private var statusSize: Int { WireSize.optionalNumber(UInt64(status)) }
}

extension ProcessingMode {
    /// The numbers of fields 1 to 6, as protobuf extends those of enums to 64 bits.
    private var numbers: InlineArray<6, UInt64> {
        [
            UInt64(requestHeaders.rawValue), UInt64(responseHeaders.rawValue),
            UInt64(bitPattern: Int64(requestBody.number)), UInt64(bitPattern: Int64(responseBody.number)),
            UInt64(requestTrailers.rawValue), UInt64(responseTrailers.rawValue),
        ]
    }

    /// The size in bytes.
    var size: Int {
        let numbers = numbers
        return numbers.indices.reduce(0) { $0 &+ WireSize.optionalNumber(numbers[$1]) }
    }

    /// Appends the message.
    func append(to output: inout OutputRawSpan) {
        let numbers = numbers
        for index in numbers.indices {
            output.append(.varint(UInt8(index + 1)), optionalNumber: numbers[index])
        }
    }
}

/// google.protobuf.Duration.
extension Duration {
    /// Whole seconds, and the nanoseconds beyond them, of the same sign.
    private var wireNumbers: (seconds: UInt64, nanoseconds: UInt64) {
        let (seconds, attoseconds) = components
        return (UInt64(bitPattern: seconds), UInt64(bitPattern: attoseconds / 1_000_000_000))
    }

    /// The size in bytes.
    var size: Int {
        WireSize.optionalNumber(wireNumbers.seconds) &+ WireSize.optionalNumber(wireNumbers.nanoseconds)
    }

    /// Appends the message.
    func append(to output: inout OutputRawSpan) {
        output.append(.varint(1), optionalNumber: wireNumbers.seconds)
        output.append(.varint(2), optionalNumber: wireNumbers.nanoseconds)
    }
}
