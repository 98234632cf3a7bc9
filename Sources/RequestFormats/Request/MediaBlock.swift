/// A picture, film or recording in the messages of a request.
package struct MediaBlock: Hashable, Sendable {
    /// What a block shows.
    package enum Kind: Hashable, Sendable {
        case image, video, audio
    }

    /// What it is.
    package let kind: Kind
    /// The string with its address, a `data:` address that holds it, or itself in base64. Not empty.
    package let content: JSONValue

    /// Calls `body` with the text of ``content``, its escapes resolved. Bytes are copied only when it has some.
    ///
    /// - Parameters:
    ///   - bytes: the body that the block was found in.
    ///   - body: what reads the text; the span must not be used after it returns.
    package func withContent<Result>(in bytes: RawSpan, _ body: (RawSpan) -> Result) -> Result {
        if content.hasEscapes, let text = JSONText.unescaped(content.contentRange, in: bytes) {
            return body(text.span.bytes)
        }
        return body(bytes.extracting(content.contentRange))
    }
}

extension MediaBlock {
    /// The media in a list of messages, in the order of the body.
    ///
    /// Found are OpenAI's blocks `image_url`, `video_url`, `audio_url`, `input_audio` and `input_image`, and
    /// Anthropic's `image`, also within a `tool_result`. A list whose first element is no object, such as one of token
    /// ids, is not looked at further. Nothing is refused here: where the bytes are no JSON the search ends.
    ///
    /// - Parameters:
    ///   - bytes: the whole body.
    ///   - messages: where the list stands; a range that is not within `bytes` has no media.
    ///   - limit: the most blocks to find.
    package static func blocks(in bytes: RawSpan, messages: Range<Int>, limit: Int) -> [MediaBlock] {
        guard messages.lowerBound >= 0, messages.upperBound <= bytes.byteCount else { return [] }
        var finder = MediaFinder(limit: limit)
        // What was found before the fault stays; the model server judges the body.
        try? finder.readMessages(at: messages.lowerBound, in: bytes.extracting(0..<messages.upperBound))
        return finder.found.sorted { $0.content.range.lowerBound < $1.content.range.lowerBound }
    }
}

/// One pass over a list of messages. The strings of texts are passed over as fast as in ``ParsedBody``.
private struct MediaFinder {
    /// Content of a tool's result stands within a block; nothing stands within that.
    private static let deepestContent = 2

    private(set) var found: [MediaBlock] = []
    private let limit: Int

    /// What one block holds; each member belongs to a type of block.
    private struct Block {
        var type: JSONValue?
        var imageURL: JSONValue?
        var videoURL: JSONValue?
        var audioURL: JSONValue?
        var audioData: JSONValue?
        var sourceURL: JSONValue?
        var sourceData: JSONValue?
    }

    init(limit: Int) {
        self.limit = limit
    }

    mutating func readMessages(at start: Int, in bytes: RawSpan) throws(FormatError) {
        var scanner = JSONScanner(at: start)
        guard try scanner.nextKind(in: bytes) == .array else { return }
        try scanner.enterArray(in: bytes)
        var isFirst = true
        while found.count < limit, try scanner.nextElement(in: bytes) {
            guard try scanner.nextKind(in: bytes) == .object else {
                if isFirst { return }
                _ = try scanner.skipValue(in: bytes)
                continue
            }
            isFirst = false
            try scanner.enterObject(in: bytes)
            while let key = try scanner.nextKey(in: bytes) {
                if key.equals("content", in: bytes) {
                    try readContent(&scanner, depth: 1, in: bytes)
                } else {
                    _ = try scanner.skipValue(in: bytes)
                }
            }
        }
    }

    private mutating func readContent(
        _ scanner: inout JSONScanner,
        depth: Int,
        in bytes: RawSpan
    ) throws(FormatError) {
        guard depth <= Self.deepestContent, try scanner.nextKind(in: bytes) == .array else {
            _ = try scanner.skipValue(in: bytes)
            return
        }
        try scanner.enterArray(in: bytes)
        while try scanner.nextElement(in: bytes) {
            if found.count < limit, try scanner.nextKind(in: bytes) == .object {
                try readBlock(&scanner, depth: depth, in: bytes)
            } else {
                _ = try scanner.skipValue(in: bytes)
            }
        }
    }

    private mutating func readBlock(
        _ scanner: inout JSONScanner,
        depth: Int,
        in bytes: RawSpan
    ) throws(FormatError) {
        var block = Block()
        try scanner.enterObject(in: bytes)
        while let key = try scanner.nextKey(in: bytes) {
            if key.equals("type", in: bytes) {
                block.type = try scanner.skipValue(in: bytes)
            } else if key.equals("image_url", in: bytes) {
                block.imageURL = try readMember("url", &scanner, in: bytes)
            } else if key.equals("video_url", in: bytes) {
                block.videoURL = try readMember("url", &scanner, in: bytes)
            } else if key.equals("audio_url", in: bytes) {
                block.audioURL = try readMember("url", &scanner, in: bytes)
            } else if key.equals("input_audio", in: bytes) {
                block.audioData = try readMember("data", &scanner, in: bytes)
            } else if key.equals("source", in: bytes) {
                (block.sourceURL, block.sourceData) = try readMembers("url", "data", &scanner, in: bytes)
            } else if key.equals("content", in: bytes) {
                try readContent(&scanner, depth: depth + 1, in: bytes)
            } else {
                _ = try scanner.skipValue(in: bytes)
            }
        }
        note(block, in: bytes)
    }

    private mutating func note(_ block: Block, in bytes: RawSpan) {
        guard let type = block.type, found.count < limit else { return }
        let kind: MediaBlock.Kind
        let content: JSONValue?
        if type.equals("image_url", in: bytes) || type.equals("input_image", in: bytes) {
            (kind, content) = (.image, block.imageURL)
        } else if type.equals("image", in: bytes) {
            (kind, content) = (.image, block.sourceURL ?? block.sourceData)
        } else if type.equals("video_url", in: bytes) {
            (kind, content) = (.video, block.videoURL)
        } else if type.equals("input_audio", in: bytes) {
            (kind, content) = (.audio, block.audioData)
        } else if type.equals("audio_url", in: bytes) {
            (kind, content) = (.audio, block.audioURL)
        } else {
            return
        }
        if let content { found.append(MediaBlock(kind: kind, content: content)) }
    }

    private func readMember(
        _ name: StaticString,
        _ scanner: inout JSONScanner,
        in bytes: RawSpan
    ) throws(FormatError) -> JSONValue? {
        try readMembers(name, name, &scanner, in: bytes).0
    }

    /// Two members of the object that comes next, as far as they are strings that are not empty. A string in its place
    /// stands for the first.
    private func readMembers(
        _ first: StaticString,
        _ second: StaticString,
        _ scanner: inout JSONScanner,
        in bytes: RawSpan
    ) throws(FormatError) -> (JSONValue?, JSONValue?) {
        guard try scanner.nextKind(in: bytes) == .object else {
            return (Self.text(try scanner.skipValue(in: bytes)), nil)
        }
        var members: (JSONValue?, JSONValue?)
        try scanner.enterObject(in: bytes)
        while let key = try scanner.nextKey(in: bytes) {
            let value = try scanner.skipValue(in: bytes)
            if key.equals(first, in: bytes) {
                members.0 = Self.text(value)
            } else if key.equals(second, in: bytes) {
                members.1 = Self.text(value)
            }
        }
        return members
    }

    private static func text(_ value: JSONValue) -> JSONValue? {
        value.kind == .string && !value.contentRange.isEmpty ? value : nil
    }
}
