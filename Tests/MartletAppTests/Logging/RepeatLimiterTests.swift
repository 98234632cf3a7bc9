import GatewayCore
import Testing

@testable import MartletApp

@Suite struct RepeatLimiterTests {
    private typealias Limiter = RepeatLimiter<String>

    private func at(_ seconds: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
    }

    @Test func theFirstFewAreAdmittedAndTheRestIsCounted() {
        var limiter = Limiter(burst: 3, interval: .seconds(10))
        let admitted = (0..<8).map { limiter.admits("a", at: at(Double($0) / 10)) }
        #expect(admitted == [true, true, true, false, false, false, false, false])
        let early = limiter.rests(at: at(9.9))
        let rests = limiter.rests(at: at(10))
        #expect(early.isEmpty && rests == [Limiter.Rest(kind: "a", count: 5)])
    }

    @Test func whatGoesOnHasOneLineAnInterval() {
        var limiter = Limiter(burst: 2, interval: .seconds(10))
        var lines = 0
        var told = 0
        for tick in 0..<600 {
            let now = at(Double(tick) / 10)
            if limiter.admits("a", at: now) { lines += 1 }
            for rest in limiter.rests(at: now) {
                lines += 1
                told += rest.count
            }
        }
        told += limiter.allRests().reduce(0) { $0 + $1.count }
        #expect(lines == 2 + 5 && told + 2 == 600)
    }

    @Test func aKindThatWasQuietForAnIntervalIsNewAgain() {
        var limiter = Limiter(burst: 1, interval: .seconds(10))
        let first = [0.0, 1].map { limiter.admits("a", at: at($0)) }
        #expect(first == [true, false])
        let rests = [10.0, 10].map { limiter.rests(at: at($0)).count }
        #expect(rests == [1, 0])
        // Held back still: it goes on.
        let goesOn = limiter.admits("a", at: at(11))
        #expect(!goesOn)
        let later = [20.0, 30].map { limiter.rests(at: at($0)).count }
        #expect(later == [1, 0])
        let isNew = limiter.admits("a", at: at(31))
        #expect(isNew)
    }

    @Test func withoutRestsAKindIsNewAfterAnIntervalEvenIfNobodyAskedForThem() {
        var limiter = Limiter(burst: 1, interval: .seconds(10))
        let admitted = [0.0, 10, 20].map { limiter.admits("a", at: at($0)) }
        #expect(admitted == [true, true, true])
    }

    @Test func kindsDoNotDisturbEachOther() {
        var limiter = Limiter(burst: 1, interval: .seconds(10))
        let admitted = ["a", "b", "a", "b"].map { limiter.admits($0, at: at(0)) }
        #expect(admitted == [true, true, false, false])
    }

    @Test func kindsBeyondTheBoundShareOneCount() {
        var limiter = Limiter(burst: 1, interval: .seconds(10), kindsMax: 2)
        let admitted = ["a", "b", "c", "d", "e", "a"].map { limiter.admits($0, at: at(0)) }
        #expect(admitted == [true, true, true, false, false, false])
        let rests = limiter.rests(at: at(10))
        #expect(Set(rests) == [Limiter.Rest(kind: "a", count: 1), Limiter.Rest(kind: nil, count: 2)])
        // The quiet kind made room.
        let hasRoom = limiter.admits("c", at: at(11))
        #expect(hasRoom)
    }

    /// No event is lost and none is told twice, whatever comes when.
    @Test(arguments: 0..<50) func everyEventIsToldOnce(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        var limiter = Limiter(burst: 3, interval: .seconds(5), kindsMax: 4)
        var now = 0.0
        var events = 0
        var told = 0
        for _ in 0..<500 {
            now += Double.random(in: 0..<2, using: &random)
            for _ in 0..<Int.random(in: 0..<5, using: &random) {
                events += 1
                let kind = "\(Int.random(in: 0..<8, using: &random))"
                if limiter.admits(kind, at: at(now)) { told += 1 }
            }
            if Bool.random(using: &random) { told += limiter.rests(at: at(now)).reduce(0) { $0 + $1.count } }
        }
        told += limiter.allRests().reduce(0) { $0 + $1.count }
        let left = limiter.allRests()
        #expect(events == told && left.isEmpty)
    }
}
