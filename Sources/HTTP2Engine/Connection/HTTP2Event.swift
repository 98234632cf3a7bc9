/// What a client's bytes tell.
package enum HTTP2Event: Hashable, Sendable {
    /// A stream begins; ``HTTP2ServerEngine/header`` has its fields until the next event. With `isLast` the client
    /// sends nothing more.
    case request(HTTP2Stream, isLast: Bool)
    /// Bytes of a stream: where they stand in the chunk. Empty only with `isLast`.
    case data(HTTP2Stream, Range<Int>, isLast: Bool)
    /// The client ends its side with trailers; ``HTTP2ServerEngine/header`` has them until the next event.
    case trailers(HTTP2Stream)
    /// A stream is over before it was answered in full: the client reset it, or it was reset for a fault of the
    /// client's.
    case reset(HTTP2Stream, isByPeer: Bool, code: UInt32)
    /// The client answered the ping with this content.
    case pingAcknowledged(UInt64)
}

/// What a connection may send next.
package enum HTTP2Output: Hashable, Sendable {
    /// So many bytes of what waits of a stream, right behind the output so far: the head of their frame is its end.
    case data(HTTP2Stream, Int)
    /// A stream is over: everything of it has gone.
    case closed(HTTP2Stream)
}
