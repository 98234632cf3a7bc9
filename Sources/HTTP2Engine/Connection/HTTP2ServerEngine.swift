/// The server's side of an HTTP/2 connection for gRPC (RFC 9113), without a socket: a client's bytes become events, and
/// what is to be sent becomes bytes.
///
/// Reading: give each chunk of bytes to ``next(in:from:)`` until it returns `nil`. The bytes of messages are not
/// copied: events say where they stand in the chunk. No input traps; after an error everything further is ignored.
///
/// Writing: ``begin(_:)``, ``send(_:_:)`` and ``finish(_:with:resetsBehindIt:)`` say what there is to send. Then
/// ``nextOutput()`` says how much of which stream may go; the bytes themselves stay with the caller. Everything else
/// that must be sent stands in ``output``: it is to be taken before the bytes of each ``HTTP2Output/data(_:_:)``, and
/// at the end.
package struct HTTP2ServerEngine: ~Copyable {
    /// What was read up to now of the frame that comes.
    enum Reading {
        /// The client's preface; so many bytes of it have come.
        case preface(Int)
        /// A frame; its bytes so far are in `partial` when they did not come in one chunk with the rest.
        case frame
        /// A DATA frame whose padding's length comes next.
        case paddingLength
        /// The content of a DATA frame.
        case data
    }

    /// The DATA frame that is being read.
    struct DataFrame {
        /// `nil` when the content is to be passed by.
        var stream: HTTP2Stream?
        var left = 0
        var padding = 0
        var isLast = false
    }

    /// The header block that is being read over several frames.
    struct OpenBlock {
        let stream: UInt32
        let isLast: Bool
        var frames = 1
    }

    let limits: HTTP2Limits
    var decoder: HeaderDecoder
    var streams = StreamTable()
    var closedStreams = ClosedStreams()
    var budgets: FloodBudgets
    var reading = Reading.preface(0)
    var partial: [UInt8] = []
    var frame = DataFrame()
    var openBlock: OpenBlock?
    var blockBytes: [UInt8] = []
    /// The highest stream that the client has opened.
    var highest: UInt32 = 0
    /// The highest stream that is still taken.
    var lastAccepted = HTTP2Numbers.largestStream
    var receiveWindow: Int
    /// Nothing further is read or sent.
    var hasFailed = false

    // What the peer's settings say, and its windows.
    var initialSendWindow = HTTP2Numbers.initialWindow
    var maxFrameBytes = HTTP2Numbers.smallestMaxFrame
    var sendWindow = HTTP2Numbers.initialWindow
    /// Whether the next header block must say that the dynamic table is not used.
    var announcesEmptyTable = false
    var hasAnnouncedEmptyTable = false

    // The queue of streams that may send.
    var firstReady = -1
    var lastReady = -1

    /// Bytes to send; see ``HTTP2ServerEngine``.
    package internal(set) var output: [UInt8] = []
    /// The fields of the last request or trailers.
    package internal(set) var header = HeaderBlock()
    /// Whether the client's preface has come, its settings among it.
    package internal(set) var hasBegun = false
    /// The bytes of all streams that wait to be sent.
    package internal(set) var waitingBytes = 0

    /// Makes an engine, and the server's preface in ``output``.
    package init(_ limits: HTTP2Limits = HTTP2Limits()) {
        self.limits = limits
        decoder = HeaderDecoder(tableLimit: limits.headerTableBytes, listLimit: limits.maxHeaderBytes)
        budgets = FloodBudgets(limits)
        receiveWindow = max(limits.connectionWindowBytes, HTTP2Numbers.initialWindow)
        var settings = [
            (SettingNumber.maxConcurrentStreams, limits.maxConcurrentStreams),
            (SettingNumber.initialWindowSize, limits.streamWindowBytes),
            (SettingNumber.maxHeaderListSize, limits.maxHeaderBytes),
        ]
        if limits.headerTableBytes != 4_096 {
            settings.append((SettingNumber.headerTableSize, limits.headerTableBytes))
        }
        output.appendSettings(settings)
        // A connection's window begins at this size whatever the settings say (RFC 9113, 6.9.2).
        if receiveWindow > HTTP2Numbers.initialWindow {
            output.appendWindowUpdate(0, receiveWindow - HTTP2Numbers.initialWindow)
        }
    }

    /// The number of open streams.
    package var streamCount: Int { streams.count }

    /// Allows the peer a second's worth of what the limits count by the second. To be called once a second.
    package mutating func refill() {
        budgets.refill()
    }

    /// Gives what there is of ``output`` to `take`, and empties it.
    package mutating func takeOutput(_ take: (RawSpan) -> Void) {
        guard !output.isEmpty else { return }
        take(output.span.bytes)
        output.removeAll(keepingCapacity: output.capacity <= 64 << 10)
    }

    // MARK: Reading

    /// What comes next in `chunk`; `nil` when it is used up.
    ///
    /// - Parameters:
    ///   - chunk: the connection's next bytes.
    ///   - offset: where to go on in the chunk; 0 for a new one. Moved behind what was read.
    /// - Throws: why the connection must be closed, behind the GOAWAY that is in ``output``.
    package mutating func next(in chunk: RawSpan, from offset: inout Int) throws(HTTP2Error) -> HTTP2Event? {
        guard !hasFailed else {
            offset = chunk.byteCount
            return nil
        }
        do throws(HTTP2Error) {
            return try advance(chunk, &offset)
        } catch {
            hasFailed = true
            output.appendGoAway(last: min(lastAccepted, highest), error.code)
            throw error
        }
    }

    private mutating func advance(_ chunk: RawSpan, _ offset: inout Int) throws(HTTP2Error) -> HTTP2Event? {
        while true {
            switch reading {
            case .frame:
                let available = chunk.byteCount &- offset
                guard partial.isEmpty, available >= FrameHead.byteCount else {
                    if available <= 0 { return nil }
                    if let event = try gather(chunk, &offset) { return event }
                    continue
                }
                let head = FrameHead(chunk, at: offset)
                try check(head)
                if head.type == FrameType.data {
                    offset &+= FrameHead.byteCount
                    if let event = try beginData(head) { return event }
                } else if available >= FrameHead.byteCount &+ head.length {
                    let start = offset &+ FrameHead.byteCount
                    offset = start &+ head.length
                    if let event = try received(head, start..<offset, chunk) { return event }
                } else {
                    partial.append(offset..<chunk.byteCount, of: chunk)
                    offset = chunk.byteCount
                }
            case .data:
                if let event = try data(chunk, &offset) { return event }
                if case .data = reading { return nil }
            case .paddingLength:
                guard offset < chunk.byteCount else { return nil }
                try takePaddingLength(chunk.byte(at: offset))
                offset &+= 1
            case .preface(let count):
                guard offset < chunk.byteCount else { return nil }
                guard chunk.byte(at: offset) == HTTP2Numbers.preface.utf8Start[count] else {
                    throw HTTP2Error(.protocolError, "the client does not begin with HTTP/2's preface")
                }
                offset &+= 1
                reading = count &+ 1 < HTTP2Numbers.preface.utf8CodeUnitCount ? .preface(count &+ 1) : .frame
            }
        }
    }

    /// Gathers a frame that is cut over chunks; of DATA its head only.
    private mutating func gather(_ chunk: RawSpan, _ offset: inout Int) throws(HTTP2Error) -> HTTP2Event? {
        gather(upTo: FrameHead.byteCount, chunk, &offset)
        guard partial.count >= FrameHead.byteCount else { return nil }
        let head = FrameHead(partial.span.bytes, at: 0)
        try check(head)
        if head.type == FrameType.data {
            partial.removeAll(keepingCapacity: true)
            return try beginData(head)
        }
        let whole = FrameHead.byteCount &+ head.length
        gather(upTo: whole, chunk, &offset)
        guard partial.count == whole else { return nil }
        var bytes: [UInt8] = []
        swap(&bytes, &partial)
        let event = try received(head, FrameHead.byteCount..<whole, bytes.span.bytes)
        bytes.removeAll(keepingCapacity: true)
        swap(&bytes, &partial)
        return event
    }

    private mutating func gather(upTo count: Int, _ chunk: RawSpan, _ offset: inout Int) {
        let missing = min(count &- partial.count, chunk.byteCount &- offset)
        guard missing > 0 else { return }
        partial.append(offset..<offset &+ missing, of: chunk)
        offset &+= missing
    }

    /// Checks what can be told by a frame's head.
    @inline(__always)
    private mutating func check(_ head: FrameHead) throws(HTTP2Error) {
        guard head.length <= HTTP2Numbers.smallestMaxFrame else {
            throw HTTP2Error(.frameSizeError, "a frame is longer than was allowed")
        }
        if let openBlock, head.type != FrameType.continuation || head.stream != openBlock.stream {
            throw HTTP2Error(.protocolError, "another frame stands within a header block")
        }
        if !hasBegun, head.type != FrameType.settings || head.has(FrameFlags.ack) {
            throw HTTP2Error(.protocolError, "the client's first frame is not SETTINGS")
        }
    }

    /// A frame that has come whole. Its content is in `range`.
    @inline(__always)
    private mutating func received(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        switch head.type {
        case FrameType.headers: return try receivedHeaders(head, range, bytes)
        case FrameType.continuation: return try receivedContinuation(head, range, bytes)
        case FrameType.reset: return try receivedReset(head, range, bytes)
        case FrameType.windowUpdate: return try receivedWindowUpdate(head, range, bytes)
        case FrameType.ping: return try receivedPing(head, range, bytes)
        case FrameType.settings: try receivedSettings(head, range, bytes)
        case FrameType.priority: return try receivedPriority(head)
        case FrameType.goAway: try receivedGoAway(head)
        case FrameType.pushPromise: throw HTTP2Error(.protocolError, "a client sent PUSH_PROMISE")
        default: try budgets.spendControlFrame()
        }
        return nil
    }

    // MARK: Streams

    /// Resets a stream for a fault of the client's.
    mutating func fault(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) throws(HTTP2Error) -> HTTP2Event {
        try budgets.spendStreamFault()
        output.appendReset(stream.number, code)
        remove(stream, .resetHere)
        return .reset(stream, isByPeer: false, code: code.rawValue)
    }

    /// Resets a stream that the caller does not know of.
    mutating func refuse(_ number: UInt32, _ code: HTTP2ErrorCode) throws(HTTP2Error) {
        try budgets.spendStreamFault()
        output.appendReset(number, code)
        closedStreams.add(number, .resetHere)
    }

    /// Forgets a stream.
    mutating func remove(_ stream: HTTP2Stream, _ way: ClosedStreams.Way) {
        dequeue(stream.place)
        waitingBytes &-= streams.states[stream.place].waiting
        streams.states[stream.place].waiting = 0
        streams.remove(stream)
        closedStreams.add(stream.number, way)
    }

    /// Decides about DATA or a header block for a stream that is not open.
    mutating func receivedForUnopened(_ number: UInt32) throws(HTTP2Error) {
        guard number <= highest, number & 1 == 1 else {
            throw HTTP2Error(.protocolError, "a frame belongs to a stream that was not opened")
        }
        switch closedStreams.way(number) {
        // The client may not have known, and of what closed long ago nothing is known here. It costs nothing to pass
        // by what may be the rest of a long message.
        case .resetHere, nil: return
        case .ended: throw HTTP2Error(.streamClosed, "a frame belongs to a stream that has ended")
        case .resetByPeer:
            try budgets.spendStreamFault()
            output.appendReset(number, .streamClosed)
        }
    }
}
