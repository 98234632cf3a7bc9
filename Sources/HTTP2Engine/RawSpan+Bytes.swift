extension RawSpan {
    /// The byte at `offset`, which must lie within the bytes.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The number in two bytes at `offset`, the higher one first.
    @inline(__always)
    func number16(at offset: Int) -> Int {
        Int(UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }

    /// The number in four bytes at `offset`, the highest one first.
    @inline(__always)
    func number32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// Whether the bytes in `range`, which must lie within the bytes, are `text`.
    @inline(__always)
    func isEqual(_ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where byte(at: range.lowerBound &+ index) != text.utf8Start[index] {
            return false
        }
        return true
    }

    /// Whether the bytes in `range`, which must lie within the bytes, begin with `text`.
    @inline(__always)
    func begins(_ range: Range<Int>, with text: StaticString) -> Bool {
        guard range.count >= text.utf8CodeUnitCount else { return false }
        return isEqual(range.lowerBound..<range.lowerBound &+ text.utf8CodeUnitCount, text)
    }
}

extension [UInt8] {
    /// Appends the bytes in `range`, which must lie within `bytes`.
    @inline(__always)
    mutating func append(_ range: Range<Int>, of bytes: RawSpan) {
        bytes.withUnsafeBytes { append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Appends a number as four bytes, the highest one first.
    @inline(__always)
    mutating func append(number32 value: UInt32) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
