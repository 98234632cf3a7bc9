import Testing

@testable import PrefixIndex

@Suite("LRUPrefixIndex")
struct LRUPrefixIndexTests {
    /// The hashes of a prompt whose blocks are told by numbers.
    private static func prompt(_ numbers: some Sequence<Int>) -> [UInt64] {
        numbers.map { XXH64.hash(UInt64($0), 0) }
    }

    @Test("an empty index matches nothing, an empty prompt matches nobody")
    func empty() {
        var index = LRUPrefixIndex()
        #expect(index.matches(Self.prompt(0..<3), slots: 3) == [0, 0, 0])
        #expect(index.matches(Self.prompt(0..<3), slots: 0) == [])
        index.insert(Self.prompt(0..<3), slot: 1)
        #expect(index.matches([], slots: 3) == [0, 0, 0])
        index.insert([], slot: 2)
        #expect(index.statistics().heldBlocksBySlot == [0, 3, 0])
    }

    @Test("a match ends at the first block that the endpoint lacks, whoever holds the ones behind it")
    func contiguous() {
        var index = LRUPrefixIndex()
        let prompt = Self.prompt(0..<6)
        index.insert(prompt, slot: 0)
        index.insert(Array(prompt[..<2]), slot: 1)
        // Slot 1 holds blocks 0, 1 and, out of another prompt, 3 and 4; slot 2 lacks the first block.
        index.insert(Array(prompt[3..<5]), slot: 1)
        index.insert(Array(prompt[1...]), slot: 2)
        #expect(index.matches(prompt, slots: 4) == [6, 2, 0, 0])
        #expect(index.matches(prompt, slots: 2) == [6, 2])
        #expect(index.matches(Array(prompt[1...]), slots: 3) == [5, 1, 5])
    }

    @Test("contiguous also where the block between is held by very many")
    func contiguousAcrossSharedBlocks() {
        var index = LRUPrefixIndex()
        let prompt = Self.prompt(0..<5)
        for slot in 0..<200 { index.insert(Array(prompt[..<2]), slot: slot) }
        for slot in 100..<103 { index.insert(Array(prompt[..<3]), slot: slot) }
        for slot in 90..<200 { index.insert([prompt[3]], slot: slot) }
        index.insert(prompt, slot: 101)
        let matches = index.matches(prompt, slots: 300)
        for slot in 0..<300 {
            let expected: Int32 = slot == 101 ? 5 : (100..<103).contains(slot) ? 4 : slot < 200 ? 2 : 0
            #expect(matches[slot] == expected, "slot \(slot)")
        }
    }

    @Test("an extension goes before its prefix, the prompt of longest ago before all")
    func evictionOrder() {
        var index = LRUPrefixIndex(defaultCapacity: 6)
        let old = Self.prompt(0..<3)
        let new = Self.prompt(10..<13)
        index.insert(old, slot: 0)
        index.insert(new, slot: 0)
        index.insert(Self.prompt([20]), slot: 0)
        #expect(index.matches(old, slots: 1) == [2])
        index.insert(Array(old[..<1]), slot: 0)
        index.insert(Self.prompt([21]), slot: 0)
        #expect(index.matches(old, slots: 1) == [1])
        #expect(index.matches(new, slots: 1) == [3])
        index.insert(Self.prompt([22]), slot: 0)
        #expect(index.matches(new, slots: 1) == [2])
        #expect(index.statistics().evictions == 3)
    }

    @Test("a block keeps its place in an endpoint's order while other endpoints come to hold it and leave")
    func orderOfSharedBlocks() {
        var index = LRUPrefixIndex(defaultCapacity: 3)
        let blocks = Self.prompt(0..<6)
        for block in blocks[..<3] { index.insert([block], slot: 0) }
        for block in blocks[..<2] { index.insert([block], slot: 1) }
        index.insert([blocks[0]], slot: 0)
        index.removeSlot(1)
        for (added, dropped) in [(3, 1), (4, 2), (5, 0)] {
            #expect(index.matches([blocks[dropped]], slots: 2) == [1, 0])
            index.insert([blocks[added]], slot: 0)
            #expect(index.matches([blocks[dropped]], slots: 2) == [0, 0])
        }
        #expect(index.statistics().blocks == 3)
        #expect(index.statistics().evictions == 3)
    }

    @Test("of a prompt longer than the capacity the start is kept")
    func promptLongerThanCapacity() {
        var index = LRUPrefixIndex(defaultCapacity: 4)
        index.insert(Self.prompt(100..<102), slot: 0)
        index.insert(Self.prompt(0..<50), slot: 0)
        #expect(index.matches(Self.prompt(0..<50), slots: 1) == [4])
        #expect(index.statistics().heldBlocks == 4)
    }

    @Test("capacity shrinks by dropping the oldest, gives memory back, and may be nothing")
    func shrinkingCapacity() {
        var index = LRUPrefixIndex()
        for first in stride(from: 0, to: 10_000, by: 10) { index.insert(Self.prompt(first..<first + 10), slot: 3) }
        let before = index.statistics()
        #expect(before.heldBlocksBySlot == [0, 0, 0, 10_000])
        index.setCapacity(25, slot: 3)
        let after = index.statistics()
        #expect(after.heldBlocks == 25)
        #expect(after.blocks == 25)
        #expect(after.evictions == 9975)
        #expect(after.bytesUsed < before.bytesUsed / 5)
        #expect(index.matches(Self.prompt(9990..<10_000), slots: 4)[3] == 10)
        #expect(index.matches(Self.prompt(9970..<9980), slots: 4)[3] == 5)
        index.insert(Self.prompt(0..<10), slot: 3)
        #expect(index.matches(Self.prompt(9970..<9980), slots: 4)[3] == 0)
        index.setCapacity(0, slot: 3)
        index.insert(Self.prompt(0..<10), slot: 3)
        #expect(index.statistics().heldBlocks == 0)
        index.setCapacity(-5, slot: 3)
        index.setCapacity(.max, slot: 3)
        index.insert(Self.prompt(0..<10), slot: 3)
        #expect(index.statistics().heldBlocks == 10)
    }

