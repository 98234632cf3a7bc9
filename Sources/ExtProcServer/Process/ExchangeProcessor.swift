import ExtProcProto
import GatewayCore
import NIOCore
import RequestControl

/// What is to become of a request.
enum ExchangeDecision {
    /// It goes on, changed.
    case forward(ForwardedRequest)
    /// The client is answered without an endpoint.
    case reply(LocalReply)
    /// Nothing is decided yet: ``ExchangeProcessor/resume()`` will say when the processor asks for it.
    case wait
}

/// The changes to a request that goes on.
struct ForwardedRequest {
    /// Changes to its header.
    let headers: HeaderChanges
    /// Metadata for what stands behind the filter; `nil` for none.
    let metadata: ProtobufStruct?
    /// What becomes of its body; `nil` when it stays as it is.
    let body: BodyReplacement?
}

/// What comes with the end of a response's body.
struct ResponseBodyEnd {
    /// Bytes that were held back and stand behind the last piece.
    var heldBack: [UInt8] = []
    /// Metadata for what stands behind the filter; `nil` for none.
    var metadata: ProtobufStruct?
}

/// How an exchange ended.
enum ExchangeEnd {
    /// The response was seen to its end, or the proxy does not show it.
    case whole
    /// The proxy broke it off: its client left, or its endpoint.
    case brokenOff
    /// The server ended it at the deadline of its drain.
    case drained
}

/// What a service does with HTTP exchanges that the proxy shows it, message by message. ``ExchangeCall`` knows the
/// protocol; this knows what for. A value of its own for each exchange.
protocol ExchangeProcessor {
    /// The bounds on what clients send.
    var limits: GatewayLimits { get }
    /// The present instant.
    func now() -> MonotonicInstant
    /// Decides about a request that is whole.
    ///
    /// - Parameter wakeUp: called from any thread when the processor wants ``resume()`` or ``evict()`` to be called.
    mutating func decide(
        _ request: IncomingRequest,
        wakeUp: @escaping @Sendable (RequestExchange.Wake) -> Void
    ) -> ExchangeDecision
    /// Decides about a request that waited. Only after ``decide(_:wakeUp:)`` said so.
    mutating func resume() -> ExchangeDecision
    /// Ends the exchange for a more important one.
    ///
    /// - Returns: the answer to the client; `nil` when the exchange is over.
    mutating func evict() -> LocalReply?
    /// Ends an exchange that waits because the server shuts down.
    ///
    /// - Returns: the answer to the client; `nil` when the exchange does not wait.
    mutating func shutDown() -> LocalReply?
    /// The answer to a request that is refused before it is whole.
    func reply(to rejection: Rejection, path: String) -> LocalReply
    /// Whether ``responseHead(_:)`` needs to know what the body is.
    var looksAtResponseContent: Bool { get }
    /// Sees the head of the response. Called also when no request was seen.
    mutating func responseHead(_ head: ExchangeResponseHead) -> HeaderChanges
    /// Sees a piece of the response's body.
    ///
    /// - Returns: the bytes that take its place; `nil` when it stays as it is, as always unless the head said that the
    ///   body can be changed.
    mutating func responseBody(_ bytes: RawSpan) -> [UInt8]?
    /// The response's body is whole. Called at most once.
    mutating func responseBodyEnded() -> ResponseBodyEnd
    /// The exchange is over. Called exactly once.
    mutating func ended(_ end: ExchangeEnd)
}

extension ExchangeProcessor {
    /// Who never waits is never asked.
    mutating func resume() -> ExchangeDecision { .wait }

    /// Nobody is ended for others.
    mutating func evict() -> LocalReply? { nil }

    /// Nobody waits.
    mutating func shutDown() -> LocalReply? { nil }
}

extension HeaderFields {
    /// The bytes of all names and values.
    func byteCount(in bytes: RawSpan) -> Int {
        var count = 0
        forEach(in: bytes) { count += $0.name.count + $0.value.count }
        return count
    }
}

extension RawSpan {
    /// Whether the bytes in `range` begin with `lowercased`, with ASCII capitals and small letters taken as equal.
    fileprivate func begins(_ range: Range<Int>, with lowercased: StaticString) -> Bool {
        let count = lowercased.utf8CodeUnitCount
        return range.count >= count
            && extracting(range.lowerBound..<range.lowerBound + count).withUnsafeBytes {
                $0.equalsIgnoringASCIICase(lowercased)
            }
    }
}

/// The head of a response, as far as it matters.
struct ExchangeResponseHead {
    /// The status; 0 when there is none.
    let status: Int
    /// Whether the body is a stream of events.
    let isEventStream: Bool
    /// The endpoint that the proxy says has answered; `nil` when it does not say.
    let served: String?
    /// What the body is; `nil` when nobody asked, or when the body cannot be changed.
    let content: Content?

    /// What tells how a body is to be read.
    struct Content {
        /// `content-type`; empty for none.
        let type: String
        /// `content-encoding`; empty for none.
        let encoding: String
    }

    /// Reads it from a message.
    ///
    /// - Parameter readsContent: whether ``content`` is read.
    init(_ headers: HeadersPart, _ request: ProcessingRequest, readsContent: Bool, in bytes: RawSpan) {
        status = headers.fields.first(":status", in: bytes).flatMap { Int(bytes.text($0.value)) } ?? 0
        let type = headers.fields.first("content-type", in: bytes)
        isEventStream = type.map { bytes.begins($0.value, with: "text/event-stream") } ?? false
        served = request.servedEndpoint(in: bytes)
        content =
            readsContent
            ? Content(
                type: type.map { bytes.text($0.value) } ?? "",
                encoding: headers.fields.first("content-encoding", in: bytes).map { bytes.text($0.value) } ?? ""
            ) : nil
    }
}
