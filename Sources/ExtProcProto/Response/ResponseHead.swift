extension ProcessingResponse {
    /// Measures the message, for writing it. The response must not promise a negative number of body bytes, nor more
    /// than 2³¹ − 1 bytes in all, which is protobuf's limit: both are programming errors and stop the process.
    package func head() -> ResponseHead {
        ResponseHead(self)
    }
}

/// Everything of an encoded ``ProcessingResponse`` but the bytes of its body, which follow: gRPC's prefix, and the
/// message up to and with the body's length.
///
/// Protobuf lets fields stand in any order, so the body's field is put last at each level, and what must be written is
/// one small piece with the body's own bytes behind it. Envoy was tried with it, release 1.39.3, and takes it.
///
/// An edge appends ``byteCount`` bytes to one buffer of its own and then, if ``bodyByteCount`` is not 0, the body:
/// copied behind it when it is short, and as the slice that it already is when it is long. No byte of a body passes
/// through here, and nothing is allocated.
package struct ResponseHead: Sendable {
    /// What ``write(to:)`` appends, in bytes: gRPC's prefix and the message without its body.
    package let byteCount: Int
    /// The number of body bytes that must follow.
    package let bodyByteCount: Int

    private let response: ProcessingResponse
    private let metadataSize: Int
    private let answerSize: AnswerSize
    private var messageSize: Int { byteCount &- GRPCPrefix.byteCount &+ bodyByteCount }

    init(_ response: ProcessingResponse) {
        self.response = response
        bodyByteCount = response.answer.bodyByteCount
        precondition(0...Int(Int32.max) ~= bodyByteCount, "a body of \(bodyByteCount) bytes does not fit a message")
        answerSize = AnswerSize(response.answer)
        metadataSize = response.dynamicMetadata?.size ?? 0
        var size = WireSize.bytes(answerSize.content)
        if response.dynamicMetadata != nil { size &+= WireSize.bytes(metadataSize) }
        if let mode = response.modeOverride { size &+= WireSize.bytes(mode.size) }
        if let timeout = response.timeoutOverride { size &+= WireSize.bytes(timeout.size) }
        precondition(size <= Int(Int32.max), "a protobuf message of \(size) bytes is too large")
        byteCount = GRPCPrefix.byteCount &+ size &- bodyByteCount
    }

    /// Appends the head, ``byteCount`` bytes. Less room is a programming error and stops the process.
    package func write(to output: inout OutputRawSpan) {
        GRPCPrefix.append(length: messageSize, to: &output)
        if let metadata = response.dynamicMetadata {
            output.append(.bytes(8), length: metadataSize)
            metadata.append(to: &output)
        }
        if let mode = response.modeOverride {
            output.append(.bytes(9), length: mode.size)
            mode.append(to: &output)
        }
        if let timeout = response.timeoutOverride {
            output.append(.bytes(10), length: timeout.size)
            timeout.append(to: &output)
        }
        // The answer is last, because it has the body.
        output.append(.bytes(response.answer.field), length: answerSize.content)
        switch response.answer {
        case .requestHeaders(let common), .responseHeaders(let common), .requestBody(let common),
            .responseBody(let common):
            guard answerSize.common > 0 else { return }
            output.append(.bytes(1), length: answerSize.common)
            common.append(headersSize: answerSize.headers, to: &output)
        case .requestTrailers(let changes), .responseTrailers(let changes):
            changes.append(.bytes(1), size: answerSize.headers, to: &output)
        case .immediate(let immediate):
            immediate.append(headersSize: answerSize.headers, to: &output)
        }
    }
}

/// The sizes of an answer and of what it holds, in bytes, bodies included. They are needed in front of what they
/// measure, so all are reckoned before the first byte is written.
private struct AnswerSize: Sendable {
    /// The HeaderMutation.
    let headers: Int
    /// The CommonResponse; 0 when there is none or it is empty.
    let common: Int
    /// The message in the oneof.
    let content: Int

    init(_ answer: ProcessingResponse.Answer) {
        switch answer {
        case .requestHeaders(let response), .responseHeaders(let response), .requestBody(let response),
            .responseBody(let response):
            headers = response.headers.size
            common = response.size(headersSize: headers)
            content = WireSize.optionalBytes(common)
        case .requestTrailers(let changes), .responseTrailers(let changes):
            headers = changes.size
            common = 0
            content = WireSize.optionalBytes(headers)
        case .immediate(let immediate):
            headers = immediate.headers.size
            common = 0
            content = immediate.size(headersSize: headers)
        }
    }
}

extension ProcessingResponse.Answer {
    /// The number in the oneof `response`.
    fileprivate var field: UInt8 {
        switch self {
        case .requestHeaders: 1
        case .responseHeaders: 2
        case .requestBody: 3
        case .responseBody: 4
        case .requestTrailers: 5
        case .responseTrailers: 6
        case .immediate: 7
        }
    }

    fileprivate var bodyByteCount: Int {
        switch self {
        case .requestHeaders(let common), .responseHeaders(let common), .requestBody(let common),
            .responseBody(let common):
            common.body?.byteCount ?? 0
        case .requestTrailers, .responseTrailers: 0
        case .immediate(let immediate): immediate.bodyByteCount
        }
    }
}
