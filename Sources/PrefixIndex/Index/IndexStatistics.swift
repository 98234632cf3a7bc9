/// What a prefix index holds at one moment.
package struct IndexStatistics: Sendable, Equatable {
    /// The different blocks that at least one endpoint holds.
    package let blocks: Int
    /// The blocks of all endpoints together; a block counts once for each endpoint that holds it.
    package let heldBlocks: Int
    /// The blocks of each endpoint, by slot; slots behind the end hold none.
    package let heldBlocksBySlot: [Int]
    /// The blocks that were dropped since the index was made because an endpoint's capacity or the whole index was
    /// full. Those of endpoints that left are not counted.
    package let evictions: UInt64
    /// The bytes of heap that the index has reserved.
    package let bytesUsed: Int
}
