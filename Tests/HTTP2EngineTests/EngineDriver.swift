@testable import HTTP2Engine

/// What an engine told, with the bytes themselves.
enum Seen: Equatable {
    case request(UInt32, [[String]], isLast: Bool)
    case data(UInt32, [UInt8], isLast: Bool)
    case trailers(UInt32, [[String]])
    case reset(UInt32, isByPeer: Bool, UInt32)
    case pong(UInt64)
    case failed(HTTP2ErrorCode)
}

/// An engine and the shell around it.
final class EngineDriver {
    private(set) var engine: HTTP2ServerEngine
    private(set) var seen: [Seen] = []
    private(set) var open: [UInt32: HTTP2Stream] = [:]
    private(set) var sent: [UInt8] = []
    private(set) var closed: [UInt32] = []
    private var waiting: [UInt32: [UInt8]] = [:]

    init(_ limits: HTTP2Limits = HTTP2Limits()) {
        engine = HTTP2ServerEngine(limits)
    }

    /// An engine that has met a client.
    static func met(_ limits: HTTP2Limits = HTTP2Limits()) -> EngineDriver {
        let driver = EngineDriver(limits)
        driver.feed(ClientBytes.hello)
        _ = driver.frames()
        return driver
    }

    /// Gives bytes to the engine in pieces of at most `piece` bytes.
    @discardableResult
    func feed(_ bytes: [UInt8], piece: Int = .max) -> EngineDriver {
        var rest = bytes[...]
        while !rest.isEmpty {
            feed(chunk: Array(rest.prefix(piece)))
            rest = rest.dropFirst(piece)
        }
        return self
    }

    private func feed(chunk: [UInt8]) {
        var offset = 0
        do throws(HTTP2Error) {
            while let event = try engine.next(in: chunk.span.bytes, from: &offset) { take(event, chunk) }
        } catch {
            seen.append(.failed(error.code))
        }
        precondition(offset == chunk.count || isDead, "a chunk is read to its end")
    }

    private var isDead: Bool {
        if case .failed = seen.last { true } else { false }
    }

    private func take(_ event: HTTP2Event, _ chunk: [UInt8]) {
        switch event {
        case .request(let stream, let isLast):
            open[stream.number] = stream
            seen.append(.request(stream.number, fields, isLast: isLast))
        case .data(let stream, let range, let isLast):
            if case .data(stream.number, let bytes, false) = seen.last {
                seen[seen.count - 1] = .data(stream.number, bytes + chunk[range], isLast: isLast)
            } else {
                seen.append(.data(stream.number, Array(chunk[range]), isLast: isLast))
            }
        case .trailers(let stream): seen.append(.trailers(stream.number, fields))
        case .reset(let stream, let isByPeer, let code):
            open[stream.number] = nil
            waiting[stream.number] = nil
            seen.append(.reset(stream.number, isByPeer: isByPeer, code))
        case .pingAcknowledged(let content): seen.append(.pong(content))
        }
    }

    private var fields: [[String]] {
        (0..<engine.header.count).map {
            let field = engine.header.field($0)
            return [field.name, field.value]
        }
    }

    // MARK: Answers

    func begin(_ stream: UInt32) {
        if let stream = open[stream] { engine.begin(stream) }
    }

    func send(_ bytes: [UInt8], _ stream: UInt32) {
        guard let open = open[stream], engine.send(bytes.count, open) else { return }
        waiting[stream, default: []] += bytes
    }

    func finish(_ stream: UInt32, _ status: Int = 0, resets: Bool = false) {
        guard let open = open[stream] else { return }
        engine.finish(open, with: HTTP2CallEnd(status: status), resetsBehindIt: resets)
    }

    func finish(_ stream: UInt32, with end: HTTP2CallEnd, resets: Bool) {
        if let stream = open[stream] { engine.finish(stream, with: end, resetsBehindIt: resets) }
    }

    func allow(_ count: Int, _ stream: UInt32) {
        if let stream = open[stream] { engine.allow(count, stream) }
    }

    func reset(_ stream: UInt32) {
        guard let open = open.removeValue(forKey: stream) else { return }
        waiting[stream] = nil
        engine.reset(open, .cancel)
    }

    func isRemoteDone(_ stream: UInt32) -> Bool {
        open[stream].map { engine.streams.states[$0.place].isRemoteDone } ?? true
    }

    func announceEnd() { engine.announceEnd() }
    func refuseStreams() { engine.refuseStreams() }
    func refill() { engine.refill() }

    /// Sends what may be sent.
    func flush() {
        while let output = engine.nextOutput() {
            takeOutput()
            switch output {
            case .data(let stream, let count):
                sent += waiting[stream.number]?.prefix(count) ?? []
                waiting[stream.number]?.removeFirst(count)
            case .closed(let stream):
                open[stream.number] = nil
                closed.append(stream.number)
            }
        }
        takeOutput()
    }

    private func takeOutput() {
        engine.takeOutput { bytes in bytes.withUnsafeBytes { sent += $0 } }
    }

    /// Sends what may be sent, and gives the frames since the last call.
    func frames() -> [SentFrame] {
        flush()
        defer { sent = [] }
        return SentFrame.all(sent)
    }
}
