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
    /// A bit for each name, by a hash of its first bytes.
    private let startBits: UInt64
    /// The bytes of a word that the hash is made of: eight, or as many as the shortest name has.
    private let startMask: UInt64

    init(_ names: [String]) {
        self.names = names.map { Array($0.utf8) }
        probes = self.names.map { name in
            let tail = name.suffix(8).reduce(0 as UInt64) { $0 >> 8 | UInt64($1) << 56 }
            let mask = name.count >= 8 ? UInt64.max : ~(UInt64.max >> UInt64(name.count * 8))
            return Probe(length: name.count, tail: tail, mask: mask)
        }
        let startLength = min(8, self.names.map(\.count).min() ?? 8)
        let startMask = startLength == 8 ? UInt64.max : (1 << UInt64(startLength * 8)) - 1
        self.startMask = startMask
        startBits = self.names.reduce(0) { bits, name in
            let start = name.prefix(startLength).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
            return bits | Self.startBit(start)
        }
    }

    /// Whether a name may stand where the first eight bytes are `word`, the first one lowest. False is certain; true is
    /// right for all but a few lines in a hundred.
    @inline(__always)
    func mayMatch(_ word: UInt64) -> Bool {
        startBits & Self.startBit(word & startMask) != 0
    }

    @inline(__always)
    private static func startBit(_ start: UInt64) -> UInt64 {
        // The upper bits of the product depend on all bytes.
        1 &<< ((start &* 0x9E37_79B9_7F4A_7C15) &>> 58)
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
