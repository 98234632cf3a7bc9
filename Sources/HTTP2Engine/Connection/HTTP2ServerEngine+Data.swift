/// DATA frames.
extension HTTP2ServerEngine {
    /// Takes the head of a DATA frame.
    mutating func beginData(_ head: FrameHead) throws(HTTP2Error) -> HTTP2Event? {
        guard head.stream != 0 else { throw HTTP2Error(.protocolError, "DATA belongs to no stream") }
        receiveWindow &-= head.length
        guard receiveWindow >= 0 else {
            throw HTTP2Error(.flowControlError, "the client sent more than the connection's window")
        }
        openConnectionWindow()
        let isPadded = head.has(FrameFlags.padded)
        guard !isPadded || head.length > 0 else {
            throw HTTP2Error(.frameSizeError, "a padded DATA frame has no padding length")
        }
        frame = DataFrame(
            stream: nil, left: isPadded ? head.length &- 1 : head.length, isLast: head.has(FrameFlags.endStream))
        reading = isPadded ? .paddingLength : .data
        guard let stream = streams.find(head.stream) else {
            if head.length == 0, !budgets.takeLateFrame() { try budgets.spendEmptyFrame() }
            try receivedForUnopened(head.stream)
            return nil
        }
        guard !streams.states[stream.place].isRemoteDone else { return try fault(stream, .streamClosed) }
        streams.states[stream.place].receiveWindow &-= head.length
        guard streams.states[stream.place].receiveWindow >= 0 else { return try fault(stream, .flowControlError) }
        frame.stream = stream
        if head.length == 0, !frame.isLast { try budgets.spendEmptyFrame() }
        return nil
    }

    /// Takes the length of a DATA frame's padding, which comes first.
    mutating func takePaddingLength(_ byte: UInt8) throws(HTTP2Error) {
        let padding = Int(byte)
        guard padding <= frame.left else { throw HTTP2Error(.protocolError, "padding is longer than its frame") }
        frame.left &-= padding
        frame.padding = padding
        reading = .data
        if let stream = frame.stream, streams.isOpen(stream) {
            streams.states[stream.place].paddingBytes &+= padding &+ 1
        }
        if frame.left == 0, !frame.isLast { try budgets.spendEmptyFrame() }
    }

    /// The next part of a DATA frame's content; `nil` when it was passed by, or more of it is to come.
    mutating func data(_ chunk: RawSpan, _ offset: inout Int) throws(HTTP2Error) -> HTTP2Event? {
        let available = chunk.byteCount &- offset
        let count = min(frame.left, available)
        let range = offset..<offset &+ count
        offset &+= count
        frame.left &-= count
        if frame.left == 0 {
            let padding = min(frame.padding, available &- count)
            offset &+= padding
            frame.padding &-= padding
        }
        let isComplete = frame.left == 0 && frame.padding == 0
        if isComplete { reading = .frame }
        // The stream may have been closed since the frame began.
        guard let stream = frame.stream, streams.isOpen(stream) else { return nil }
        if count > 0 {
            streams.states[stream.place].isProcessed = true
            if let left = streams.states[stream.place].contentLeft {
                guard count <= left else {
                    frame.stream = nil
                    return try fault(stream, .protocolError)
                }
                streams.states[stream.place].contentLeft = left &- count
            }
        }
        guard isComplete, frame.isLast else {
            return count > 0 ? .data(stream, range, isLast: false) : nil
        }
        guard try endRemote(stream) else { return try fault(stream, .protocolError) }
        return .data(stream, range, isLast: true)
    }

    /// The client has ended its side; whether it may at this place.
    mutating func endRemote(_ stream: HTTP2Stream) throws(HTTP2Error) -> Bool {
        guard streams.states[stream.place].contentLeft ?? 0 == 0 else { return false }
        streams.states[stream.place].isRemoteDone = true
        if streams.states[stream.place].isLocalDone { enqueue(stream.place) }
        return true
    }

    /// Gives the connection's window back when half of it is used.
    @inline(__always)
    private mutating func openConnectionWindow() {
        let whole = max(limits.connectionWindowBytes, HTTP2Numbers.initialWindow)
        guard receiveWindow <= whole / 2 else { return }
        output.appendWindowUpdate(0, whole &- receiveWindow)
        receiveWindow = whole
    }
}
