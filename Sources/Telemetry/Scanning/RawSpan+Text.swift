extension RawSpan {
    /// The byte at an offset, which must be within the span.
    subscript(offset: Int) -> UInt8 {
        @inline(__always) get { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
    }

    /// The eight bytes from `offset` on, the first one lowest. Not checked: the caller knows that they lie within the
    /// span.
    @inline(__always)
    func wordUnchecked(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// The eight bytes before `end`, the last one highest; zeros stand for bytes before the start.
    @inline(__always)
    func word(endingAt end: Int) -> UInt64 {
        if end >= 8 { return UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: end - 8, as: UInt64.self)) }
        var word: UInt64 = 0
        for offset in 0..<end { word = word >> 8 | UInt64(self[offset]) << 56 }
        return word
    }

    /// The offset of the first line feed at or after `start`, byte by byte: for what is left beside whole blocks.
    func firstLineFeed(from start: Int) -> Int? {
        var offset = start
        while offset < byteCount {
            if self[offset] == UInt8(ascii: "\n") { return offset }
            offset += 1
        }
        return nil
    }

    /// The first offset at or after `start` that holds no blank.
    @inline(__always)
    func skippingBlanks(from start: Int) -> Int {
        var offset = start
        while offset < byteCount, self[offset].isBlank { offset += 1 }
        return offset
    }

    /// The first offset at or after `start` that holds a blank, or the end.
    @inline(__always)
    func tokenEnd(from start: Int) -> Int {
        var offset = start
        while offset < byteCount, !self[offset].isBlank { offset += 1 }
        return offset
    }

    /// Whether the bytes of a range are those of `text`.
    func isEqual(_ range: Range<Int>, _ text: String) -> Bool {
        let text = text.utf8
        if text.count != range.count { return false }
        var offset = range.lowerBound
        for byte in text {
            if self[offset] != byte { return false }
            offset += 1
        }
        return true
    }

    /// The text of a range; bytes that are not UTF-8 become U+FFFD.
    func text(_ range: Range<Int>) -> String {
        extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}

extension UInt8 {
    /// A blank or tab, or the carriage return that some servers put before the line feed.
    @inline(__always)
    var isBlank: Bool {
        self == 0x20 || self == 0x09 || self == 0x0D
    }
}
