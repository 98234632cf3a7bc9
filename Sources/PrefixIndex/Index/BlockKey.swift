/// A block's hash, spread for the tables of one index.
///
/// Clients choose their prompts and could look for block hashes that fall into neighbouring cells, which would make
/// every probe of a table long. The multiplication by an odd number that they do not know (multiply-shift hashing)
/// takes that away. It is a bijection: two keys are equal exactly when their hashes are.
struct BlockKey: Equatable, BitwiseCopyable {
    /// The upper bits are the well-spread ones.
    let bits: UInt64

    init(_ hash: UInt64, multiplier: UInt64) {
        bits = hash &* multiplier
    }

    /// A key that was taken apart before.
    init(bits: UInt64) {
        self.bits = bits
    }
}

/// Where a key belongs in an open-addressing table of a power of two cells, with linear probing and no tombstones.
struct ProbeRing {
    /// The fewest cells of a table that has any.
    static let minCells = 8

    /// The number of cells.
    let cells: Int
    private let shift: UInt64

    /// - Parameter cells: a power of two, at least ``minCells``.
    init(cells: Int) {
        self.cells = cells
        shift = UInt64(64 - cells.trailingZeroBitCount)
    }

    /// The most keys before probes get long: at seven cells in ten a key that is there is found in 2.2 looks on
    /// average, one that is not in 6 (Knuth, TAOCP vol. 3, 6.4).
    var maxKeys: Int { cells * 7 / 10 }

    /// Whether half as many cells, and half of those empty, would do for `keys`.
    func isSparse(keys: Int) -> Bool {
        cells > Self.minCells && keys < cells / 8
    }

    /// The cell of a key with these spread bits.
    func home(of spread: UInt64) -> Int {
        Int(truncatingIfNeeded: spread &>> shift)
    }

    /// The cell that is looked at after `cell`.
    func next(after cell: Int) -> Int {
        (cell &+ 1) & (cells &- 1)
    }

    /// Whether a key found at `cell` with its home at `home` is still found once it lies in `hole` instead, an empty
    /// cell somewhere before `cell` in its cluster (Knuth's algorithm R).
    func canMove(from cell: Int, to hole: Int, home: Int) -> Bool {
        (cell &- home) & (cells &- 1) >= (cell &- hole) & (cells &- 1)
    }
}
