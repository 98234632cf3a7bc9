import DataLayer
import GatewayCore
import Testing

@Suite struct ScrapeScheduleTests {
    private func schedule(slot: Int = 0, interval: Duration = .milliseconds(50)) -> ScrapeSchedule {
        ScrapeSchedule(
            slot: slot,
            now: MonotonicInstant(nanoseconds: 0),
            interval: interval,
            unreachableInterval: .milliseconds(250),
            missingInterval: .seconds(1)
        )
    }

    private func milliseconds(_ value: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(value * 1e6))
    }

    @Test func answersAreAskedForOnTheGrid() {
        var schedule = schedule()
        #expect(schedule.nextDue == milliseconds(0))
        for tick in 1...5 {
            // Waking up late does not move the grid.
            schedule.finished(.answered, at: schedule.nextDue.advanced(by: .milliseconds(7)))
            #expect(schedule.nextDue == milliseconds(Double(tick) * 50))
        }
    }

    @Test func aSlowAnswerSkipsGridPointsAndNothingPilesUp() {
        var schedule = schedule()
        schedule.finished(.answered, at: milliseconds(420))
        #expect(schedule.nextDue == milliseconds(450))
        schedule.finished(.answered, at: milliseconds(460))
        #expect(schedule.nextDue == milliseconds(500))
        schedule.finished(.answered, at: milliseconds(550))
        #expect(schedule.nextDue == milliseconds(550), "an answer on the next grid point delays nothing")
    }

    @Test func anUnreachableEndpointIsAskedMoreSlowlyUpToTheLimit() {
        var schedule = schedule()
        var pauses: [Duration] = []
        for _ in 0..<40 {
            let due = schedule.nextDue
            schedule.finished(.unreachable, at: due)
            pauses.append(schedule.nextDue.since(due))
        }
        #expect(Array(pauses.prefix(4)) == [50, 100, 200, 250].map { .milliseconds($0) })
        #expect(pauses.dropFirst(3).allSatisfy { $0 == .milliseconds(250) })
        let due = schedule.nextDue
        schedule.finished(.answered, at: due)
        #expect(schedule.nextDue.since(due) <= .milliseconds(100))
        let next = schedule.nextDue
        schedule.finished(.unreachable, at: next)
        #expect(schedule.nextDue.since(next) == .milliseconds(50))
    }

    @Test func aLongIntervalDoesNotSlowTheWatchForAReturn() {
        var schedule = schedule(interval: .seconds(10))
        schedule.finished(.unreachable, at: schedule.nextDue)
        #expect(schedule.nextDue == milliseconds(250))
    }

    @Test func aMissingPageIsAskedForAtTheSlowPace() {
        var schedule = schedule()
        schedule.finished(.missing, at: milliseconds(3))
        #expect(schedule.nextDue == milliseconds(1_000))
    }

    @Test func theFirstQuestionIsDueAtOnceAndTheNextOnTheGrid() {
        let now = milliseconds(33)
        var schedule = ScrapeSchedule(
            slot: 0, now: now, interval: .milliseconds(50), unreachableInterval: .seconds(1),
            missingInterval: .seconds(1)
        )
        #expect(schedule.nextDue == now)
        schedule.finished(.answered, at: milliseconds(34))
        #expect(schedule.nextDue == milliseconds(50))
        schedule.finished(.answered, at: milliseconds(51))
        #expect(schedule.nextDue == milliseconds(100))
    }

    /// How many of `count` endpoints are due at which nanosecond of the interval.
    private func groups(of count: Int) -> [Int64: Int] {
        let due = (0..<count).map { slot in
            var schedule = schedule(slot: slot)
            schedule.finished(.answered, at: milliseconds(1))
            schedule.finished(.answered, at: milliseconds(60))
            return schedule.nextDue.nanoseconds % 50_000_000
        }
        return Dictionary(grouping: due) { $0 }.mapValues(\.count)
    }

    @Test func aHundredEndpointsAreAskedInGroupsOverTheInterval() {
        let groups = groups(of: 100)
        #expect(groups.keys.sorted() == (0..<8).map { $0 * 6_250_000 })
        #expect(groups.values.allSatisfy { (8...16).contains($0) })
        #expect(self.groups(of: 1_000).values.allSatisfy { (120...128).contains($0) })
    }

    @Test func fewEndpointsAreAskedInFewGroupsFarApart() {
        #expect(groups(of: 8) == [0: 8])
        #expect(groups(of: 16) == [0: 8, 25_000_000: 8])
        #expect(groups(of: 20) == [0: 8, 12_500_000: 4, 25_000_000: 8])
    }
}
