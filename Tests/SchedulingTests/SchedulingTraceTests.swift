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
        var trace: SchedulingTrace? = scheduler.trace(clock: ManualClock(), begunAt: MonotonicInstant(nanoseconds: 0))
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 4), trace: &trace)

        let told = try #require(trace)
        let run = try #require(told.runs.first)
        let steps = run.steps
        #expect(told.runs.count == 1 && told.commonSteps.isEmpty)
        #expect(run.profile == "default")
        #expect(told.endpoints.map(\.id.name) == ["e0", "e1", "e2", "e3"])
        #expect(steps.map(\.stage) == [.filter, .filter, .scorer, .scorer, .picker])
        #expect(steps.map(\.name) == ["f0", "f1", "s0", "s1", "picker"])
        #expect(steps.map(\.left) == [[0, 1, 3], [1, 3], nil, nil, nil])
        #expect(steps.map(\.rule) == ["Keeps endpoints by name.", "Keeps endpoints by name.", nil, nil, nil])
        #expect(run.scored == [1, 3])
        #expect(steps.map(\.weight) == [1, 1, 2, 0.5, 1])
        #expect(steps[2...3].map(\.scores) == [[0.5, 7], [1, 1]])
        #expect(run.sums == [1.5, 2.5])
        #expect(told.picked(in: run).map(\.name) == ["e3"])
        #expect(decision.endpoint.id.name == "e3")
    }

    @Test func tellsWhoDrainedTheCandidates() throws {
        let filters = [NameFilter(["e1"]), NameFilter(["e0"]), NameFilter(["e0"])]
        let scheduler = makeScheduler([makeProfile(filters: filters)])
        var context = SchedulingContext.sample()
        var trace: SchedulingTrace? = scheduler.trace(clock: ManualClock(), begunAt: MonotonicInstant(nanoseconds: 0))
        #expect(throws: Rejection.self) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: 2), trace: &trace)
        }
        let told = try #require(trace)
        let run = try #require(told.runs.first)
        #expect(run.steps.map(\.left) == [[1], []])
        #expect(run.picks.isEmpty && run.scored.isEmpty && run.sums.isEmpty)
    }

    @Test func tellsWhatRanOutsideOfProfiles() throws {
        let clock = ManualClock()
        let scheduler = makeScheduler(
            [makeProfile()],
            plugins: [SlowPlugin(clock: clock, nanoseconds: 40, admits: true), SlowPlugin(clock: clock, admits: false)]
        )
        var context = SchedulingContext.sample()
        var trace: SchedulingTrace? = scheduler.trace(clock: clock, begunAt: clock.now)
        #expect(throws: Rejection(.saturated, "not now")) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: 3), trace: &trace)
        }
        let steps = try #require(trace?.commonSteps)
        #expect(steps.map(\.stage) == [.screener, .screener, .producer, .producer, .admitter, .admitter])
        #expect(steps.map(\.nanoseconds) == [40, 0, 40, 0, 40, 0])
        #expect(steps[0].left == [0, 2] && steps[0].rule == "Drops the second.")
        #expect(steps[1].left == [0, 2] && steps[1].rule == nil)
        #expect(trace?.runs.isEmpty == true)
    }

    @Test func aScreenerThatLeavesNobodyIsNamedWithItsRule() {
        let clock = ManualClock()
        let scheduler = makeScheduler([makeProfile()], plugins: [SlowPlugin(clock: clock, admits: true)])
        var context = SchedulingContext.sample()
        let message =
            "screeners eliminated all endpoint candidates: 'p0' left none of 1 by its rule: Drops the second."
        #expect(throws: Rejection(.noEndpoints, message)) {
            var candidates = Candidates.sample(count: 2)
            candidates.keep { $0.slot == 1 }
            _ = try scheduler.schedule(&context, candidates: candidates)
        }
    }

    @Test func tracingChangesNothing() throws {
        let scheduler = makeScheduler([
            makeProfile("a", scorers: [(1, ClosureScorer { Double($0.slot) / 10 })]), makeProfile("b"),
        ])
        var (plain, traced) = (SchedulingContext.sample(), SchedulingContext.sample())
        var trace: SchedulingTrace? = scheduler.trace(clock: ManualClock(), begunAt: MonotonicInstant(nanoseconds: 0))
        let first = try scheduler.schedule(&plain, candidates: .sample(count: 9))
        let second = try scheduler.schedule(&traced, candidates: .sample(count: 9), trace: &trace)
        #expect(first.primary.weightedSums == second.primary.weightedSums)
        #expect(first.endpoint.id == second.endpoint.id)
        #expect(trace?.runs.map(\.profile) == ["a", "b"])
    }
}

/// Acts everywhere outside of profiles, and takes its time.
struct SlowPlugin: Screener, DataProducer, Admitter {
    static let descriptor = PluginDescriptor(type: "slow", summary: "Drops the second.")

    let clock: ManualClock
    let nanoseconds: Int64
    let admits: Bool

    init(clock: ManualClock, nanoseconds: Int64 = 0, admits: Bool) {
        self.clock = clock
        self.nanoseconds = nanoseconds
        self.admits = admits
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) throws {
        throw parameters.error("made by hand")
    }

    func screen(_ candidates: inout Candidates, context: inout SchedulingContext) {
        clock.advance(by: .nanoseconds(nanoseconds))
        candidates.keep { $0.slot != 1 }
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        clock.advance(by: .nanoseconds(nanoseconds))
    }

    func admit(_ candidates: Candidates, context: inout SchedulingContext) throws(Rejection) {
        clock.advance(by: .nanoseconds(nanoseconds))
        if !admits { throw Rejection(.saturated, "not now") }
    }
}
