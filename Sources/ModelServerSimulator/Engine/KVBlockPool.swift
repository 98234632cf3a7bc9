/// The paged KV cache: blocks counted by the sequences that use them, found again by the hash of their content.
///
/// A block nobody uses keeps its content until it is needed. Free blocks stand in a list, and blocks are taken from its
/// head: blocks without findable content are put there; findable ones are put at the tail, the last block of a sequence
/// first, so the cache forgets the least recently used sequence, and of that one the end before the beginning.
struct KVBlockPool {
    /// Index of a block.
    typealias Block = Int32

    /// Blocks that can hold something: all but the null block.
    let usableCount: Int
    /// Blocks no sequence uses, whether findable or not.
    private(set) var freeCount: Int
    /// Findable blocks whose content was dropped to make room, since the beginning.
    private(set) var evictions = 0

    private var users: [Int32]
    private var hashes: [UInt64?]
    private var blockByHash: [UInt64: Block] = [:]
    private var next: [Block]
    private var previous: [Block]

    /// Block 0 is the null block. As nobody ever takes it, it serves as the anchor of the circular list of free blocks.
    private static let anchor: Block = 0

    /// - Parameter blockCount: all blocks with the null block, at least 2.
    init(blockCount: Int) {
        self.usableCount = blockCount - 1
        self.freeCount = blockCount - 1
        self.users = Array(repeating: 0, count: blockCount)
        self.hashes = Array(repeating: nil, count: blockCount)
        self.next = (0..<blockCount).map { Block(($0 + 1) % blockCount) }
        self.previous = (0..<blockCount).map { Block(($0 + blockCount - 1) % blockCount) }
    }

    /// Share of the usable blocks that sequences use, from 0 to 1.
    var usage: Double {
        Double(usableCount - freeCount) / Double(usableCount)
    }

    /// Findable blocks, used or not.
    var cachedCount: Int {
        blockByHash.count
    }

    /// The blocks at the beginning of `chain` that are findable, at most `limit` of them.
    func cachedPrefix(of chain: [UInt64], limit: Int) -> [Block] {
        var found: [Block] = []
        for hash in chain.prefix(limit) {
            guard let block = blockByHash[hash] else {
                break
            }
            found.append(block)
        }
        return found
    }

    /// How many of `blocks` nobody uses: taking them leaves that many fewer free blocks.
    func freeCount(among blocks: [Block]) -> Int {
        blocks.count { users[Int($0)] == 0 }
    }

    /// Adds a user to a findable block.
    mutating func retain(_ block: Block) {
        if users[Int(block)] == 0 {
            unlink(block)
            freeCount -= 1
        }
        users[Int(block)] += 1
    }

    /// A block with one user and no content, or nil when every block is used.
    mutating func allocate() -> Block? {
        let block = next[Int(Self.anchor)]
        guard block != Self.anchor else {
            return nil
        }
        if let hash = hashes[Int(block)] {
            blockByHash[hash] = nil
            hashes[Int(block)] = nil
            evictions += 1
        }
        unlink(block)
        freeCount -= 1
        users[Int(block)] = 1
        return block
    }

    /// Makes a block that is in use findable. When another block already has this content, that one stays the findable
    /// one.
    mutating func publish(_ block: Block, hash: UInt64) {
        guard hashes[Int(block)] == nil, blockByHash[hash] == nil else {
            return
        }
        hashes[Int(block)] = hash
        blockByHash[hash] = block
    }

    /// Takes one user from each of a sequence's blocks, given in order of the sequence.
    mutating func release(_ blocks: [Block]) {
        for block in blocks.reversed() {
            users[Int(block)] -= 1
            guard users[Int(block)] == 0 else {
                continue
            }
            freeCount += 1
            if hashes[Int(block)] == nil {
                link(block, after: Self.anchor)
            } else {
                link(block, after: previous[Int(Self.anchor)])
            }
        }
    }

    /// Forgets the content of every block nobody uses.
    mutating func forgetFreeBlocks() {
        var block = next[Int(Self.anchor)]
        while block != Self.anchor {
            if let hash = hashes[Int(block)] {
                blockByHash[hash] = nil
                hashes[Int(block)] = nil
            }
            block = next[Int(block)]
        }
    }

    private mutating func unlink(_ block: Block) {
        next[Int(previous[Int(block)])] = next[Int(block)]
        previous[Int(next[Int(block)])] = previous[Int(block)]
    }

    private mutating func link(_ block: Block, after neighbour: Block) {
        let following = next[Int(neighbour)]
        next[Int(neighbour)] = block
        previous[Int(block)] = neighbour
        next[Int(block)] = following
        previous[Int(following)] = block
    }
}
