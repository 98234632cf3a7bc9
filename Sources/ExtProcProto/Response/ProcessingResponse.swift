/// A message to Envoy: envoy.service.ext_proc.v3.ProcessingResponse.
///
/// The bytes of bodies are not in here, only their number, because they follow everything else of the encoded message:
/// see ``head()``.
package struct ProcessingResponse: Hashable, Sendable {
    /// What Envoy is told: the answer to one part of an HTTP exchange (the oneof `response`).
    package enum Answer: Hashable, Sendable {
        /// Field 1, a HeadersResponse.
        case requestHeaders(CommonResponse)
        /// Field 2, a HeadersResponse.
        case responseHeaders(CommonResponse)
        /// Field 3, a BodyResponse.
        case requestBody(CommonResponse)
        /// Field 4, a BodyResponse.
        case responseBody(CommonResponse)
        /// Field 5, a TrailersResponse.
        case requestTrailers(HeaderChanges)
        /// Field 6, a TrailersResponse.
        case responseTrailers(HeaderChanges)
        /// Field 7: the client gets this response, and the stream ends.
        case immediate(ImmediateResponse)
    }

    /// The answer.
    package var answer: Answer
    /// Metadata for what stands behind the filter, by namespace (field 8). Envoy takes the namespaces that its
    /// configuration lists, and drops the others silently. `nil` leaves the field out.
    package var dynamicMetadata: ProtobufStruct?
    /// Another set-up of the filter for this exchange (field 9). Envoy takes it only in answer to headers, and not in
    /// full-duplex mode.
    package var modeOverride: ProcessingMode?
    /// More time for the answer to the message at hand (field 10). Envoy ignores it in full-duplex mode. Rounded
    /// towards zero to nanoseconds.
    package var timeoutOverride: Duration?

    /// Makes a response.
    package init(
        _ answer: Answer,
        dynamicMetadata: ProtobufStruct? = nil,
        modeOverride: ProcessingMode? = nil,
        timeoutOverride: Duration? = nil
    ) {
        self.answer = answer
        self.dynamicMetadata = dynamicMetadata
        self.modeOverride = modeOverride
        self.timeoutOverride = timeoutOverride
    }
}

/// What is to become of headers or of a body (CommonResponse).
package struct CommonResponse: Hashable, Sendable {
    /// Field 1.
    package enum Status: UInt8, Hashable, Sendable {
        /// The changes are applied, and processing goes on.
        case `continue` = 0
        /// In answer to headers: the body changes as well, and the rest of the exchange is not shown.
        case continueAndReplace = 1
    }

    /// How processing goes on (field 1).
    package var status: Status
    /// Changes to the headers (field 2).
    package var headers: HeaderChanges
    /// What becomes of the body (field 3); `nil` leaves it as it is. In full-duplex mode each answer to a body has a
    /// streamed piece, and what is not sent back is lost.
    package var body: BodyChange?
    /// Trailers to add (field 4); their actions are not sent. `nil` leaves the field out.
    package var trailers: [HeaderSetting]?
    /// Whether the route is chosen anew, by the changed headers (field 5).
    package var clearsRouteCache: Bool

    /// Makes a response; without arguments nothing is changed.
    package init(
        status: Status = .continue,
        headers: HeaderChanges = .none,
        body: BodyChange? = nil,
        trailers: [HeaderSetting]? = nil,
        clearsRouteCache: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.trailers = trailers
        self.clearsRouteCache = clearsRouteCache
    }
}

/// What becomes of a body (BodyMutation).
package enum BodyChange: Hashable, Sendable {
    /// Field 1: these bytes take its place; in the buffered modes.
    case replaced(byteCount: Int)
    /// Field 2: it is dropped.
    case cleared
    /// Field 3: a piece of it; in full-duplex mode.
    case streamed(StreamedPiece)

    /// The number of bytes that follow the encoded message's head.
    var byteCount: Int {
        switch self {
        case .replaced(let byteCount): byteCount
        case .cleared: 0
        case .streamed(let piece): piece.byteCount
        }
    }
}

/// A piece of a body (StreamedBodyResponse).
package struct StreamedPiece: Hashable, Sendable {
    /// The number of bytes (field 1), 0 or more. Envoy's documentation asks for at most 64 KiB.
    package var byteCount: Int
    /// Whether it is the last piece and no trailers follow (field 2).
    package var isEndOfStream: Bool
    /// Whether the stream ends without a further gRPC message; in the mode `grpc` only (field 3).
    package var isEndOfStreamWithoutMessage: Bool
    /// Whether the piece is a compressed gRPC message; in the mode `grpc` only (field 4).
    package var isCompressedGRPCMessage: Bool

    /// Makes a piece.
    package init(
        byteCount: Int,
        isEndOfStream: Bool,
        isEndOfStreamWithoutMessage: Bool = false,
        isCompressedGRPCMessage: Bool = false
    ) {
        self.byteCount = byteCount
        self.isEndOfStream = isEndOfStream
        self.isEndOfStreamWithoutMessage = isEndOfStreamWithoutMessage
        self.isCompressedGRPCMessage = isCompressedGRPCMessage
    }
}

/// A response that Envoy itself gives to the client (ImmediateResponse).
package struct ImmediateResponse: Hashable, Sendable {
    /// The HTTP status, 100 to 599 (field 1).
    package var status: UInt16
    /// Changes to the header fields that Envoy makes for the response (field 2).
    package var headers: HeaderChanges
    /// The number of the body's bytes (field 3), 0 or more. They follow the encoded message's head.
    package var bodyByteCount: Int
    /// The status in gRPC's trailer, for a client that speaks gRPC (field 4); `nil` leaves the field out.
    package var grpcStatus: UInt32?
    /// A word for Envoy's access log (field 5, `%RESPONSE_CODE_DETAILS%`).
    package var details: String

    /// Makes a response.
    package init(
        status: UInt16,
        headers: HeaderChanges = .none,
        bodyByteCount: Int = 0,
        grpcStatus: UInt32? = nil,
        details: String = ""
    ) {
        self.status = status
        self.headers = headers
        self.bodyByteCount = bodyByteCount
        self.grpcStatus = grpcStatus
        self.details = details
    }
}

/// Which parts of an exchange Envoy sends (extensions.filters.http.ext_proc.v3.ProcessingMode).
package struct ProcessingMode: Hashable, Sendable {
    /// Whether headers or trailers are sent.
    package enum HeaderSendMode: UInt8, Hashable, Sendable {
        /// Headers are sent, trailers are not.
        case standard = 0
        /// They are sent.
        case send = 1
        /// They are not sent.
        case skip = 2
    }

    /// Field 1.
    package var requestHeaders: HeaderSendMode
    /// Field 2.
    package var responseHeaders: HeaderSendMode
    /// Field 3.
    package var requestBody: BodySendMode
    /// Field 4.
    package var responseBody: BodySendMode
    /// Field 5.
    package var requestTrailers: HeaderSendMode
    /// Field 6.
    package var responseTrailers: HeaderSendMode

    /// Makes a mode; without arguments headers are sent and nothing else.
    package init(
        requestHeaders: HeaderSendMode = .standard,
        responseHeaders: HeaderSendMode = .standard,
        requestBody: BodySendMode = .none,
        responseBody: BodySendMode = .none,
        requestTrailers: HeaderSendMode = .standard,
        responseTrailers: HeaderSendMode = .standard
    ) {
        self.requestHeaders = requestHeaders
        self.responseHeaders = responseHeaders
        self.requestBody = requestBody
        self.responseBody = responseBody
        self.requestTrailers = requestTrailers
        self.responseTrailers = responseTrailers
    }
}
