extension XXH64 {
    /// The hash of bytes that arrive in pieces. It equals the hash of the pieces put together and allocates nothing.
    struct Digest {
        private let seed: UInt64
        private var accumulators: Accumulators
        /// The bytes that do not fill a stripe yet.
        private var waiting = InlineArray<32, UInt8>(repeating: 0)
        private var waitingCount = 0
        /// All bytes so far.
        private(set) var byteCount = 0

        init(seed: UInt64 = 0) {
            self.seed = seed
            accumulators = Accumulators(seed: seed)
        }

        /// Takes in the next piece.
        mutating func update(_ piece: RawSpan) {
            byteCount += piece.byteCount
            var offset = 0
            if waitingCount > 0 {
                offset = min(stripeBytes - waitingCount, piece.byteCount)
                keep(piece, 0..<offset)
                guard waitingCount == stripeBytes else { return }
                _ = accumulators.absorbStripes(of: waiting.span.bytes)
                waitingCount = 0
            }
            offset += accumulators.absorbStripes(of: piece.extracting(offset...))
            keep(piece, offset..<piece.byteCount)
        }

        /// Takes in zero bytes until the number of bytes is a multiple of `unit`, which is a power of two of at most
        /// 32.
        mutating func padWithZeros(toMultipleOf unit: Int) {
            let zeros = InlineArray<32, UInt8>(repeating: 0)
            update(zeros.span.bytes.extracting(first: -byteCount & (unit - 1)))
        }

        /// The hash of all bytes so far.
        func finished() -> UInt64 {
            let start = byteCount >= stripeBytes ? accumulators.merged() : seed &+ prime5
            return finish(start &+ UInt64(byteCount), tail: waiting.span.bytes.extracting(first: waitingCount), from: 0)
        }

        private mutating func keep(_ piece: RawSpan, _ range: Range<Int>) {
            for offset in range {
                waiting[waitingCount] = piece.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
                waitingCount += 1
            }
        }
    }
}
