extension RawSpan {
    private static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// The byte at `offset`.
    @inline(__always)
    package func byte(at offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The text in `range`, which must lie within the bytes. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// Meant for ranges that this module's readers return.
    package func text(_ range: Range<Int>) -> String {
        extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the bytes in `range` are `text`. False when the range does not lie within the bytes.
    package func isEqual(_ range: Range<Int>, _ text: StaticString) -> Bool {
        isEqual(range, UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Whether the bytes in `range` are the UTF-8 of `text`. False when the range does not lie within the bytes.
    package func isEqual(_ range: Range<Int>, _ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isEqual(range, UnsafeRawBufferPointer($0)) }
    }

    @inline(__always)
    private func isEqual(_ range: Range<Int>, _ text: UnsafeRawBufferPointer) -> Bool {
        guard range.count == text.count, range.lowerBound >= 0, range.upperBound <= byteCount else { return false }
        for index in 0..<text.count where byte(at: range.lowerBound &+ index) != text[index] { return false }
        return true
    }

    /// Where the first sequence in `range` starts that is not UTF-8; `nil` when all are.
    @inline(__always)
    func firstInvalidUTF8(in range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        var high: UInt64 = 0
        while range.upperBound &- offset >= 8 {
            high |= unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        while offset < range.upperBound {
            high |= UInt64(byte(at: offset))
            offset &+= 1
        }
        return high & Self.highBits == 0 ? nil : firstInvalidSequence(in: range)
    }

    /// Well-formed sequences as in table 3-7 of the Unicode standard.
    @inline(never)
    private func firstInvalidSequence(in range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let first = byte(at: offset)
            let length: Int
            // The second byte's bounds; those of the others are always 0x80 to 0xBF.
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch first {
            case 0x00...0x7F:
                offset &+= 1
                continue
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, second) = (3, 0xA0...0xBF)
            case 0xED: (length, second) = (3, 0x80...0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, second) = (4, 0x90...0xBF)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, second) = (4, 0x80...0x8F)
            default: return offset
            }
            guard length <= range.upperBound &- offset, second.contains(byte(at: offset &+ 1)) else { return offset }
            for index in 2..<length where byte(at: offset &+ index) & 0xC0 != 0x80 { return offset }
            offset &+= length
        }
        return nil
    }
}
