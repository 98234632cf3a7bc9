/// A number that stands for everything that happened in a run, in order: two runs with equal hashes took the same way.
///
/// FNV-1a over 64-bit words with a rotation, so that the order of words counts in all bits. Not for secrets.
package struct TraceHash: Hashable, Sendable, CustomStringConvertible {
    /// The hash so far.
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The hash of nothing.
    package init() {}

    /// Adds a word.
    mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01B3
        value = value << 29 | value >> 35
    }

    /// Adds a number.
    mutating func mix(_ number: some BinaryInteger) {
        mix(UInt64(truncatingIfNeeded: number))
    }

    package var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
