/// Cuts a prompt into blocks and hashes them, each block together with everything before it.
///
/// With b_i the XXH64 of block i's bytes, the hash of block i is h_i = XXH64(LE64(b_i) ‖ LE64(h_{i-1})), and h_{-1} is
/// XXH64(model ‖ cache salt), all with seed 0. Equal hashes so mean the same model, the same salt and the same prompt
/// up to the end of the block. This is the scheme of llm-d's `approx-prefix-cache-producer`: where both see the same
/// tokens they find the same hashes.
package struct BlockHasher: Sendable {
    /// A token of the estimate is four bytes of prompt, the last one filled up with zeros.
    private static let tokenBytes = 4

    private let seed: UInt64
    private let blockBytes: Int

    /// Makes a hasher for the prompts of one model and salt.
    ///
    /// - Parameters:
    ///   - model: the name of the model that serves the request; prompts of different models share nothing.
    ///   - cacheSalt: the client's salt, empty for none; prompts with different salts share nothing.
    ///   - blockBytes: the bytes of a block: a positive multiple of 4.
    package init(model: String, cacheSalt: String = "", blockBytes: Int) {
        precondition(
            blockBytes > 0 && blockBytes.isMultiple(of: Self.tokenBytes),
            "a block of \(blockBytes) bytes is not a whole number of four-byte tokens"
        )
        var digest = XXH64.Digest()
        digest.update(model.utf8.span.bytes)
        digest.update(cacheSalt.utf8.span.bytes)
        seed = digest.finished()
        self.blockBytes = blockBytes
    }

    /// The hashes of a prompt's blocks; see ``appendHashes(of:ranges:maxBlocks:to:)``.
    package func hashes(of bytes: RawSpan, ranges: [Range<Int>], maxBlocks: Int = .max) -> [UInt64] {
        var hashes: [UInt64] = []
        appendHashes(of: bytes, ranges: ranges, maxBlocks: maxBlocks, to: &hashes)
        return hashes
    }

    /// Appends the hashes of a prompt's blocks, from its first block on; the chain starts anew with every call.
    ///
    /// The last block may be partial: it is filled up with zeros to a whole token, not to a whole block. A block inside
    /// one range is hashed where it lies; one that straddles ranges goes through 32 bytes on the stack. Nothing is
    /// allocated but the room in `hashes`, once.
    ///
    /// - Parameters:
    ///   - bytes: the buffer that holds the prompt.
    ///   - ranges: the parts of `bytes` that make up the prompt, in the prompt's order; inside `bytes`.
    ///   - maxBlocks: the most hashes to append; what lies behind them is not read.
    ///   - hashes: where to append.
    package func appendHashes(
        of bytes: RawSpan,
        ranges: [Range<Int>],
        maxBlocks: Int = .max,
        to hashes: inout [UInt64]
    ) {
        var chain = Chain(parent: seed, remaining: min(max(0, maxBlocks), blockCount(ranges)))
        hashes.reserveCapacity(hashes.count + chain.remaining)
        // The block that the ranges so far have begun and not filled.
        var begun = XXH64.Digest()
        for range in ranges where chain.remaining > 0 {
            var start = range.lowerBound
            if begun.byteCount > 0 {
                let taken = min(range.count, blockBytes - begun.byteCount)
                begun.update(bytes.extracting(start..<start + taken))
                start += taken
                guard begun.byteCount == blockBytes else { continue }
                chain.append(begun.finished(), to: &hashes)
                begun = XXH64.Digest()
            }
            while range.upperBound - start >= blockBytes, chain.remaining > 0 {
                chain.append(XXH64.hash(bytes.extracting(start..<start + blockBytes)), to: &hashes)
                start += blockBytes
            }
            if chain.remaining > 0 { begun.update(bytes.extracting(start..<range.upperBound)) }
        }
        if begun.byteCount > 0, chain.remaining > 0 {
            begun.padWithZeros(toMultipleOf: Self.tokenBytes)
            chain.append(begun.finished(), to: &hashes)
        }
    }

    /// The blocks of a prompt, with the partial one at its end.
    private func blockCount(_ ranges: [Range<Int>]) -> Int {
        let total = ranges.reduce(0) { $0 + $1.count }
        return total / blockBytes + (total.isMultiple(of: blockBytes) ? 0 : 1)
    }
}

extension BlockHasher {
    /// The hashes so far, as far as the next one needs to know them.
    private struct Chain {
        var parent: UInt64
        var remaining: Int

        mutating func append(_ block: UInt64, to hashes: inout [UInt64]) {
            parent = XXH64.hash(block, parent)
            hashes.append(parent)
            remaining -= 1
        }
    }
}
