/// Searches over raw bytes, eight at a time in one machine word ("SIMD within a register").
///
/// The test for bytes below a bound, `(x - 0x20…20) & 0x80…80`, borrows from one byte into the next only at a byte
/// that is a hit itself, so false hits stand only above a true one and the lowest hit is always exact, as long as bytes
/// above 0x7F are hits themselves. Loads are little-endian whatever the machine, so the lowest
/// hit is the first. All loads are bounds-checked.
extension RawSpan {
    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// The byte at `offset`.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The eight bytes from `offset` on, the first of them in the lowest position.
    @inline(__always)
    private func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The four bytes from `offset` on, the first of them in the lowest position, zeros for those behind the end.
    @inline(__always)
    func paddedHalfWord(at offset: Int) -> UInt32 {
        if offset &+ 4 <= byteCount {
            return UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        var word: UInt32 = 0
        for position in (offset..<byteCount).reversed() {
            word = word &<< 8 | UInt32(byte(at: position))
        }
        return word
    }

    /// The high bit of each byte that is a quote, a backslash, a control character or above 0x7F; the lowest is exact,
    /// others may be false.
    @inline(__always)
    private static func marks(_ word: UInt64) -> UInt64 {
        let (quotes, backslashes, spaces) = (ones &* 0x22, ones &* 0x5C, ones &* 0x20)
        return ((word &- spaces) | ((word ^ quotes) &- ones) | ((word ^ backslashes) &- ones) | word) & highBits
    }

    /// The offset of the quote that ends the string whose content starts at `start`, when it is one of the first eight
    /// bytes and plain text stands in front of it; `nil` for any other string.
    @inline(__always)
    func endOfShortString(from start: Int) -> Int? {
        guard start &+ 8 <= byteCount else { return nil }
        let marks = Self.marks(word(at: start))
        guard marks != 0 else { return nil }
        let end = start &+ (marks.trailingZeroBitCount &>> 3)
        return byte(at: end) == UInt8(ascii: "\"") ? end : nil
    }

    /// The end of the run of bytes from `start` on that may stand in a JSON string as they are and are ASCII: the
    /// offset of the first quote, backslash, control character or byte above 0x7F, or the end of the bytes.
    func endOfPlainText(from start: Int) -> Int {
        var offset = start
        while offset &+ 8 <= byteCount {
            let marks = Self.marks(word(at: offset))
            if marks != 0 { return offset &+ (marks.trailingZeroBitCount &>> 3) }
            offset &+= 8
        }
        while offset < byteCount {
            let byte = byte(at: offset)
            if byte < 0x20 || byte > 0x7F || byte == 0x22 || byte == 0x5C { break }
            offset &+= 1
        }
        return offset
    }

    /// Whether the bytes at `offset` are `text`, which is ASCII; false when fewer bytes are left than it has.
    @inline(__always)
    func matches(_ text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, length <= byteCount &- offset else { return false }
        for index in 0..<length where byte(at: offset &+ index) != text.utf8Start[index] {
            return false
        }
        return true
    }
}
