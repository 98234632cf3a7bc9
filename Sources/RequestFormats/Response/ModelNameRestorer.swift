/// Puts the name of the model that a client asked for into the response of the model that served it.
///
/// Works on the response's bytes as they pass: a value of `model` that equals the served model's name, where a response
/// of the API tells its model, is replaced, and no other byte is touched; see ``ModelValueFinder``. In an event stream
/// each `data` line is a document of its own. Any way to cut the body gives the same bytes. What is held back is the
/// beginning of a value that may still become the name: at most six times the name's bytes, and its quotes.
package struct ModelNameRestorer: Sendable {
    /// What is known of the line of an event stream.
    private enum Line: Hashable, Sendable {
        /// The line equals the field name so far: this many of its bytes.
        case fieldName(matched: Int)
        /// A data line, behind the field name.
        case data
        /// Another field, or a comment.
        case other
    }

    private static let fieldName: StaticString = "data:"

    private let replacement: [UInt8]
    private let isEventStream: Bool
    private var line = Line.fieldName(matched: 0)
    private var finder: ModelValueFinder
    /// The beginning of a value that may become the name, from earlier pieces.
    private var held: [UInt8] = []

    /// Makes a restorer for one response.
    ///
    /// - Parameters:
    ///   - name: the model that the client asked for.
    ///   - served: the model that serves.
    ///   - api: the format of the request.
    ///   - isEventStream: whether the response's content type is `text/event-stream`.
    package init(name: String, servedAs served: String, api: InferenceAPI, isEventStream: Bool) {
        var writer = JSONWriter()
        writer.string(name)
        replacement = writer.bytes
        self.isEventStream = isEventStream
        finder = ModelValueFinder(name: served, envelope: isEventStream ? api.streamEnvelope : nil)
    }

    /// Reads the next bytes of the body.
    ///
    /// - Returns: the bytes that take their place, none when all are held back; `nil` when they go on as they are.
    package mutating func restore(_ bytes: RawSpan) -> [UInt8]? {
        var splice = Splice(candidate: finder.isInModel ? 0 : nil)
        if isEventStream {
            restoreLines(bytes, &splice)
        } else {
            var offset = 0
            restoreDocument(bytes, from: &offset, to: bytes.byteCount, &splice)
        }
        if let candidate = splice.candidate {
            splice.take(bytes, to: candidate)
            bytes.extracting(candidate..<bytes.byteCount).withUnsafeBytes { held.append(contentsOf: $0) }
            return splice.bytes
        }
        guard splice.isChanged else { return nil }
        splice.take(bytes, to: bytes.byteCount)
        return splice.bytes
    }

    /// Ends the body.
    ///
    /// - Returns: what was held back: the beginning of a value whose end did not come.
    package mutating func finish() -> [UInt8] {
        let rest = held
        held = []
        finder.restart()
        return rest
    }

    private mutating func restoreLines(_ bytes: RawSpan, _ splice: inout Splice) {
        var offset = 0
        while offset < bytes.byteCount {
            switch line {
            case .fieldName(let matched):
                let byte = bytes.byte(at: offset)
                if byte == Self.fieldName.utf8Start[matched] {
                    offset &+= 1
                    let isWhole = matched + 1 == Self.fieldName.utf8CodeUnitCount
                    line = isWhole ? .data : .fieldName(matched: matched + 1)
                } else {
                    line = .other
                }
            case .data:
                let end = bytes.firstLineEnd(from: offset)
                restoreDocument(bytes, from: &offset, to: end ?? bytes.byteCount, &splice)
                if end != nil { endLine(&offset, &splice) }
            case .other:
                offset = bytes.firstLineEnd(from: offset) ?? bytes.byteCount
                if offset < bytes.byteCount { endLine(&offset, &splice) }
            }
        }
    }

    /// Passes the byte that ends a line. A value that it cuts is none.
    private mutating func endLine(_ offset: inout Int, _ splice: inout Splice) {
        offset &+= 1
        line = .fieldName(matched: 0)
        if finder.isInModel { release(&splice) }
        finder.restart()
    }

    private mutating func restoreDocument(
        _ bytes: RawSpan,
        from offset: inout Int,
        to end: Int,
        _ splice: inout Splice
    ) {
        while let event = finder.next(in: bytes, from: &offset, to: end) {
            switch event {
            case .begins(let start):
                splice.candidate = start
            case .isOther:
                release(&splice)
            case .isName(let end):
                splice.take(bytes, to: splice.candidate ?? end)
                splice.replace(to: end, with: replacement)
                held = []
            }
        }
    }

    /// Lets go of a value that is not the name: what was held of it stands in front of everything of this piece.
    private mutating func release(_ splice: inout Splice) {
        splice.candidate = nil
        guard !held.isEmpty else { return }
        splice.insert(held)
        held = []
    }
}

/// What becomes of one piece of a body.
private struct Splice {
    /// Where a value that may be the name begins in the piece; `nil` while there is none.
    var candidate: Int?
    /// The bytes that take the piece's place, as far as they are known.
    private(set) var bytes: [UInt8] = []
    /// Whether these are others than the piece's.
    private(set) var isChanged = false
    /// Where the bytes of the piece begin that have not been taken.
    private var taken = 0

    init(candidate: Int?) {
        self.candidate = candidate
    }

    /// Takes the bytes up to `end` as they are.
    mutating func take(_ piece: RawSpan, to end: Int) {
        guard taken < end else { return }
        piece.extracting(taken..<end).withUnsafeBytes { bytes.append(contentsOf: $0) }
        taken = end
    }

    /// Puts `replacement` in the place of the bytes up to `end`.
    mutating func replace(to end: Int, with replacement: [UInt8]) {
        candidate = nil
        isChanged = true
        bytes += replacement
        taken = end
    }

    /// Puts bytes of earlier pieces here.
    mutating func insert(_ earlier: [UInt8]) {
        isChanged = true
        bytes += earlier
    }
}

extension InferenceAPI {
    /// The member of a stream's events that holds the response, and in it the model; `nil` when the event itself does.
    fileprivate var streamEnvelope: StaticString? {
        switch self {
        case .responses: "response"
        case .messages: "message"
        default: nil
        }
    }
}
