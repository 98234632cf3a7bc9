/// Recognises a handful of names at the start of a line. Names of one engine share their beginning, so the last eight
/// bytes are compared first: a line that is not wanted costs one load and one comparison per name.
struct NameTable: Sendable {
    private struct Probe {
        let length: Int
        /// The last eight bytes of the name, the last one highest; shorter names have zeros in front.
        let tail: UInt64
        let mask: UInt64
    }

    private let probes: [Probe]
    private let names: [[UInt8]]
    /// Two bits for each name, by a hash of its first bytes.
    private let startBits: UInt64
    /// The bytes of two words that the hash is made of: sixteen, or as many as the shortest name has.
    private let startMask: (UInt64, UInt64)

    init(_ names: [String]) {
        self.names = names.map { Array($0.utf8) }
        probes = self.names.map { name in
            let tail = name.suffix(8).reduce(0 as UInt64) { $0 >> 8 | UInt64($1) << 56 }
            let mask = name.count >= 8 ? UInt64.max : ~(UInt64.max >> UInt64(name.count * 8))
            return Probe(length: name.count, tail: tail, mask: mask)
        }
        let startLength = min(16, self.names.map(\.count).min() ?? 16)
        startMask = (Self.mask(startLength), Self.mask(startLength - 8))
        startBits = self.names.reduce(0) { bits, name in
            let start = name.prefix(startLength)
            let hash = Self.hash(Self.word(start.prefix(8)), Self.word(start.dropFirst(8)))
            return bits | 1 &<< Self.firstPlace(hash) | 1 &<< Self.secondPlace(hash)
        }
    }

    /// Whether a name may stand where the first eight bytes are `word` and the next ones `next`, the first one lowest.
    /// False is certain; true is right for all but a few lines in a hundred. Names of one engine often have the first
    /// eight bytes in common with what nobody wants, and hardly ever sixteen.
    @inline(__always)
    func mayMatch(_ word: UInt64, _ next: UInt64) -> Bool {
        let hash = Self.hash(word & startMask.0, next & startMask.1)
        return startBits &>> Self.firstPlace(hash) & startBits &>> Self.secondPlace(hash) & 1 != 0
    }

    @inline(__always)
    private static func hash(_ word: UInt64, _ next: UInt64) -> UInt64 {
        // The upper bits of a product depend on all bytes.
        (word &* 0x9E37_79B9_7F4A_7C15) ^ (next &* 0xC2B2_AE3D_27D4_EB4F)
    }

    @inline(__always)
    private static func firstPlace(_ hash: UInt64) -> UInt64 { hash &>> 58 }

    @inline(__always)
    private static func secondPlace(_ hash: UInt64) -> UInt64 { hash &>> 52 & 63 }

    /// The first `count` bytes of a word, eight at most.
    private static func mask(_ count: Int) -> UInt64 {
        count >= 8 ? .max : count <= 0 ? 0 : 1 << UInt64(count * 8) - 1
    }

    /// Up to eight bytes as a word, the first one lowest.
    private static func word(_ bytes: some Collection<UInt8>) -> UInt64 {
        var word: UInt64 = 0
        for (index, byte) in bytes.enumerated() { word |= UInt64(byte) << UInt64(index * 8) }
        return word
    }

    /// The name that stands at `start` and is followed by a blank or `{`, and where it ends.
    @inline(__always)
    func match(_ line: RawSpan, at start: Int) -> (index: Int, end: Int)? {
        let probes = self.probes
        for index in probes.indices {
            let probe = probes[index]
            let end = start + probe.length
            // A name at the very end of a line has neither value nor type.
            if end >= line.byteCount { continue }
            if line.word(endingAt: end) & probe.mask != probe.tail { continue }
            if line[end].isBlank || line[end] == UInt8(ascii: "{"), isEqual(names[index], line, at: start) {
                return (index, end)
            }
        }
        return nil
    }

    private func isEqual(_ name: [UInt8], _ line: RawSpan, at start: Int) -> Bool {
        for offset in name.indices where line[start + offset] != name[offset] { return false }
        return true
    }
}
