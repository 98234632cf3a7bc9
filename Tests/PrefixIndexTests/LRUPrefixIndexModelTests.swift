import Testing

@testable import PrefixIndex

/// Random histories against ``NaivePrefixIndex``: after every step both say the same.
@Suite("LRUPrefixIndex against its definition")
struct LRUPrefixIndexModelTests {
    struct Setting: CustomTestStringConvertible, Sendable {
        let name: String
        let slots: Int
        let maxBlocks: Int
        let capacity: Int
        let operations: Int
        var multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
        /// Makes the hash of a block from a number that stands for it.
        var hash: @Sendable (UInt64) -> UInt64 = { XXH64.hash($0, 0) }

        var testDescription: String { name }
    }

    static let settings = [
        Setting(name: "few endpoints", slots: 4, maxBlocks: 10_000, capacity: 60, operations: 1200),
        Setting(name: "endpoints that grow and shrink", slots: 3, maxBlocks: 10_000, capacity: 300, operations: 1500),
        Setting(name: "many endpoints that share", slots: 150, maxBlocks: 100_000, capacity: 40, operations: 700),
        Setting(name: "the whole index is full", slots: 12, maxBlocks: 120, capacity: 50, operations: 1200),
        Setting(name: "room for a single block", slots: 3, maxBlocks: 1, capacity: 5, operations: 600),
        Setting(
            name: "every key in one cell", slots: 8, maxBlocks: 400, capacity: 60, operations: 700, multiplier: 1,
            hash: { $0 }
        ),
        Setting(
            name: "neighbouring cells, across the end of the tables", slots: 8, maxBlocks: 400, capacity: 60,
            operations: 700, multiplier: 1, hash: { ($0 & 1 == 0 ? 0x00FF_FFFF_FFFF_0000 : 0) | $0 &* 0x0101 }
        ),
    ]

    @Test("every answer of a random history", arguments: settings, [11, 12] as [UInt64])
    func history(setting: Setting, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var prompts = PromptTree(hash: setting.hash)
        var model = NaivePrefixIndex(maxBlocks: setting.maxBlocks, defaultCapacity: setting.capacity)
        var index = LRUPrefixIndex(
            maxBlocks: setting.maxBlocks,
            defaultCapacity: setting.capacity,
            multiplier: setting.multiplier
        )
        for step in 0..<setting.operations {
            let slot = Int.random(in: 0..<setting.slots, using: &random)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<2:
                index.removeSlot(slot)
                model.removeSlot(slot)
            case 2..<6:
                let capacity = Int.random(in: -1...setting.capacity * 2, using: &random)
                index.setCapacity(capacity, slot: slot)
                model.setCapacity(capacity, slot: slot)
            default:
                let prompt = prompts.next(using: &random)
                index.insert(prompt, slot: slot)
                model.insert(prompt, slot: slot)
            }
            let asked = prompts.next(using: &random)
            let wanted = Int.random(in: 0...setting.slots + 70, using: &random)
            let matches = index.matches(asked, slots: wanted)
            try #require(matches == model.match(asked, slots: wanted), "step \(step)")
            let statistics = index.statistics()
            try #require(statistics.heldBlocksBySlot == model.heldBlocksBySlot, "step \(step)")
            if step.isMultiple(of: 32) { try #require(statistics.blocks == model.blocks, "step \(step)") }
            try #require(statistics.heldBlocks == model.heldBlocks, "step \(step)")
            try #require(statistics.evictions == model.evictions, "step \(step)")
        }
        #expect(model.evictions > 0, "the history was too short to fill anything")
        for slot in 0..<setting.slots { index.removeSlot(slot) }
        #expect(index.statistics().blocks == 0)
        #expect(index.statistics().heldBlocks == 0)
    }
}

/// Prompts that share prefixes as conversations do: continued, branched, begun anew; and now and then one with a block
/// that occurs elsewhere, which real chains never have.
struct PromptTree {
    private let hash: (UInt64) -> UInt64
    private var prompts: [[UInt64]] = []
    private var blocks: UInt64 = 0

    init(hash: @escaping (UInt64) -> UInt64) {
        self.hash = hash
    }

    mutating func next(using random: inout SeededRandom) -> [UInt64] {
        var prompt: [UInt64] = []
        if let parent = prompts.randomElement(using: &random), Int.random(in: 0..<10, using: &random) > 0 {
            prompt = Array(parent.prefix(Int.random(in: 0...parent.count, using: &random)))
        }
        let added = prompts.count < 40 ? Int.random(in: 0...12, using: &random) : Int.random(in: 0...2, using: &random)
        for _ in 0..<added {
            blocks += 1
            prompt.append(hash(blocks))
        }
        if let stray = prompts.randomElement(using: &random)?.randomElement(using: &random),
            Int.random(in: 0..<20, using: &random) == 0
        {
            prompt.insert(stray, at: Int.random(in: 0...prompt.count, using: &random))
        }
        if prompts.count < 40 {
            prompts.append(prompt)
        } else {
            prompts[Int.random(in: 0..<40, using: &random)] = prompt
        }
        return prompt
    }
}
