import RequestFormats

/// The body of a request that acts: one JSON object of texts, numbers and truths.
struct ActionBody {
    private let bytes: [UInt8]
    private var values: [String: JSONValue] = [:]

    /// Reads `bytes`.
    ///
    /// - Throws: ``FormatError`` for what is no JSON object, or has a member twice.
    init(_ bytes: [UInt8]) throws(FormatError) {
        self.bytes = bytes
        var scanner = JSONScanner()
        let span = bytes.span.bytes
        let kind = try scanner.nextKind(in: span)
        guard kind == .object else {
            throw FormatError(.invalidField, "the body must be a JSON object, not \(kind.phrase)", byteOffset: 0)
        }
        try scanner.enterObject(in: span)
        while let key = try scanner.nextKey(in: span) {
            let name = key.string(in: span) ?? ""
            let value = try scanner.skipValue(in: span)
            guard values.updateValue(value, forKey: name) == nil else {
                let message = "the body has '\(name)' twice"
                throw FormatError(.duplicateField, message, byteOffset: key.range.lowerBound)
            }
        }
        try scanner.finish(in: span)
    }

    /// The bytes of a member as they were written; `nil` when it is absent or `null`.
    func raw(_ name: String) -> (kind: JSONKind, bytes: ArraySlice<UInt8>)? {
        values[name].flatMap { $0.kind == .null ? nil : ($0.kind, bytes[$0.range]) }
    }

    /// A text; `nil` when it is absent or `null`.
    func text(_ name: String) throws(FormatError) -> String? {
        guard let value = values[name], value.kind != .null else { return nil }
        guard let text = value.string(in: bytes.span.bytes) else { throw wrong(name, value, "a text") }
        return text
    }

    /// A text that must be there.
    func requiredText(_ name: String) throws(FormatError) -> String {
        guard let text = try text(name), !text.isEmpty else { throw absent(name) }
        return text
    }

    /// A truth that must be there.
    func requiredFlag(_ name: String) throws(FormatError) -> Bool {
        guard let value = values[name] else { throw absent(name) }
        guard value.kind == .boolean else { throw wrong(name, value, "true or false") }
        return value.isTrue(in: bytes.span.bytes)
    }

    /// A whole number from 0; `nil` when it is absent or `null`.
    func integer(_ name: String) throws(FormatError) -> Int? {
        guard let value = values[name], value.kind != .null else { return nil }
        guard let number = value.nonNegativeInteger(in: bytes.span.bytes) else {
            throw wrong(name, value, "a whole number from 0")
        }
        return number
    }

    /// The members of an object of texts; empty when it is absent or `null`.
    func texts(_ name: String) throws(FormatError) -> [(name: String, value: String)] {
        guard let value = values[name], value.kind != .null else { return [] }
        guard value.kind == .object else { throw wrong(name, value, "an object of texts") }
        let span = bytes.span.bytes
        var scanner = JSONScanner(at: value.range.lowerBound)
        var texts: [(name: String, value: String)] = []
        try scanner.enterObject(in: span)
        while let key = try scanner.nextKey(in: span) {
            let inner = try scanner.skipValue(in: span)
            guard let name = key.string(in: span), let text = inner.string(in: span) else {
                throw wrong(name, value, "an object of texts")
            }
            texts.append((name, text))
        }
        return texts
    }

    private func absent(_ name: String) -> FormatError {
        FormatError(.invalidField, "the body needs '\(name)'", byteOffset: 0, parameter: name)
    }

    private func wrong(_ name: String, _ value: JSONValue, _ expected: String) -> FormatError {
        let message = "'\(name)' must be \(expected), not \(value.kind.phrase)"
        return FormatError(.invalidField, message, byteOffset: value.range.lowerBound, parameter: name)
    }
}
