import RequestFormats

/// A JSON document as a tree, for documents of which nearly everything is wanted.
indirect enum JSONTree: Equatable {
    case object([String: JSONTree])
    case array([JSONTree])
    case string(String)
    case number(Double)
    case boolean(Bool)
    case null

    /// Reads a document.
    ///
    /// - Throws: ``FormatError`` for bytes that are none, or that are nested too deeply.
    init(_ bytes: RawSpan) throws {
        var scanner = JSONScanner()
        self = try Self.next(&scanner, bytes)
        try scanner.finish(in: bytes)
    }

    /// The member called `key`; `nil` when there is none.
    subscript(key: String) -> JSONTree? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// The elements; none for what is no array.
    var elements: [JSONTree] {
        if case .array(let elements) = self { elements } else { [] }
    }

    /// The text; `nil` for what is no string.
    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The number; `nil` for what is none.
    var number: Double? {
        if case .number(let number) = self { number } else { nil }
    }

    /// Whether this is `true`.
    var isTrue: Bool { self == .boolean(true) }

    // The scanner bounds the depth.
    private static func next(_ scanner: inout JSONScanner, _ bytes: RawSpan) throws -> JSONTree {
        switch try scanner.nextKind(in: bytes) {
        case .object:
            var members: [String: JSONTree] = [:]
            try scanner.enterObject(in: bytes)
            while let key = try scanner.nextKey(in: bytes) {
                members[key.string(in: bytes) ?? ""] = try next(&scanner, bytes)
            }
            return .object(members)
        case .array:
            var elements: [JSONTree] = []
            try scanner.enterArray(in: bytes)
            while try scanner.nextElement(in: bytes) { elements.append(try next(&scanner, bytes)) }
            return .array(elements)
        case .string: return .string(try scanner.skipValue(in: bytes).string(in: bytes) ?? "")
        case .number:
            let range = try scanner.skipValue(in: bytes).range
            let text = bytes.extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            return .number(Double(text) ?? 0)
        case .boolean: return .boolean(try scanner.skipValue(in: bytes).isTrue(in: bytes))
        case .null:
            _ = try scanner.skipValue(in: bytes)
            return .null
        }
    }
}