    @Test("a slot used again inherits nothing and shares with the others as before")
    func slotReuse() {
        var index = LRUPrefixIndex()
        let prompt = Self.prompt(0..<8)
        for slot in 0..<10 { index.insert(prompt, slot: slot) }
        index.setCapacity(5, slot: 4)
        index.removeSlot(4)
        index.removeSlot(4)
        index.removeSlot(LRUPrefixIndex.maxSlots - 1)
        #expect(index.matches(prompt, slots: 10) == [8, 8, 8, 8, 0, 8, 8, 8, 8, 8])
        #expect(index.statistics().evictions == 3)
        index.insert(prompt, slot: 4)
        #expect(index.matches(prompt, slots: 10) == [8, 8, 8, 8, 5, 8, 8, 8, 8, 8])
        for slot in 0..<10 { index.removeSlot(slot) }
        #expect(index.matches(prompt, slots: 10) == [Int32](repeating: 0, count: 10))
        #expect(index.statistics().blocks == 0)
    }

    @Test("every slot up to the last one, so that bit sets grow to their full width")
    func allSlots() {
        var index = LRUPrefixIndex()
        let prompt = Self.prompt(0..<3)
        for slot in 0..<LRUPrefixIndex.maxSlots { index.insert(Array(prompt[..<(1 + slot % 3)]), slot: slot) }
        let matches = index.matches(prompt, slots: LRUPrefixIndex.maxSlots)
        #expect(matches == (0..<LRUPrefixIndex.maxSlots).map { Int32(1 + $0 % 3) })
        #expect(index.statistics().blocks == 3)
        #expect(index.statistics().heldBlocks == 8191)
        for slot in 0..<LRUPrefixIndex.maxSlots where slot % 1000 != 999 { index.removeSlot(slot) }
        let left = index.matches(prompt, slots: LRUPrefixIndex.maxSlots)
        #expect(left.indices.filter { left[$0] > 0 } == [999, 1999, 2999, 3999])
    }

    @Test("at the limit of the whole index an endpoint without its share takes from the one with most")
    func wholeIndexFull() {
        var index = LRUPrefixIndex(maxBlocks: 100)
        index.insert(Self.prompt(0..<90), slot: 0)
        index.insert(Self.prompt(200..<210), slot: 1)
        index.insert(Self.prompt(300..<320), slot: 2)
        #expect(index.statistics().heldBlocksBySlot == [70, 10, 20])
        #expect(index.matches(Self.prompt(0..<90), slots: 1) == [70])
        index.insert(Self.prompt(400..<430), slot: 0)
        #expect(index.statistics().heldBlocksBySlot == [70, 10, 20])
        #expect(index.matches(Self.prompt(0..<90), slots: 1) == [40])
        #expect(index.matches(Self.prompt(200..<210), slots: 2) == [0, 10])
    }

    @Test("memory stays within the promised bytes for a block, however blocks come and go")
    func memoryBound() {
        let maxBlocks = 20_000
        var index = LRUPrefixIndex(maxBlocks: maxBlocks)
        let fixed = index.statistics().bytesUsed + 40 * 4096
        var random = SeededRandom(seed: 5)
        var most = 0
        // One endpoint after the other fills the index, so that each that came before has to shrink.
        for slot in 0..<40 {
            for _ in 0..<60 {
                let first = Int.random(in: 0..<2_000_000, using: &random)
                index.insert(Self.prompt(first..<first + 40), slot: slot)
            }
            if slot == 5 { index.insert(Self.prompt(3_000_000..<3_020_000), slot: 5) }
            if slot == 30 { index.setCapacity(30, slot: 5) }
            let statistics = index.statistics()
            most = max(most, statistics.heldBlocks)
            #expect(statistics.heldBlocks <= maxBlocks)
            #expect(statistics.bytesUsed <= fixed + statistics.heldBlocks * 300, "after endpoint \(slot)")
        }
        #expect(most == maxBlocks)
        for slot in 0..<40 { index.removeSlot(slot) }
        #expect(index.statistics().bytesUsed < fixed, "an empty index gives its tables back")
    }

    @Test("an index that is full stays at its size: new blocks go where old ones were")
    func steadyState() {
        // The layout is fixed so that no segment of the table is near the number of keys at which it grows.
        var index = LRUPrefixIndex(maxBlocks: 1 << 20, defaultCapacity: 22_600, multiplier: 0x9E37_79B9_7F4A_7C15)
        var steadyBytes = 0
        for round in 0..<3 {
            for slot in 0..<3 {
                let first = (round * 3 + slot) << 20
                index.insert(Self.prompt(first..<first + 22_600), slot: slot)
            }
            if round == 0 { steadyBytes = index.statistics().bytesUsed }
            #expect(index.statistics().evictions == UInt64(round * 3 * 22_600))
            #expect(index.statistics().bytesUsed == steadyBytes)
        }
    }
}
