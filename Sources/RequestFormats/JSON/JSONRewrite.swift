/// A document in which one value is replaced: the bytes before it, the new bytes, the bytes behind it.
///
/// Everything but the replaced range stays byte for byte what the client sent, so the original buffer is sent in slices
/// and only ``replacement`` is new.
package struct JSONRewrite: Hashable, Sendable {
    /// The original bytes in front of the replaced value.
    package let prefix: Range<Int>
    /// The bytes that take the value's place: a complete JSON value.
    package let replacement: [UInt8]
    /// The original bytes behind the replaced value.
    package let suffix: Range<Int>

    /// The number of bytes of the whole new document.
    package var byteCount: Int { prefix.count + replacement.count + suffix.count }

    /// Replaces the value in `range` by the string `text`, escaped as JSON requires.
    /// - Parameters:
    ///   - range: a value with its quotes, such as ``ParsedBody/modelRange``; must lie within the document.
    ///   - byteCount: the number of bytes of the document.
    ///   - text: the new value.
    package init(replacing range: Range<Int>, ofDocumentWithByteCount byteCount: Int, with text: String) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "the range \(range) exceeds the document")
        var writer = JSONWriter()
        writer.string(text)
        prefix = 0..<range.lowerBound
        replacement = writer.bytes
        suffix = range.upperBound..<byteCount
    }

    /// The whole new document in one array, for callers that cannot send slices.
    package func joined(with document: RawSpan) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        document.extracting(prefix).withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: replacement)
        document.extracting(suffix).withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes
    }
}
