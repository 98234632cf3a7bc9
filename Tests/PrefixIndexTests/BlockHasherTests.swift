import PrefixIndex
import Testing

@Suite("BlockHasher")
struct BlockHasherTests {
    private func hashes(
        _ bytes: [UInt8],
        _ ranges: [Range<Int>]? = nil,
        model: String = "m",
        salt: String = "",
        block: Int = 256,
        maxBlocks: Int = .max
    ) -> [UInt64] {
        BlockHasher(model: model, cacheSalt: salt, blockBytes: block)
            .hashes(of: bytes.span.bytes, ranges: ranges ?? [0..<bytes.count], maxBlocks: maxBlocks)
    }

    /// The definition, with no regard to where bytes lie.
    private func plainHashes(_ prompt: [UInt8], model: String, salt: String, block: Int, maxBlocks: Int) -> [UInt64] {
        let padded = prompt + [UInt8](repeating: 0, count: (4 - prompt.count % 4) % 4)
        var parent = XXH64.hash(Array((model + salt).utf8).span.bytes)
        var hashes: [UInt64] = []
        for start in stride(from: 0, to: padded.count, by: block) where hashes.count < maxBlocks {
            let own = XXH64.hash(Array(padded[start..<min(start + block, padded.count)]).span.bytes)
            parent = XXH64.hash([own.littleEndian, parent.littleEndian].span.bytes)
            hashes.append(parent)
        }
        return hashes
    }

    @Test("tokens 0 ..< 70 in blocks of 64, as the reference implementation defines them")
    func tokens() {
        let bytes = (0..<70).flatMap { token -> [UInt8] in [UInt8(token), 0, 0, 0] }
        #expect(hashes(bytes) == [0x9504_D79D_090C_075D, 0xCDF6_731F_EDF2_3318])
        #expect(hashes(bytes, maxBlocks: 1) == [0x9504_D79D_090C_075D])
    }

    @Test("a salted text that ends inside a token, made with the C library")
    func text() {
        let text = String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 30)
        let bytes = Array(text.utf8.prefix(1030))
        let expected: [UInt64] = [
            0xF7CC_E106_ED9C_B1D3, 0xD865_3B5D_4DAF_21C7, 0xC0B8_3B89_CE4D_5F0E, 0xBCB9_E0EC_E161_51EB,
            0x3EED_ECDC_1BEA_8F5A,
        ]
        #expect(hashes(bytes, model: "llama-3", salt: "tenant-7") == expected)
    }

    @Test("any cut into ranges of a buffer hashes as the prompt put together")
    func ranges() {
        var random = SeededRandom(seed: 3)
        let bytes = random.bytes(6000)
        for round in 0..<3000 {
            let block = 4 * Int.random(in: 1...80, using: &random)
            let longest = round.isMultiple(of: 3) ? 1500 : 60
            var ranges: [Range<Int>] = []
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                let start = Int.random(in: 0...bytes.count, using: &random)
                let count = Int.random(in: 0...min(longest, bytes.count - start), using: &random)
                ranges.append(start..<start + count)
            }
            let maxBlocks = round.isMultiple(of: 4) ? Int.random(in: 0...9, using: &random) : .max
            let prompt = ranges.flatMap { bytes[$0] }
            #expect(
                hashes(bytes, ranges, model: "model-é", salt: "s", block: block, maxBlocks: maxBlocks)
                    == plainHashes(prompt, model: "model-é", salt: "s", block: block, maxBlocks: maxBlocks),
                "\(ranges) in blocks of \(block), at most \(maxBlocks)"
            )
        }
    }

    @Test("an empty prompt has no block, and no room is no block")
    func empty() {
        #expect(hashes([]) == [])
        #expect(hashes([1, 2, 3], []) == [])
        #expect(hashes([1, 2, 3], [1..<1, 2..<2]) == [])
        #expect(hashes([1, 2, 3], maxBlocks: 0) == [])
        #expect(hashes([1, 2, 3], maxBlocks: -1) == [])
        #expect(hashes([1, 2, 3]).count == 1)
    }

    @Test("appending keeps what is there and starts a new chain")
    func appending() {
        let bytes = XXH64Tests.selfTestBuffer(700)
        let hasher = BlockHasher(model: "m", blockBytes: 256)
        var appended: [UInt64] = [7]
        hasher.appendHashes(of: bytes.span.bytes, ranges: [0..<700], to: &appended)
        hasher.appendHashes(of: bytes.span.bytes, ranges: [0..<256], to: &appended)
        let alone = hashes(bytes)
        #expect(alone.count == 3)
        #expect(appended == [7] + alone + [alone[0]])
    }

    @Test("model and salt change every hash; a change inside a block changes it and all after")
    func separation() {
        let bytes = XXH64Tests.selfTestBuffer(1024)
        let plain = hashes(bytes)
        for other in [hashes(bytes, model: "n"), hashes(bytes, salt: "x")] {
            #expect(zip(plain, other).allSatisfy { $0 != $1 })
        }
        var changed = bytes
        changed[600] ^= 1
        #expect(zip(plain, hashes(changed)).map(==) == [true, true, false, false])
    }
}
