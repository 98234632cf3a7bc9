/// What the server sends.
extension HTTP2ServerEngine {
    /// The most bytes of a DATA frame, even if the client would take longer ones: streams take turns by frame.
    private static let longestFrame = 64 << 10

    // MARK: What there is to send

    /// Begins the response of a stream.
    package mutating func begin(_ stream: HTTP2Stream) {
        guard streams.isOpen(stream), !streams.states[stream.place].isBegun else { return }
        streams.states[stream.place].isBegun = true
        streams.states[stream.place].isProcessed = true
        let start = beginBlock(stream.number, flags: FrameFlags.endHeaders)
        output += ResponseFields.begin
        endBlock(start)
    }

    /// Adds `count` bytes to those that wait to be sent on a stream, which must have begun and not be finished. How
    /// many may wait is the caller's to bound.
    ///
    /// - Returns: whether they will be sent; `false` when the stream is over.
    package mutating func send(_ count: Int, _ stream: HTTP2Stream) -> Bool {
        guard !hasFailed, streams.isOpen(stream), streams.states[stream.place].end == nil else { return false }
        streams.states[stream.place].waiting &+= count
        waitingBytes &+= count
        enqueue(stream.place)
        return true
    }

    /// Ends a stream behind what waits.
    ///
    /// - Parameters:
    ///   - end: the trailers; without a response that has begun, they are all of it.
    ///   - resetsBehindIt: whether the stream is reset with NO_ERROR unless the client has ended its side as well.
    package mutating func finish(_ stream: HTTP2Stream, with end: HTTP2CallEnd, resetsBehindIt: Bool) {
        guard streams.isOpen(stream), streams.states[stream.place].end == nil else { return }
        streams.states[stream.place].end = end
        streams.states[stream.place].resetsBehindEnd = resetsBehindIt
        streams.states[stream.place].isProcessed = true
        enqueue(stream.place)
    }

