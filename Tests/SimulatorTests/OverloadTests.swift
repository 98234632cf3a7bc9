import Simulator
import Testing

/// What flow control is for.
@Suite("Overload")
struct OverloadTests {
    @Test("at three times the capacity, interactive requests hardly wait and batch has what is left")
    func prioritiesHold() throws {
        let capacity = try OverloadScenario.measureCapacity(seconds: 240)
        let scenario = OverloadScenario(capacity: capacity)
        let alone = try scenario.run(.interactive, OverloadScenario.concurrencyWithEviction)
        let both = try scenario.run(.both, OverloadScenario.concurrencyWithEviction)
        #expect(both.lateFirstToken <= 1.3 * alone.lateFirstToken, "\(both), alone \(alone)")
        #expect(both.interactiveLosses == 0)
        #expect(both.batchRate >= 0.9 * (capacity - alone.interactiveRate), "\(both) of \(capacity)")
    }

    @Test(
        "two backlogged tenants get equally many tokens, whatever they send",
        arguments: [FairnessScenario.tokenCounter, FairnessScenario.deficitRoundRobin]
    )
    func tokensAreShared(policy: String) throws {
        let figures = try FairnessScenario().run(policy)
        #expect((0.9...1.1).contains(figures.ratio), "\(figures)")
    }
}
