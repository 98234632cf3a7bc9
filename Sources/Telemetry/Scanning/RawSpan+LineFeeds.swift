/// Finds the line feeds of 64 bytes at a time, in four vectors.
///
/// A block costs the same wherever its line feeds are; looking for one line feed after the other would mispredict a
/// branch at the end of each line.
extension RawSpan {
    private typealias Vector = SIMD16<UInt8>

    /// How many bytes a block has.
    static var blockLength: Int { 64 }

    /// One bit for each byte of the block at `offset` that is a line feed, the first byte's the lowest. Not checked:
    /// the caller knows that the block lies within the span.
    @inline(__always)
    func lineFeedsUnchecked(inBlockAt offset: Int) -> UInt64 {
        let front = (mask(at: offset) & Vector(repeating: 0x01)) | (mask(at: offset &+ 16) & Vector(repeating: 0x04))
        let back =
            (mask(at: offset &+ 32) & Vector(repeating: 0x10)) | (mask(at: offset &+ 48) & Vector(repeating: 0x40))
        // Bits 0, 2, 4 and 6 of each byte belong to the four vectors. With the odd bits from the second half, bit w of
        // byte b stands for byte b of word w; then the 8 × 8 bits are transposed (Warren, Hacker's Delight, section
        // 7-3).
        let halves = unsafeBitCast(front | back, to: SIMD2<UInt64>.self)
        var bits = UInt64(littleEndian: halves[0]) | UInt64(littleEndian: halves[1]) &<< 1
        var swap = (bits ^ (bits &>> 7)) & 0x00AA_00AA_00AA_00AA
        bits ^= swap ^ (swap &<< 7)
        swap = (bits ^ (bits &>> 14)) & 0x0000_CCCC_0000_CCCC
        bits ^= swap ^ (swap &<< 14)
        swap = (bits ^ (bits &>> 28)) & 0x0000_0000_F0F0_F0F0
        return bits ^ swap ^ (swap &<< 28)
    }

    /// All bits set in each of the 16 bytes from `offset` on that is a line feed. As bytes and not as a mask, because
    /// the operators of `SIMDMask` are compiled lane by lane.
    @inline(__always)
    private func mask(at offset: Int) -> Vector {
        let bytes = unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Vector.self)
        return unsafeBitCast(bytes .== Vector(repeating: UInt8(ascii: "\n")), to: Vector.self)
    }
}
