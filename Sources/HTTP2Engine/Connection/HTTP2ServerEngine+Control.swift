/// The frames that carry neither header fields nor bytes of messages.
extension HTTP2ServerEngine {
    mutating func receivedReset(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        guard head.stream != 0 else { throw HTTP2Error(.protocolError, "RST_STREAM belongs to no stream") }
        guard range.count == 4 else { throw HTTP2Error(.frameSizeError, "RST_STREAM has not four bytes") }
        guard let stream = streams.find(head.stream) else {
            try passUnopened(head)
            return nil
        }
        if !streams.states[stream.place].isProcessed { try budgets.spendUnprocessedReset() }
        remove(stream, .resetByPeer)
        return .reset(stream, isByPeer: true, code: bytes.number32(at: range.lowerBound))
    }

    mutating func receivedWindowUpdate(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        guard range.count == 4 else { throw HTTP2Error(.frameSizeError, "WINDOW_UPDATE has not four bytes") }
        let increment = Int(bytes.number32(at: range.lowerBound) & 0x7FFF_FFFF)
        guard head.stream != 0 else {
            guard increment > 0 else { throw HTTP2Error(.protocolError, "a window is opened by nothing") }
            sendWindow &+= increment
            guard sendWindow <= HTTP2Numbers.largestWindow else {
                throw HTTP2Error(.flowControlError, "the connection's window is opened too far")
            }
            return nil
        }
        guard let stream = streams.find(head.stream) else {
            try passUnopened(head)
            return nil
        }
        guard increment > 0 else { return try fault(stream, .protocolError) }
        streams.states[stream.place].sendWindow &+= increment
        guard streams.states[stream.place].sendWindow <= HTTP2Numbers.largestWindow else {
            return try fault(stream, .flowControlError)
        }
        enqueue(stream.place)
        return nil
    }

    /// A frame that may still come for a closed stream, but not for one that was never opened.
    private mutating func passUnopened(_ head: FrameHead) throws(HTTP2Error) {
        guard head.stream <= highest, head.stream & 1 == 1 else {
            throw HTTP2Error(.protocolError, "a frame belongs to a stream that was not opened")
        }
        if !budgets.takeLateFrame() { try budgets.spendControlFrame() }
    }

    mutating func receivedPing(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        guard head.stream == 0 else { throw HTTP2Error(.protocolError, "PING belongs to a stream") }
        guard range.count == 8 else { throw HTTP2Error(.frameSizeError, "PING has not eight bytes") }
        try budgets.spendControlFrame()
        let content =
            UInt64(bytes.number32(at: range.lowerBound)) &<< 32 | UInt64(bytes.number32(at: range.lowerBound &+ 4))
        if head.has(FrameFlags.ack) { return .pingAcknowledged(content) }
        output.appendPing(content, isAck: true)
        return nil
    }

    mutating func receivedPriority(_ head: FrameHead) throws(HTTP2Error) -> HTTP2Event? {
        guard head.stream != 0 else { throw HTTP2Error(.protocolError, "PRIORITY belongs to no stream") }
        try budgets.spendControlFrame()
        guard head.length != 5 else { return nil }
        // A stream's error, but a stream that is not open cannot be reset.
        guard let stream = streams.find(head.stream) else {
            throw HTTP2Error(.frameSizeError, "PRIORITY has not five bytes")
        }
        return try fault(stream, .frameSizeError)
    }

    mutating func receivedGoAway(_ head: FrameHead) throws(HTTP2Error) {
        guard head.stream == 0 else { throw HTTP2Error(.protocolError, "GOAWAY belongs to a stream") }
        guard head.length >= 8 else { throw HTTP2Error(.frameSizeError, "GOAWAY has less than eight bytes") }
        // The client opens no more streams, which needs nothing done.
        try budgets.spendControlFrame()
    }

    mutating func receivedSettings(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) {
        guard head.stream == 0 else { throw HTTP2Error(.protocolError, "SETTINGS belong to a stream") }
        try budgets.spendControlFrame()
        if head.has(FrameFlags.ack) {
            guard range.isEmpty else { throw HTTP2Error(.frameSizeError, "an acknowledgement has settings") }
            return
        }
        guard range.count % 6 == 0 else { throw HTTP2Error(.frameSizeError, "SETTINGS are cut within a setting") }
        var window = initialSendWindow
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 6) {
            try apply(bytes.number16(at: offset), Int(bytes.number32(at: offset &+ 2)), &window)
        }
        if window != initialSendWindow { try changeWindows(to: window) }
        hasBegun = true
        output.append(frame: FrameType.settings, flags: FrameFlags.ack, length: 0, stream: 0)
    }

    private mutating func apply(_ setting: Int, _ value: Int, _ window: inout Int) throws(HTTP2Error) {
        switch setting {
        case SettingNumber.headerTableSize:
            // What was the table's size when nothing was said must be taken back once (RFC 7541, 4.2).
            if value < 4_096, !hasAnnouncedEmptyTable { announcesEmptyTable = true }
        case SettingNumber.enablePush:
            guard value <= 1 else { throw HTTP2Error(.protocolError, "ENABLE_PUSH is neither 0 nor 1") }
        case SettingNumber.initialWindowSize:
            guard value <= HTTP2Numbers.largestWindow else {
                throw HTTP2Error(.flowControlError, "INITIAL_WINDOW_SIZE is too large")
            }
            window = value
        case SettingNumber.maxFrameSize:
            guard HTTP2Numbers.smallestMaxFrame...HTTP2Numbers.largestMaxFrame ~= value else {
                throw HTTP2Error(.protocolError, "MAX_FRAME_SIZE is out of its bounds")
            }
            maxFrameBytes = value
        default: break
        }
    }

    /// A new INITIAL_WINDOW_SIZE changes the windows of the open streams (RFC 9113, 6.9.2). Only the last one of a
    /// frame counts, so that a frame is one walk over the streams.
    private mutating func changeWindows(to window: Int) throws(HTTP2Error) {
        try budgets.spendControlFrame(cost: streams.count / 64)
        let change = window &- initialSendWindow
        initialSendWindow = window
        for place in streams.states.indices where streams.states[place].number != 0 {
            streams.states[place].sendWindow &+= change
            guard streams.states[place].sendWindow <= HTTP2Numbers.largestWindow else {
                throw HTTP2Error(.flowControlError, "INITIAL_WINDOW_SIZE opens a stream's window too far")
            }
            enqueue(place)
        }
    }
}
