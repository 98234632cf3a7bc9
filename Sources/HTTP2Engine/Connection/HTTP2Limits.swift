/// The limits of a connection.
///
/// Those by the second are the flood defences: each starts full, is spent by what the peer does, and is full again at
/// the next ``HTTP2ServerEngine/refill()``. A peer that spends more is sent away with ENHANCE_YOUR_CALM.
package struct HTTP2Limits: Hashable, Sendable {
    /// The most streams at once. Default 65,536.
    package var maxConcurrentStreams = 65_536
    /// The greatest header list, and the longest header block, in bytes. Default 64 KiB.
    package var maxHeaderBytes = 64 << 10
    /// The size of the table that the peer compresses header fields with. Default 4,096 bytes, HTTP/2's own.
    package var headerTableBytes = 4_096
    /// What the peer may send of a stream before it must wait. Default 2 MiB.
    package var streamWindowBytes = 2 << 20
    /// What the peer may send of all streams; it is opened again by itself. Default 1 GiB.
    package var connectionWindowBytes = 1 << 30
    /// The most frames that continue a header block. Default 64.
    package var maxContinuations = 64
    /// SETTINGS, PING, PRIORITY, GOAWAY and unknown frames a second. Default 5,000. SETTINGS that change the windows of
    /// many streams count as several.
    package var controlFramesPerSecond = 5_000
    /// Empty DATA and CONTINUATION frames that end nothing, a second. Default 1,000.
    package var emptyFramesPerSecond = 1_000
    /// Streams a second that the peer opens and resets before it has sent a byte of a message and before anything was
    /// answered. Default 1,000.
    package var unprocessedResetsPerSecond = 1_000
    /// Streams a second that are reset for the peer's faults or refused, and frames a second for streams that are
    /// closed. Default 10,000.
    package var streamFaultsPerSecond = 10_000

    /// The defaults.
    package init() {}
}

/// How much of a kind of work the peer may still cause before the next refill.
struct FloodBudgets {
    private let limits: HTTP2Limits
    private var controlFrames = 0
    private var emptyFrames = 0
    private var unprocessedResets = 0
    private var streamFaults = 0
    /// Frames that may still come for streams that were closed, and cost nothing: two for each that was opened, its
    /// reset and its end.
    private var lateFrames = 0

    init(_ limits: HTTP2Limits) {
        self.limits = limits
    }

    mutating func refill() {
        controlFrames = 0
        emptyFrames = 0
        unprocessedResets = 0
        streamFaults = 0
    }

    mutating func streamOpened() {
        lateFrames = min(lateFrames &+ 2, 2 &* limits.maxConcurrentStreams)
    }

    /// Takes a frame for a stream that is closed; whether it is one of those that every stream may have.
    mutating func takeLateFrame() -> Bool {
        guard lateFrames > 0 else { return false }
        lateFrames &-= 1
        return true
    }

    mutating func spendControlFrame(cost: Int = 1) throws(HTTP2Error) {
        controlFrames &+= cost
        guard controlFrames <= limits.controlFramesPerSecond else { throw Self.flood("a flood of control frames") }
    }

    mutating func spendEmptyFrame() throws(HTTP2Error) {
        emptyFrames &+= 1
        guard emptyFrames <= limits.emptyFramesPerSecond else { throw Self.flood("a flood of empty frames") }
    }

    mutating func spendUnprocessedReset() throws(HTTP2Error) {
        unprocessedResets &+= 1
        guard unprocessedResets <= limits.unprocessedResetsPerSecond else {
            throw Self.flood("a flood of streams that are reset at once")
        }
    }

    mutating func spendStreamFault() throws(HTTP2Error) {
        streamFaults &+= 1
        guard streamFaults <= limits.streamFaultsPerSecond else { throw Self.flood("a flood of faulty streams") }
    }

    private static func flood(_ reason: StaticString) -> HTTP2Error {
        HTTP2Error(.enhanceYourCalm, reason)
    }
}
