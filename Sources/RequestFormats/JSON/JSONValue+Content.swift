/// Values of any type as text.
extension JSONValue {
    /// Whether this string, with its escapes resolved, is `text`.
    func equals(_ text: String, in bytes: RawSpan) -> Bool {
        guard kind == .string else { return false }
        guard hasEscapes else { return bytes.equals(text, in: contentRange) }
        guard let unescaped = JSONText.unescaped(contentRange, in: bytes) else { return false }
        return unescaped.span.bytes.equals(text, in: 0..<unescaped.count)
    }

    /// The value as text: a string with its escapes resolved, anything else as its JSON without white space.
    ///
    /// Nothing that is much longer than the limit is copied.
    ///
    /// - Returns: the text, ``FieldText/tooLong``; `nil` for a string that escapes half a surrogate pair.
    func fieldText(in bytes: RawSpan, bytesMax: Int) -> FieldText? {
        switch kind {
        case .string:
            // An escape has at most six bytes for one of the text.
            guard contentRange.count / 6 <= bytesMax else { return .tooLong }
            return string(in: bytes).map { FieldText($0, bytesMax: bytesMax) }
        case .object, .array:
            guard let compact = JSONText.withoutWhitespace(range, in: bytes, bytesMax: bytesMax) else {
                return .tooLong
            }
            return .text(String(decoding: compact, as: UTF8.self))
        case .number, .boolean, .null:
            guard range.count <= bytesMax else { return .tooLong }
            return bytes.extracting(range).withUnsafeBytes { .text(String(decoding: $0, as: UTF8.self)) }
        }
    }
}

extension JSONText {
    /// The bytes of a valid value without the white space between its tokens; `nil` for more than `bytesMax`.
    fileprivate static func withoutWhitespace(_ range: Range<Int>, in bytes: RawSpan, bytesMax: Int) -> [UInt8]? {
        var compact: [UInt8] = []
        var isInString = false
        var isEscaped = false
        for offset in range {
            let byte = bytes.byte(at: offset)
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else if byte <= 0x20 {
                continue
            } else {
                isInString = byte == UInt8(ascii: "\"")
            }
            guard compact.count < bytesMax else { return nil }
            compact.append(byte)
        }
        return compact
    }
}

extension RawSpan {
    /// Whether the bytes in `range` are the UTF-8 form of `text`.
    fileprivate func equals(_ text: String, in range: Range<Int>) -> Bool {
        let other = text.utf8Span.span.bytes
        guard other.byteCount == range.count else { return false }
        for index in 0..<range.count where byte(at: range.lowerBound &+ index) != other.byte(at: index) { return false }
        return true
    }
}
