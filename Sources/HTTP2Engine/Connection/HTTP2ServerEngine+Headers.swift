/// HEADERS and CONTINUATION frames.
extension HTTP2ServerEngine {
    mutating func receivedHeaders(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        guard head.stream & 1 == 1 else { throw HTTP2Error(.protocolError, "HEADERS belong to a stream of no client") }
        var start = range.lowerBound
        var padding = 0
        if head.has(FrameFlags.padded) {
            guard range.count >= 1 else { throw Self.shortHeaders }
            padding = Int(bytes.byte(at: start))
            start &+= 1
        }
        if head.has(FrameFlags.priority) {
            guard range.upperBound &- start >= 5 else { throw Self.shortHeaders }
            start &+= 5
        }
        guard padding <= range.upperBound &- start else {
            throw HTTP2Error(.protocolError, "padding is longer than its frame")
        }
        let block = start..<range.upperBound &- padding
        let isLast = head.has(FrameFlags.endStream)
        if head.has(FrameFlags.endHeaders) { return try receivedBlock(head.stream, isLast, block, bytes) }
        openBlock = OpenBlock(stream: head.stream, isLast: isLast)
        blockBytes.append(block, of: bytes)
        return nil
    }

    private static var shortHeaders: HTTP2Error {
        HTTP2Error(.frameSizeError, "a HEADERS frame is shorter than its flags say")
    }

    mutating func receivedContinuation(
        _ head: FrameHead,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        guard var block = openBlock else { throw HTTP2Error(.protocolError, "a CONTINUATION continues nothing") }
        let isWhole = head.has(FrameFlags.endHeaders)
        if range.isEmpty, !isWhole { try budgets.spendEmptyFrame() }
        block.frames += 1
        guard block.frames <= limits.maxContinuations, blockBytes.count + range.count <= limits.maxHeaderBytes else {
            throw HTTP2Error(.enhanceYourCalm, "a header block is longer than the limit")
        }
        blockBytes.append(range, of: bytes)
        openBlock = block
        guard isWhole else { return nil }
        openBlock = nil
        let whole = blockBytes
        blockBytes = []
        return try receivedBlock(block.stream, block.isLast, 0..<whole.count, whole.span.bytes)
    }

    /// A header block that is whole.
    private mutating func receivedBlock(
        _ number: UInt32,
        _ isLast: Bool,
        _ range: Range<Int>,
        _ bytes: RawSpan
    ) throws(HTTP2Error) -> HTTP2Event? {
        // Whatever becomes of the stream: the tables must stay in step.
        do throws(HPACKError) {
            try decoder.decode(range, of: bytes, into: &header)
        } catch .listTooLarge {
            throw HTTP2Error(.enhanceYourCalm, "a header list is several times larger than the limit")
        } catch {
            throw HTTP2Error(.compressionError, "a header block cannot be decoded")
        }
        if let stream = streams.find(number) { return try receivedTrailers(stream, isLast) }
        guard number > highest else {
            // Of a stream that was closed here its trailers may still come.
            guard closedStreams.way(number) != nil else {
                throw HTTP2Error(.protocolError, "a stream is opened behind one with a higher number")
            }
            try receivedForUnopened(number)
            return nil
        }
        highest = number
        budgets.streamOpened()
        guard number <= lastAccepted else {
            closedStreams.add(number, .resetHere)
            return nil
        }
        guard streams.count < limits.maxConcurrentStreams else {
            try refuse(number, .refusedStream)
            return nil
        }
        header.finishRequest()
        if isLast, header.contentLength ?? 0 != 0 { header.note(.invalidContentLength) }
        guard header.fault == nil, !header.isTooLarge else {
            try refuse(number, header.isTooLarge ? .enhanceYourCalm : .protocolError)
            return nil
        }
        var state = StreamState(
            number: number, sendWindow: initialSendWindow, receiveWindow: limits.streamWindowBytes)
        state.contentLeft = header.contentLength
        state.isRemoteDone = isLast
        return .request(streams.insert(state), isLast: isLast)
    }

    private mutating func receivedTrailers(_ stream: HTTP2Stream, _ isLast: Bool) throws(HTTP2Error) -> HTTP2Event? {
        guard !streams.states[stream.place].isRemoteDone else { return try fault(stream, .streamClosed) }
        header.finishTrailers()
        guard isLast, header.fault == nil, !header.isTooLarge, try endRemote(stream) else {
            return try fault(stream, .protocolError)
        }
        return .trailers(stream)
    }
}
