/// What a top-level field of a request body holds, as text.
package enum FieldText: Hashable, Sendable {
    /// The text.
    case text(String)
    /// More than the reader asked for.
    case tooLong

    /// `text`, unless it has more than `bytesMax` bytes.
    init(_ text: String, bytesMax: Int) {
        self = text.utf8.count > bytesMax ? .tooLong : .text(text)
    }
}

/// Finds top-level fields of request bodies by names that a configuration gives, all of them in one strict pass.
package struct FieldFinder: Sendable {
    /// The names, each one once; results have one place for each in this order.
    package let names: [String]
    private let bytesMax: Int

    /// Makes a finder.
    /// - Parameters:
    ///   - names: the fields; repetitions count once.
    ///   - bytesMax: the most bytes of a field's text.
    package init(names: [String], bytesMax: Int) {
        var unique: [String] = []
        for name in names where !unique.contains(name) { unique.append(name) }
        self.names = unique
        self.bytesMax = bytesMax
    }

    /// The fields of a JSON object: strings as they are, values of other types as their JSON. All of the document is
    /// validated.
    /// - Parameters:
    ///   - bytes: the whole body.
    ///   - depthLimit: the deepest nesting of objects and arrays, 1 to ``JSONScanner/deepestLimit``.
    /// - Returns: for each name its text; `nil` when the field is absent or `null`.
    /// - Throws: ``FormatError`` when the body is not a JSON object, has one of the fields twice, or escapes half a
    ///   surrogate pair in one.
    package func fields(ofJSON bytes: RawSpan, depthLimit: Int = 128) throws(FormatError) -> [FieldText?] {
        var found = [FieldText?](repeating: nil, count: names.count)
        var seen = [Bool](repeating: false, count: names.count)
        var scanner = JSONScanner(depthLimit: depthLimit)
        try scanner.enterBody(in: bytes)
        while let key = try scanner.nextKey(in: bytes) {
            let index = names.firstIndex { key.equals($0, in: bytes) }
            if let index, seen[index] {
                throw FormatError.duplicateField(names[index], byteOffset: key.range.lowerBound)
            }
            let value = try scanner.skipValue(in: bytes)
            guard let index else { continue }
            seen[index] = true
            guard value.kind != .null else { continue }
            guard let text = value.fieldText(in: bytes, bytesMax: bytesMax) else {
                throw FormatError(
                    .invalidField,
                    "the field '\(names[index])' escapes half a surrogate pair",
                    byteOffset: value.range.lowerBound,
                    parameter: names[index]
                )
            }
            found[index] = text
        }
        try scanner.finish(in: bytes)
        return found
    }

    /// The fields of a form in `multipart/form-data`; a file is no field.
    /// - Parameters:
    ///   - bytes: the whole body.
    ///   - boundary: from ``MediaType/boundary``.
    /// - Returns: for each name its text, `nil` when the form has none; `nil` altogether when the form is damaged, has
    ///   two parts with one of the names, or a field that is not UTF-8: two readers of such a form may read two things.
    package func fields(ofForm bytes: RawSpan, boundary: String) -> [FieldText?]? {
        var found = [FieldText?](repeating: nil, count: names.count)
        var seen = [Bool](repeating: false, count: names.count)
        var reader = MultipartReader(boundary: boundary)
        do throws(MultipartFault) {
            while let part = try reader.next(in: bytes) {
                guard let index = names.firstIndex(of: part.name) else { continue }
                guard !seen[index] else { return nil }
                seen[index] = true
                if part.isFile {
                    continue
                } else if part.content.count > bytesMax {
                    found[index] = .tooLong
                } else {
                    let text = bytes.extracting(part.content).withUnsafeBytes { String(validating: $0, as: UTF8.self) }
                    guard let text else { return nil }
                    found[index] = .text(text)
                }
            }
        } catch {
            return nil
        }
        return found
    }
}

extension JSONScanner {
    /// Enters the object that a request body must be.
    mutating func enterBody(in bytes: RawSpan) throws(FormatError) {
        let kind = try nextKind(in: bytes)
        guard kind == .object else {
            let message = "the request body must be a JSON object, not \(kind.phrase)"
            throw FormatError(.invalidField, message, byteOffset: offset)
        }
        try enterObject(in: bytes)
    }
}

extension FormatError {
    /// The error for a field that occurs twice.
    static func duplicateField(_ name: String, byteOffset: Int) -> FormatError {
        FormatError(
            .duplicateField,
            "the request body has the field '\(name)' twice",
            byteOffset: byteOffset,
            parameter: name
        )
    }
}
