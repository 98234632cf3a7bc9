/// The 64-bit xxHash, as its specification describes it (xxHash fast digest algorithm, section "XXH64").
///
/// It is no cryptographic hash: who chooses the input can choose the result. What is looked up by such a hash must bear
/// that two inputs share it.
package enum XXH64 {
    /// The bytes that the four accumulators take in together.
    static let stripeBytes = 32

    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The hash of `bytes`.
    package static func hash(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
        var accumulators = Accumulators(seed: seed)
        let tail = accumulators.absorbStripes(of: bytes)
        let start = tail > 0 ? accumulators.merged() : seed &+ prime5
        return finish(start &+ UInt64(bytes.byteCount), tail: bytes, from: tail)
    }

    /// The hash of the sixteen bytes that two numbers have in little-endian order, `first` before `second`.
    ///
    /// This is the step that chains block hashes; it touches no memory.
    package static func hash(_ first: UInt64, _ second: UInt64, seed: UInt64 = 0) -> UInt64 {
        let start = seed &+ prime5 &+ 16
        return avalanche(absorb(absorb(start, first), second))
    }

    /// Takes in the last bytes, fewer than a stripe, and spreads every bit over the result.
    static func finish(_ start: UInt64, tail: RawSpan, from first: Int) -> UInt64 {
        var hash = start
        var offset = first
        while tail.byteCount - offset >= 8 {
            hash = absorb(hash, word(tail, at: offset))
            offset += 8
        }
        if tail.byteCount - offset >= 4 {
            let half = UInt32(littleEndian: tail.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
            hash = rotated(hash ^ (UInt64(half) &* prime1), by: 23) &* prime2 &+ prime3
            offset += 4
        }
        while offset < tail.byteCount {
            let byte = tail.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            hash = rotated(hash ^ (UInt64(byte) &* prime5), by: 11) &* prime1
            offset += 1
        }
        return avalanche(hash)
    }

    private static func absorb(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        rotated(hash ^ round(0, word), by: 27) &* prime1 &+ prime4
    }

    private static func round(_ accumulator: UInt64, _ word: UInt64) -> UInt64 {
        rotated(accumulator &+ (word &* prime2), by: 31) &* prime1
    }

    private static func avalanche(_ value: UInt64) -> UInt64 {
        var hash = value
        hash = (hash ^ (hash >> 33)) &* prime2
        hash = (hash ^ (hash >> 29)) &* prime3
        return hash ^ (hash >> 32)
    }

    private static func rotated(_ value: UInt64, by bits: UInt64) -> UInt64 {
        value &<< bits | value &>> (64 &- bits)
    }

    /// The eight bytes at `offset`, which the caller knows to lie within `bytes`.
    private static func uncheckedWord(_ bytes: RawSpan, at offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    private static func word(_ bytes: RawSpan, at offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension XXH64 {
    /// The four running sums that whole stripes go into.
    struct Accumulators {
        private var first: UInt64
        private var second: UInt64
        private var third: UInt64
        private var fourth: UInt64

        init(seed: UInt64) {
            first = seed &+ prime1 &+ prime2
            second = seed &+ prime2
            third = seed
            fourth = seed &- prime1
        }

        /// Takes in the whole stripes at the start of `bytes`; gives the offset of the first byte after them.
        mutating func absorbStripes(of bytes: RawSpan) -> Int {
            let end = bytes.byteCount & ~(stripeBytes - 1)
            // Local sums stay in registers; the four chains are independent, which is where the speed comes from.
            var (a, b, c, d) = (first, second, third, fourth)
            var offset = 0
            while offset < end {
                a = round(a, uncheckedWord(bytes, at: offset))
                b = round(b, uncheckedWord(bytes, at: offset &+ 8))
                c = round(c, uncheckedWord(bytes, at: offset &+ 16))
                d = round(d, uncheckedWord(bytes, at: offset &+ 24))
                offset &+= stripeBytes
            }
            (first, second, third, fourth) = (a, b, c, d)
            return end
        }

        /// One hash of all stripes so far; meaningful after at least one.
        func merged() -> UInt64 {
            var hash = rotated(first, by: 1) &+ rotated(second, by: 7)
            hash = hash &+ rotated(third, by: 12) &+ rotated(fourth, by: 18)
            hash = (hash ^ round(0, first)) &* prime1 &+ prime4
            hash = (hash ^ round(0, second)) &* prime1 &+ prime4
            hash = (hash ^ round(0, third)) &* prime1 &+ prime4
            return (hash ^ round(0, fourth)) &* prime1 &+ prime4
        }
    }
}
