import GatewayCore
import GatewayTesting
import Testing

@Suite struct CandidatesTests {
    @Test(arguments: [
        // whether all stay instead of none, who is accepted, who is kept
        (true, [1, 3], [1, 3]), (false, [1, 3], [1, 3]), (true, [], [0, 1, 3]), (false, [], []),
        (true, [2], [0, 1, 3]), (true, [0, 1, 2, 3], [0, 1, 3]),
    ])
    func narrowsButMayNotNarrowToNobody(fallsBack: Bool, accepted: [Int], kept: [Int]) {
        var candidates = Candidates.sample(count: 4)
        candidates.keep { $0.slot != 2 }
        candidates.keep(orAll: fallsBack) { accepted.contains($0.slot) }
        #expect(candidates.positions == kept)
    }

    @Test func ofNobodyNobodyStays() {
        var candidates = Candidates([])
        candidates.keep(orAll: true) { _ in true }
        #expect(candidates.isEmpty)
    }
}
