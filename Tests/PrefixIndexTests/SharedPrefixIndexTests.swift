import PrefixIndex
import Testing

@Suite("SharedPrefixIndex")
struct SharedPrefixIndexTests {
    @Test("forwards every call")
    func calls() {
        let index = SharedPrefixIndex(maxBlocks: 100, defaultCapacity: 50)
        index.insert([1, 2, 3], slot: 1)
        index.setCapacity(2, slot: 1)
        #expect(index.matches([1, 2, 3], slots: 2) == [0, 2])
        #expect(index.statistics().heldBlocksBySlot == [0, 2])
        let both = index.withIndex { index in
            index.insert([9], slot: 0)
            return index.statistics().heldBlocks
        }
        #expect(both == 3)
        index.removeSlot(1)
        #expect(index.matches([1, 2, 3], slots: 2) == [0, 0])
    }

    @Test("many tasks at once leave the blocks of each endpoint whole")
    func concurrency() async {
        let index = SharedPrefixIndex(defaultCapacity: 64)
        await withTaskGroup(of: Void.self) { group in
            for slot in 0..<8 {
                group.addTask {
                    var random = SeededRandom(seed: UInt64(slot))
                    for _ in 0..<300 {
                        let conversation = UInt64.random(in: 0..<20, using: &random)
                        let prompt = (0..<8).map { conversation << 8 | UInt64($0) }
                        index.insert(prompt, slot: slot)
                        #expect(index.matches(prompt, slots: 8)[slot] == 8)
                    }
                }
            }
        }
        let statistics = index.statistics()
        #expect(statistics.heldBlocksBySlot == [Int](repeating: 64, count: 8))
        #expect(statistics.blocks <= 160)
    }
}
