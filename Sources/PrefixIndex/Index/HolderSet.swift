/// The endpoints that hold one block, in eight bytes.
///
/// Most blocks are held by a few endpoints: up to five slot numbers of twelve bits stand in the value itself. A block
/// that more endpoints hold, such as a system prompt that all of them have seen, has a row in ``HolderRows``.
///
/// As long as a block has had one holder only, which most have in all their life, the value is the *sole* holder's slot
/// and the number of its node, so that the endpoint needs no table of its own for such blocks.
struct HolderSet: Equatable, BitwiseCopyable {
    /// The most slots that fit into the value.
    static let maxInline = 5
    /// Below this many, a row is given up again; the gap to ``maxInline`` keeps a set from going to and fro.
    static let minRow = 4

    private static let countMask: UInt64 = 0xF
    private static let rowMark: UInt64 = 0xF
    private static let soleMark: UInt64 = 0xE
    private static let nodeOffset: UInt64 = 32
    private static let slotBits: UInt64 = 12
    private static let slotMask: UInt64 = 0xFFF

    /// The lowest four bits count the slots, which follow from there on; 15 marks the number of a row, 14 a sole holder
    /// with its node in the upper half.
    private var bits: UInt64

    /// Nobody.
    static let none = HolderSet(bits: 0)

    private init(bits: UInt64) {
        self.bits = bits
    }

    /// The only endpoint that ever held the block, and where it does.
    init(sole slot: Int, node: UInt32) {
        bits = UInt64(node) << Self.nodeOffset | UInt64(slot) << 4 | Self.soleMark
    }

    /// The endpoints of row number `row`.
    init(row: Int) {
        bits = UInt64(row) << 4 | Self.rowMark
    }

    /// Whether there is no endpoint. A set with a row is not empty.
    var isEmpty: Bool { bits == 0 }

    /// Whether there is a sole holder.
    var isSole: Bool { bits & Self.countMask == Self.soleMark }

    /// Whether `slot` is the sole holder.
    func isSole(_ slot: Int) -> Bool {
        bits & (Self.slotMask << 4 | Self.countMask) == UInt64(slot) << 4 | Self.soleMark
    }

    /// The node of the sole holder; only for a set that has one.
    var node: UInt32 { UInt32(truncatingIfNeeded: bits &>> Self.nodeOffset) }

    /// The same endpoints, the sole one like any other.
    var plain: HolderSet { isSole ? HolderSet(bits: bits & Self.slotMask << 4 | 1) : self }

    /// The number of the row, when there is one.
    var row: Int? {
        bits & Self.countMask == Self.rowMark ? Int(bits >> 4) : nil
    }

    /// How many slots there are; only for a plain set without a row.
    var inlineCount: Int { Int(bits & Self.countMask) }

    /// The slot at `position`, below ``inlineCount``; only for a plain set without a row.
    subscript(position: Int) -> Int {
        Int(bits &>> Self.offset(position) & Self.slotMask)
    }

    /// Whether the slot stands in the value; only for a plain set without a row.
    func contains(_ slot: Int) -> Bool {
        for position in 0..<inlineCount where self[position] == slot { return true }
        return false
    }

    /// Adds a slot that is not there yet; only for a plain set without a row and with fewer than ``maxInline`` slots.
    mutating func append(_ slot: Int) {
        bits |= UInt64(slot) &<< Self.offset(inlineCount)
        bits += 1
    }

    /// Takes a slot out, if it is there; only for a plain set without a row.
    mutating func remove(_ slot: Int) {
        for position in 0..<inlineCount where self[position] == slot {
            let last = inlineCount - 1
            let moved = UInt64(self[last])
            bits &= ~(Self.slotMask &<< Self.offset(last))
            if position != last {
                bits &= ~(Self.slotMask &<< Self.offset(position))
                bits |= moved &<< Self.offset(position)
            }
            bits -= 1
            return
        }
    }

    private static func offset(_ position: Int) -> UInt64 {
        4 &+ slotBits &* UInt64(truncatingIfNeeded: position)
    }
}
