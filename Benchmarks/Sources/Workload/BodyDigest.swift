/// A 64-bit digest of a body that arrives in pieces; how the bytes are cut into pieces does not matter.
///
/// Both ends of a benchmark compute it, so a proxy that loses, repeats or reorders bytes is found at once. It is a
/// multiply-and-fold hash over 8-byte words, not cryptographic: nobody forges a benchmark's bytes.
package struct BodyDigest: Sendable {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var pending: UInt64 = 0
    private var pendingByteCount = 0

    /// Bytes seen so far.
    package private(set) var byteCount = 0

    package init() {}

    /// Adds the next bytes of the body.
    package mutating func update(_ bytes: RawSpan) {
        var offset = 0
        while pendingByteCount != 0, offset < bytes.byteCount {
            append(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
        while bytes.byteCount - offset >= 8 {
            mix(UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        while offset < bytes.byteCount {
            append(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
        byteCount += bytes.byteCount
    }

    /// The digest of everything seen so far; the length takes part, so trailing zero bytes count.
    package var value: UInt64 {
        var copy = self
        if copy.pendingByteCount != 0 {
            copy.mix(copy.pending)
        }
        copy.mix(UInt64(byteCount))
        return copy.state
    }

    private mutating func append(_ byte: UInt8) {
        pending |= UInt64(byte) << UInt64(pendingByteCount * 8)
        pendingByteCount += 1
        if pendingByteCount == 8 {
            mix(pending)
            pending = 0
            pendingByteCount = 0
        }
    }

    private mutating func mix(_ word: UInt64) {
        state = (state ^ word) &* 0x9FB2_1C65_1E98_DF25
        state ^= state >> 32
    }
}
