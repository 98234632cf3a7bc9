import GatewayCore
import GatewayTesting
import Scheduling
import Testing

@Suite struct SchedulerTests {
    @Test func sumsWeightedScoresWithoutNormalising() throws {
        let scheduler = makeScheduler([
            makeProfile(scorers: [
                (2, ClosureScorer { $0.slot == 0 ? 0.5 : 0.25 }),
                (3, ClosureScorer { $0.slot == 0 ? 0 : 1 }),
            ])
        ])
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 2))
        #expect(decision.primary.weightedSums == [1, 3.5])
        #expect(decision.endpoint.id.name == "e1")
        #expect(decision.primary.scores.map(\.endpoint.id.name) == ["e0", "e1"])
        #expect(decision.primary.profile == "default")
    }

    @Test(arguments: [
        (-0.5, 0.0), (0, 0), (0.25, 0.5), (1, 2), (1.5, 2), (.infinity, 2), (-.infinity, 0), (.nan, 0), (-.nan, 0),
        (.leastNonzeroMagnitude, 2 * Double.leastNonzeroMagnitude),
    ])
    func clampsScores(raw: Double, sum: Double) throws {
        let scheduler = makeScheduler([makeProfile(scorers: [(2, ClosureScorer { _ in raw })])])
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 1))
        #expect(decision.primary.weightedSums == [sum])
    }

    @Test func everyScorerStartsWithZeros() throws {
        let scheduler = makeScheduler([
            makeProfile(scorers: [(1, ClosureScorer { _ in 0.75 }), (1, SilentScorer()), (1, SilentScorer())])
        ])
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 3))
        #expect(decision.primary.weightedSums == [0.75, 0.75, 0.75])
    }

    @Test func scoresOnlyWhatTheFiltersLeave() throws {
        let scheduler = makeScheduler([
            makeProfile(
                filters: [NameFilter(["e1", "e2", "e3"]), NameFilter(["e1", "e3"])],
                scorers: [(1, ClosureScorer { Double($0.slot) / 4 })]
            )
        ])
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 5))
        #expect(decision.endpoint.id.name == "e3")
        #expect(decision.primary.weightedSums == [0.25, 0.75])
        #expect(decision.primary.candidates.positions == [1, 3])
    }

    @Test func withoutScorersNothingIsScored() throws {
        let scheduler = makeScheduler([makeProfile(picker: ClosurePicker { _ in [1, 0] })])
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 2))
        #expect(decision.primary.endpoints.map(\.id.name) == ["e1", "e0"])
        #expect(decision.primary.scores.isEmpty)
    }

    @Test func aDrainedFilterEndsTheProfile() {
        let log = CallLog()
        let scheduler = makeScheduler([
            makeProfile(filters: [NameFilter(["e0"]), NameFilter([], log: log), NameFilter(["e0"], log: log)])
        ])
        var context = SchedulingContext.sample()
        #expect(throws: Rejection(.saturated, "no endpoints available for the given request")) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: 2))
        }
        #expect(log.all == ["filter []"])
    }

    @Test func manyCandidatesFitWhereFewDo() throws {
        // 128 doubles are what the score buffer takes on the stack.
        for count in [1, 127, 128, 129, 5000] {
            let scheduler = makeScheduler([
                makeProfile(scorers: [(1, ClosureScorer { $0.slot == count - 1 ? 1 : 0 }), (1, SilentScorer())])
            ])
            var context = SchedulingContext.sample()
            let decision = try scheduler.schedule(&context, candidates: .sample(count: count))
            #expect(decision.endpoint.slot == count - 1)
        }
    }

    @Test func profilesRunInTheRoundsOfTheHandler() throws {
        let log = CallLog()
        let handler = ClosureHandler { progress in
            if !progress[2].hasRun { return [2] }
            return progress[0].hasRun ? [] : [0]
        }
        let scheduler = makeScheduler(
            [
                makeProfile("a", filters: [NameFilter(["e0"], log: log)]),
                makeProfile("b", filters: [NameFilter(["e1"], log: log)]),
                makeProfile("c", filters: [NameFilter(["e2"], log: log)]),
            ],
            handler: handler
        )
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 3))
        #expect(log.all == ["filter [\"e2\"]", "filter [\"e0\"]"])
        #expect(decision.primary.profile == "a")
        #expect(decision.secondary.map(\.profile) == ["c"])
        #expect(decision.secondary[0].endpoints.map(\.id.name) == ["e2"])
    }

    @Test func oneDrainedProfileOfTwoIsTheHandlersBusiness() throws {
        let scheduler = makeScheduler([makeProfile("a", filters: [NameFilter([])]), makeProfile("b")])
        var context = SchedulingContext.sample()
        let decision = try scheduler.schedule(&context, candidates: .sample(count: 1))
        #expect(decision.primary.profile == "b")
    }

    @Test func hooksRunInOrder() throws {
        let log = CallLog()
        let scheduler = makeScheduler(
            [makeProfile()],
            plugins: [LoggingPlugin("one", log: log), LoggingPlugin("two", log: log)]
        )
        var context = SchedulingContext.sample()
        let candidates = Candidates.sample(count: 2)
        let decision = try scheduler.schedule(&context, candidates: candidates)
        scheduler.willSend(decision, context: &context)
        scheduler.didEnd(context.request, endpoint: decision.endpoint, outcome: .completed, usage: nil)
        scheduler.endpointDidLeave(candidates[1])
        #expect(
            log.all == [
                "one produce 2", "two produce 2", "one send default/e0", "two send default/e0",
                "one end default/e0 completed", "two end default/e0 completed",
                "one left default/e1", "two left default/e1",
            ]
        )
    }
}
