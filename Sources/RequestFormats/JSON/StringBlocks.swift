import CStringScan

/// Whether this processor has what `CStringScan` is made of. Asked once.
let hasStringScan = martlet_has_string_scan()

/// Passes over the inside of JSON strings 64 bytes at a time: in C where the processor has AVX2 (see
/// docs/decisions/0006-vector-scan.md), in Swift with four vectors elsewhere.
///
/// A block costs the same whether it is plain, has escapes or has letters beyond ASCII, because nothing is branched on
/// per byte: prompts have one or the other every few dozen bytes, and a mispredicted branch at each would cost more
/// than all the work on a block. What a block cannot settle, errors first of all, it leaves to the caller, who reads
/// byte by byte and knows how to name a fault. So nothing here can refuse valid text or report a wrong place.
extension RawSpan {
    private typealias Vector = SIMD16<UInt8>
    private static var blockLength: Int { 64 }

    /// Moves over content of a string: text, and escapes.
    ///
    /// All that lies between `start` and the result is valid, and the result is never inside a sequence or an escape.
    /// At the result or in the block behind it stands the closing quote or something that must be looked at byte by
    /// byte, or fewer than 64 bytes are left but for what is cut there.
    /// - Parameters:
    ///   - start: an offset within a string, behind its opening quote, at which no sequence or escape is cut.
    ///   - hasEscapes: set to true when a backslash was passed; it may also be when one stands at the result.
    func endOfStringBlocks(from start: Int, hasEscapes: inout Bool) -> Int {
        guard start &+ Self.blockLength <= byteCount else { return start }
        return hasStringScan
            ? endOfStringBlocksInC(from: start, hasEscapes: &hasEscapes)
            : endOfStringBlocksInSwift(from: start, hasEscapes: &hasEscapes)
    }

