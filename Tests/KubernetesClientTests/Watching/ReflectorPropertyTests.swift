import Testing

@testable import KubernetesClient

@Suite("Random histories of a reflector")
struct ReflectorPropertyTests {
    @Test("Once nothing fails any more the store is the server's truth", arguments: 0..<8)
    func converges(block: UInt64) {
        for seed in block * 250..<(block + 1) * 250 {
            var history = ReflectorHistory(seed: seed)
            let isTrue = history.run()
            #expect(isTrue, "seed \(seed): \(history.store.values) is not \(history.server.things.values)")
            #expect(history.violations == [], "seed \(seed)")
        }
    }

    @Test("A reflector that is broken is found out", arguments: ReflectorHistory.Defect.allCases)
    func findsDefects(defect: ReflectorHistory.Defect) {
        let isFound = (UInt64(0)..<1000).contains { seed in
            var history = ReflectorHistory(seed: seed, defect: defect)
            return !history.run() || !history.violations.isEmpty
        }
        #expect(isFound)
    }
}
