import GatewayCore
import GatewayTesting
import Scheduling
import Testing

@Suite struct SchedulingTraceTests {
    @Test func recordsFiltersScoresAndPick() throws {
        let scheduler = makeScheduler([
            makeProfile(
                filters: [NameFilter(["e0", "e1", "e3"]), NameFilter(["e1", "e3"])],
                scorers: [(2, ClosureScorer { $0.slot == 3 ? 7 : 0.5 }), (0.5, ClosureScorer { _ in 1 })]
            )
        ])
        var context = SchedulingContext.sample()
        var trace: SchedulingTrace? = SchedulingTrace()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 4), trace: &trace)

        let run = try #require(trace?.runs.first)
        #expect(trace?.runs.count == 1)
        #expect(run.profile == "default")
        #expect(run.candidates.map(\.name) == ["e0", "e1", "e2", "e3"])
        #expect(run.filters.map(\.name) == ["f0", "f1"])
        #expect(run.filters.map { $0.removed.map(\.name) } == [["e2"], ["e0"]])
        #expect(run.scored.map(\.name) == ["e1", "e3"])
        #expect(run.scorers.map(\.name) == ["s0", "s1"])
        #expect(run.scorers.map(\.weight) == [2, 0.5])
        #expect(run.scorers.map(\.scores) == [[0.5, 7], [1, 1]])
        #expect(run.sums == [1.5, 2.5])
        #expect(run.picker == "picker")
        #expect(run.picked.map(\.name) == ["e3"])
        #expect(decision.endpoint.id.name == "e3")
    }

    @Test func tellsWhoDrainedTheCandidates() throws {
        let filters = [NameFilter(["e1"]), NameFilter(["e0"]), NameFilter(["e0"])]
        let scheduler = makeScheduler([makeProfile(filters: filters)])
        var context = SchedulingContext.sample()
        var trace: SchedulingTrace? = SchedulingTrace()
        #expect(throws: Rejection.self) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: 2), trace: &trace)
        }
        let run = try #require(trace?.runs.first)
        #expect(run.filters.map { $0.removed.map(\.name) } == [["e0"], ["e1"]])
        #expect(run.picked.isEmpty)
        #expect(run.scored.isEmpty)
    }

    @Test func tracingChangesNothing() throws {
        let scheduler = makeScheduler([
            makeProfile("a", scorers: [(1, ClosureScorer { Double($0.slot) / 10 })]), makeProfile("b"),
        ])
        var (plain, traced) = (SchedulingContext.sample(), SchedulingContext.sample())
        var trace: SchedulingTrace? = SchedulingTrace()
        let first = try scheduler.schedule(&plain, candidates: .sample(count: 9))
        let second = try scheduler.schedule(&traced, candidates: .sample(count: 9), trace: &trace)
        #expect(first.primary.weightedSums == second.primary.weightedSums)
        #expect(first.endpoint.id == second.endpoint.id)
        #expect(trace?.runs.map(\.profile) == ["a", "b"])
    }
}