    /// As `endOfStringBlocks` where the processor has what `CStringScan` is made of.
    @inline(__always)
    func endOfStringBlocksInC(from start: Int, hasEscapes: inout Bool) -> Int {
        precondition(start >= 0 && start <= byteCount, "a string's content starts within the bytes")
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return start }
            return martlet_end_of_string_blocks(base, bytes.count, start, &hasEscapes)
        }
    }

    /// As `endOfStringBlocks` on any processor; passes escapes of two bytes and UTF-8 sequences of two and three bytes.
    func endOfStringBlocksInSwift(from start: Int, hasEscapes: inout Bool) -> Int {
        // Each vector is compared with the bytes one and two places in front of it, so these must be there, and
        // what stands in front of the opening quote must not look like the beginning of a sequence.
        guard start >= 2, start &+ Self.blockLength <= byteCount, byte(at: start &- 2) < 0xE0 else { return start }
        let last = byteCount &- Self.blockLength
        var position = start
        // Texts are plain ASCII or have other letters in every second block or so, where a branch on each block would
        // be mispredicted half of the time: from the first such block on, all are checked.
        var checksSequences = false
        while position <= last {
            let (first, second) = (vector(at: position), vector(at: position &+ 16))
            let (third, fourth) = (vector(at: position &+ 32), vector(at: position &+ 48))
            // The byte in front takes part: a sequence that began there must go on here.
            let highBits = Self.union(first | second | third | fourth) | UInt64(byteUnchecked(at: position &- 1))
            if checksSequences || highBits & 0x8080_8080_8080_8080 != 0 {
                checksSequences = true
                if hasIrregularSequence(inBlockAt: position) { return startOfCutSequence(at: position) }
            }
            let even = (Self.marks(first) & 0x01) | (Self.marks(second) & 0x04)
            let marks = even | (Self.marks(third) & 0x10) | (Self.marks(fourth) & 0x40)
            if Self.union(marks) == 0 {
                position &+= Self.blockLength
                continue
            }
            let (end, isSettled) = endOfEscapes(Self.bitPerByte(marks), inBlockAt: position, &hasEscapes)
            guard isSettled else { return end }
            position = end
        }
        return startOfCutSequence(at: position)
    }

    /// Follows the quotes, backslashes and control characters of the block at `position`, one bit of `marks` each,
    /// as long as they belong to escapes of two bytes. Settled means that the whole block was passed.
    @inline(__always)
    private func endOfEscapes(
        _ marks: UInt64,
        inBlockAt position: Int,
        _ hasEscapes: inout Bool
    ) -> (end: Int, isSettled: Bool) {
        var marks = marks
        while marks != 0 {
            let index = marks.trailingZeroBitCount
            let offset = position &+ index
            guard byteUnchecked(at: offset) == UInt8(ascii: "\\"), offset &+ 1 < byteCount,
                Self.isShortEscape(byteUnchecked(at: offset &+ 1))
            else { return (offset, false) }
            hasEscapes = true
            if index >= Self.blockLength &- 2 { return (offset &+ 2, true) }
            marks &= ~0 &<< UInt64(index &+ 2)
        }
        return (position &+ Self.blockLength, true)
    }

    /// Whether a backslash and `byte` are an escape sequence.
    @inline(__always)
    private static func isShortEscape(_ byte: UInt8) -> Bool {
        // A bit for each of \ b f n r t, counted from the backslash.
        let letters: UInt32 = 1 | 1 << 6 | 1 << 10 | 1 << 18 | 1 << 22 | 1 << 24
        let index = byte &- UInt8(ascii: "\\")
        return index < 32 && letters &>> UInt32(index) & 1 != 0
            || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "/")
    }

    /// Whether the block at `position` has bytes above 0x7F that are not valid sequences of two or three bytes, or
    /// such whose second byte is limited further than others': those that begin with 0xE0, 0xED, or 0xF0 and above.
    @inline(__always)
    private func hasIrregularSequence(inBlockAt position: Int) -> Bool {
        let front = irregularities(at: position) | irregularities(at: position &+ 16)
        let back = irregularities(at: position &+ 32) | irregularities(at: position &+ 48)
        return Self.union(front | back) != 0
    }

    @inline(__always)
    private func irregularities(at offset: Int) -> Vector {
        let bytes = vector(at: offset)
        // As signed numbers, the continuation bytes 0x80 to 0xBF are the lowest.
        let signed = unsafeBitCast(bytes, to: SIMD16<Int8>.self)
        let isContinuation = Self.vector(signed .< SIMD16<Int8>(repeating: -64))
        let isDue =
            Self.vector(vector(at: offset &- 1) .>= Vector(repeating: 0xC0))
            | Self.vector(vector(at: offset &- 2) .>= Vector(repeating: 0xE0))
        // XOR moves 0xF0 to 0xFF, 0xC0 and 0xC1 to one row, 0x10 to 0x21; the sum makes them the lowest signed numbers.
        let row = unsafeBitCast((bytes ^ Vector(repeating: 0xE0)) &+ Vector(repeating: 0x70), to: SIMD16<Int8>.self)
        let isUnusual = Self.vector(row .< SIMD16<Int8>(repeating: -0x80 + 0x12))
        let isLimited = Self.vector(bytes .== Vector(repeating: 0xE0)) | Self.vector(bytes .== Vector(repeating: 0xED))
        return (isContinuation ^ isDue) | isUnusual | isLimited
    }

    /// The start of the sequence that began in front of `position` and goes on there; else `position`.
    @inline(__always)
    private func startOfCutSequence(at position: Int) -> Int {
        if byteUnchecked(at: position &- 1) >= 0xC0 { return position &- 1 }
        return byteUnchecked(at: position &- 2) >= 0xE0 ? position &- 2 : position
    }

    // MARK: - Vectors

    /// The 16 bytes from `offset` on. Not checked: the caller knows that they lie within the span.
    @inline(__always)
    private func vector(at offset: Int) -> Vector {
        unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Vector.self)
    }

    /// The byte at `offset`. Not checked: the caller knows that it lies within the span.
    @inline(__always)
    private func byteUnchecked(at offset: Int) -> UInt8 {
        unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// All bits set in each byte that is a quote, a backslash or a control character.
    @inline(__always)
    private static func marks(_ bytes: Vector) -> Vector {
        // XOR with 2 exchanges the quote and the space, and with 0x80 makes the lowest bytes the lowest signed numbers.
        let row = unsafeBitCast(bytes ^ Vector(repeating: 0x82), to: SIMD16<Int8>.self)
        return vector(row .< SIMD16<Int8>(repeating: -0x80 + 0x21)) | vector(bytes .== Vector(repeating: 0x5C))
    }

    /// A comparison's result as bytes, all ones where it holds. Masks are combined in this form, because the operators
    /// of `SIMDMask` are compiled lane by lane; so are comparisons with a scalar, which is why none is used here.
    @inline(__always)
    private static func vector(_ mask: SIMDMask<SIMD16<Int8>>) -> Vector {
        unsafeBitCast(mask, to: Vector.self)
    }

    /// The two halves of a vector, one over the other.
    @inline(__always)
    private static func union(_ vector: Vector) -> UInt64 {
        let halves = unsafeBitCast(vector, to: SIMD2<UInt64>.self)
        return halves[0] | halves[1]
    }

    /// One bit for each byte of a block, the first byte's the lowest, from bits 0, 2, 4 and 6 of each byte of `marks`,
    /// which belong to the block's first, second, third and fourth vector.
    @inline(__always)
    private static func bitPerByte(_ marks: Vector) -> UInt64 {
        // With the odd bits from the second halves, bit w of byte b stands for byte b of word w. Then the 8 × 8 bits
        // are transposed (Warren, Hacker's Delight, section 7-3).
        let halves = unsafeBitCast(marks, to: SIMD2<UInt64>.self)
        var bits = UInt64(littleEndian: halves[0]) | UInt64(littleEndian: halves[1]) &<< 1
        var swap = (bits ^ (bits &>> 7)) & 0x00AA_00AA_00AA_00AA
        bits ^= swap ^ (swap &<< 7)
        swap = (bits ^ (bits &>> 14)) & 0x0000_CCCC_0000_CCCC
        bits ^= swap ^ (swap &<< 14)
        swap = (bits ^ (bits &>> 28)) & 0x0000_0000_F0F0_F0F0
        return bits ^ swap ^ (swap &<< 28)
    }
}
