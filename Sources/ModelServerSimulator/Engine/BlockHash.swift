/// Hashes of a sequence's full blocks. A block's hash covers its own tokens and the hash of the block before, so equal
/// hashes mean equal prefixes.
struct BlockHash {
    /// Hash of every full block so far, in order.
    private(set) var fullBlocks: [UInt64] = []

    private let blockSize: Int
    private var state: UInt64
    private var tokensInState = 0

    /// - Parameter salt: what must be equal, besides the tokens, for two sequences to share a block.
    init(blockSize: Int, salt: UInt64) {
        self.blockSize = blockSize
        self.state = Self.scramble(salt ^ 0x6D61_7274_6C65_7421)
    }

    mutating func append(_ token: SimulatedToken) {
        state = (state ^ UInt64(token.value)) &* 0x9FB2_1C65_1E98_DF25
        state ^= state >> 29
        tokensInState += 1
        if tokensInState == blockSize {
            state = Self.scramble(state)
            fullBlocks.append(state)
            tokensInState = 0
        }
    }

    mutating func append(contentsOf tokens: [SimulatedToken]) {
        fullBlocks.reserveCapacity(fullBlocks.count + tokens.count / blockSize + 1)
        for token in tokens {
            append(token)
        }
    }

    /// A number that depends on every token so far.
    var digest: UInt64 {
        Self.scramble(state ^ UInt64(truncatingIfNeeded: tokensInState))
    }

    /// The finaliser of SplitMix64, a bijection on 64 bits that spreads every bit over all others.
    static func scramble(_ value: UInt64) -> UInt64 {
        var value = value
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A number for a name, the same in every process (FNV-1a with the finaliser above).
    static func salt(of name: String?) -> UInt64 {
        guard let name else {
            return 0
        }
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 {
            value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        return scramble(value)
    }
}
