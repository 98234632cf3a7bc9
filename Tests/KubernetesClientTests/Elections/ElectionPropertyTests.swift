import Testing

@testable import KubernetesClient

@Suite("Random elections")
struct ElectionPropertyTests {
    @Test("There are never two leaders, and one once nothing fails any more", arguments: 0..<4)
    func oneLeader(block: UInt64) {
        var terms = 0
        for seed in block * 50..<(block + 1) * 50 {
            var election = ElectionSimulation(seed: seed)
            let hasLeader = election.run()
            #expect(hasLeader, "seed \(seed)")
            #expect(election.violations == [], "seed \(seed)")
            terms += election.terms
        }
        // The leader changes; otherwise this shows nothing.
        #expect(terms > 150)
    }

    @Test("A participant that is broken is found out", arguments: ElectionSimulation.Defect.allCases)
    func findsDefects(defect: ElectionSimulation.Defect) {
        let isFound = (UInt64(0)..<1000).contains { seed in
            var election = ElectionSimulation(seed: seed, defect: defect)
            _ = election.run()
            return !election.violations.isEmpty
        }
        #expect(isFound)
    }
}