    /// Resets a stream, whatever waits.
    package mutating func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        guard streams.isOpen(stream) else { return }
        output.appendReset(stream.number, code)
        remove(stream, .resetHere)
    }

    /// Lets the client send so many bytes more on a stream.
    package mutating func allow(_ count: Int, _ stream: HTTP2Stream) {
        guard streams.isOpen(stream), !streams.states[stream.place].isRemoteDone else { return }
        let window = streams.states[stream.place].receiveWindow
        let increment = min(count &+ streams.states[stream.place].paddingBytes, HTTP2Numbers.largestWindow &- window)
        guard increment > 0 else { return }
        streams.states[stream.place].paddingBytes = 0
        streams.states[stream.place].receiveWindow = window &+ increment
        output.appendWindowUpdate(stream.number, increment)
    }

    /// Asks the client for a sign of life.
    package mutating func ping(_ content: UInt64) {
        output.appendPing(content, isAck: false)
    }

    /// Tells the client that it should open no more streams; those that it opens all the same are taken.
    package mutating func announceEnd() {
        output.appendGoAway(last: HTTP2Numbers.largestStream, .noError)
    }

    /// Tells the client that streams which it opens from now on are not looked at.
    package mutating func refuseStreams(_ code: HTTP2ErrorCode = .noError) {
        // What was named once must not rise again (RFC 9113, 6.8).
        lastAccepted = min(lastAccepted, highest)
        output.appendGoAway(last: lastAccepted, code)
    }

    // MARK: What may go

    /// Forgets all streams and ignores everything further, because the connection is over.
    package mutating func abandon() {
        hasFailed = true
    }

    /// What may be sent next; `nil` when there is nothing, or nothing that the client's windows let pass.
    package mutating func nextOutput() -> HTTP2Output? {
        // Of streams whose connection has failed nothing is sent any more: only what stands in the output already.
        guard !hasFailed else { return nil }
        var place = firstReady
        while place >= 0 {
            let stream = HTTP2Stream(number: streams.states[place].number, place: place)
            let next = streams.states[place].next
            defer { place = next }
            if streams.states[place].waiting > 0 {
                // An end needs no window: those behind may go.
                guard sendWindow > 0 else { continue }
                guard streams.states[place].sendWindow > 0 else {
                    dequeue(place)
                    continue
                }
                return .data(stream, writeData(stream))
            }
            dequeue(place)
            if writeEnd(stream) { return .closed(stream) }
        }
        return nil
    }

    /// Writes the head of a DATA frame; returns how many bytes belong to it.
    private mutating func writeData(_ stream: HTTP2Stream) -> Int {
        let place = stream.place
        let window = min(sendWindow, streams.states[place].sendWindow)
        let count = min(streams.states[place].waiting, window, maxFrameBytes, Self.longestFrame)
        streams.states[place].waiting &-= count
        streams.states[place].sendWindow &-= count
        sendWindow &-= count
        waitingBytes &-= count
        output.append(frame: FrameType.data, flags: 0, length: count, stream: stream.number)
        if streams.states[place].waiting > 0 {
            // The others have their turn.
            if firstReady != lastReady {
                dequeue(place)
                enqueue(place)
            }
        } else if streams.states[place].end == nil {
            dequeue(place)
        }
        return count
    }

    /// Writes a stream's end, if it is due; whether the stream is over.
    private mutating func writeEnd(_ stream: HTTP2Stream) -> Bool {
        let place = stream.place
        if let end = streams.states[place].end, !streams.states[place].isLocalDone {
            let start = beginBlock(stream.number, flags: FrameFlags.endHeaders | FrameFlags.endStream)
            if !streams.states[place].isBegun { output += ResponseFields.begin }
            ResponseFields.append(end, to: &output)
            endBlock(start)
            streams.states[place].isLocalDone = true
        }
        guard streams.states[place].isLocalDone else { return false }
        if streams.states[place].isRemoteDone {
            remove(stream, .ended)
        } else if streams.states[place].resetsBehindEnd {
            output.appendReset(stream.number, .noError)
            remove(stream, .resetHere)
        } else {
            return false
        }
        return true
    }

    /// Writes the head of a HEADERS frame; returns where its block starts.
    private mutating func beginBlock(_ number: UInt32, flags: UInt8) -> Int {
        output.append(frame: FrameType.headers, flags: flags, length: 0, stream: number)
        let start = output.count
        if announcesEmptyTable {
            announcesEmptyTable = false
            hasAnnouncedEmptyTable = true
            output.append(0x20)
        }
        return start
    }

    /// Writes the length of the HEADERS frame whose block starts at `start`.
    private mutating func endBlock(_ start: Int) {
        let length = output.count &- start
        output[start &- 9] = UInt8(truncatingIfNeeded: length &>> 16)
        output[start &- 8] = UInt8(truncatingIfNeeded: length &>> 8)
        output[start &- 7] = UInt8(truncatingIfNeeded: length)
    }

    // MARK: The queue

    /// Puts a stream at the end of the queue if it can send something.
    @inline(__always)
    mutating func enqueue(_ place: Int) {
        guard !streams.states[place].isQueued else { return }
        let hasBytes = streams.states[place].waiting > 0
        guard hasBytes ? streams.states[place].sendWindow > 0 : streams.states[place].end != nil else { return }
        streams.states[place].isQueued = true
        streams.states[place].previous = lastReady
        streams.states[place].next = -1
        if lastReady >= 0 { streams.states[lastReady].next = place } else { firstReady = place }
        lastReady = place
    }

    @inline(__always)
    mutating func dequeue(_ place: Int) {
        guard streams.states[place].isQueued else { return }
        let (previous, next) = (streams.states[place].previous, streams.states[place].next)
        if previous >= 0 { streams.states[previous].next = next } else { firstReady = next }
        if next >= 0 { streams.states[next].previous = previous } else { lastReady = previous }
        streams.states[place].isQueued = false
    }
}
