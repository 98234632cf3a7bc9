/// Why a page is no model list.
package struct ModelListError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package let problem: String
    /// Where, in bytes from the start of the page.
    package let offset: Int

    package var description: String { "the model list is not valid: \(problem) at byte \(offset)" }
}

/// Reads the answer to `GET /v1/models`: `{"data": [{"id": "…", …}, …], …}`.
///
/// The entries are kept as bytes and served again, so the whole page is checked to be JSON (RFC 8259) and UTF-8.
/// Bounded in depth and in the number of entries; no input traps.
package enum ModelListReader {
    /// The most entries of one list.
    package static let entriesMax = 10_000
    /// The deepest nesting of a page.
    package static let depthMax = 64

    /// The entries in their order, each name once.
    ///
    /// - Throws: ``ModelListError``.
    package static func read(_ page: RawSpan) throws(ModelListError) -> [ServedModel] {
        guard page.isUTF8 else { throw ModelListError(problem: "it is not UTF-8", offset: 0) }
        var reader = JSONWalker()
        var models: [ServedModel]?
        reader.skipSpace(page)
        try reader.object(page, depth: 0) { (reader, key) throws(ModelListError) in
            guard key == "data" else { return try reader.skipValue(page, depth: 1) }
            models = try entries(&reader, page)
        }
        reader.skipSpace(page)
        guard reader.offset == page.byteCount else { throw reader.error("something stands behind the object") }
        guard let models else { throw ModelListError(problem: "there is no array called 'data'", offset: 0) }
        return models
    }

    private static func entries(_ reader: inout JSONWalker, _ page: RawSpan) throws(ModelListError) -> [ServedModel] {
        var models: [ServedModel] = []
        var seen: Set<String> = []
        try reader.array(page, depth: 1) { (reader) throws(ModelListError) in
            let start = reader.offset
            var id: String?
            var parent: String?
            try reader.object(page, depth: 2) { (reader, key) throws(ModelListError) in
                if key == "id" {
                    id = try reader.string(page)
                } else if key == "parent", reader.isAtString(page) {
                    parent = try reader.string(page)
                } else {
                    try reader.skipValue(page, depth: 3)
                }
            }
            guard let id, !id.isEmpty else { throw ModelListError(problem: "an entry has no 'id'", offset: start) }
            guard models.count < entriesMax else {
                throw ModelListError(problem: "there are more than \(entriesMax) entries", offset: start)
            }
            guard seen.insert(id).inserted else { return }
            let json = page.extracting(start..<reader.offset).withUnsafeBytes { Array($0) }
            models.append(ServedModel(id: id, parent: parent, json: json))
        }
        return models
    }
}

extension RawSpan {
    /// Whether all bytes are valid UTF-8.
    fileprivate var isUTF8: Bool {
        withUnsafeBytes { String(validating: $0, as: UTF8.self) != nil }
    }
}
