import DataLayer
import GatewayCore
import Testing

@Suite struct EjectionStateMachineTests {
    /// A state machine and the time, both moved by the test.
    private struct World {
        var health: EjectionStateMachine
        var now = MonotonicInstant(nanoseconds: 0)

        init(_ configuration: EjectionConfiguration = EjectionConfiguration()) {
            health = EjectionStateMachine(configuration: configuration)
        }

        mutating func wait(_ duration: Duration) {
            now = now.advanced(by: duration)
            _ = health.tick(at: now)
        }

        /// A request that opens and ends at this moment.
        @discardableResult
        mutating func request(_ verdict: RequestVerdict) -> EjectionStateMachine.Transition? {
            let trial = health.requestOpened(at: now)
            return health.requestClosed(verdict, detail: "test", trial: trial, openedAt: now, at: now)
        }

        mutating func fail(_ reason: EjectionReason, times: Int) {
            for _ in 0..<times { request(.failure(reason)) }
        }
    }

    @Test func failuresInARowEject() {
        var world = World()
        #expect(world.request(.failure(.connect)) == nil)
        #expect(world.request(.failure(.gatewayError)) == nil)
        #expect(world.health.standing == .available)
        #expect(world.request(.failure(.reset)) == .ejected(.reset))
        #expect(world.health.standing == .ejected)
        #expect(world.health.ejection?.until == world.now.advanced(by: .seconds(1)))
    }

    @Test func aSuccessBetweenStartsTheCountAgain() {
        var world = World()
        world.fail(.connect, times: 2)
        world.request(.success)
        world.fail(.connect, times: 2)
        #expect(world.health.standing == .available)
    }

    @Test(arguments: [RequestOutcome.clientDisconnected, .drained, .abandoned])
    func whatIsNotTheEndpointsFaultCountsNeitherWay(outcome: RequestOutcome) {
        var world = World()
        world.fail(.connect, times: 2)
        world.request(RequestVerdict(outcome))
        #expect(world.health.standing == .available)
        world.fail(.connect, times: 1)
        #expect(world.health.standing == .ejected)
    }

    @Test func everyEndpointFailureHasAReason() {
        for outcome in RequestOutcome.allCases {
            if case .failure = RequestVerdict(outcome) {
                #expect(outcome.isEndpointFailure)
            } else {
                #expect(!outcome.isEndpointFailure)
            }
        }
    }

    @Test func timeEndsAnEjectionAsHalfOpen() {
        var world = World()
        world.fail(.gatewayError, times: 3)
        world.wait(.milliseconds(999))
        #expect(world.health.standing == .ejected)
        world.wait(.milliseconds(1))
        #expect(world.health.standing == .trialFree)
    }

    @Test func ejectionsDoubleUpToTheMaximumAndAreForgotten() {
        var world = World()
        var lengths: [Duration] = []
        world.fail(.timeout, times: 3)
        for _ in 0..<7 {
            let ejection = world.health.ejection!
            lengths.append(ejection.until.since(ejection.since))
            world.wait(lengths.last!)
            world.fail(.timeout, times: 1)
        }
        #expect(lengths == [1, 2, 4, 8, 16, 30, 30].map { Duration.seconds($0) })
        world.wait(.seconds(30))
        #expect(world.request(.success) == .healed)
        world.wait(.seconds(59))
        world.fail(.timeout, times: 3)
        #expect(world.health.ejection?.until == world.now.advanced(by: .seconds(30)))
        world.wait(.seconds(30))
        world.request(.success)
        world.wait(.seconds(60))
        world.fail(.timeout, times: 3)
        #expect(world.health.ejection?.until == world.now.advanced(by: .seconds(1)))
    }

    @Test func halfOpenTriesOneRequestAtATime() {
        var world = World()
        world.fail(.gatewayError, times: 3)
        world.wait(.seconds(1))
        let opened = world.now
        let trial = world.health.requestOpened(at: opened)
        #expect(trial != nil)
        #expect(world.health.standing == .trialInFlight)
        #expect(world.health.requestOpened(at: world.now) == nil)
        world.wait(.seconds(5))
        #expect(world.health.standing == .trialFree, "after its time the trial keeps nobody away")
        let second = world.health.requestOpened(at: world.now)
        #expect(second != nil && second != trial)
        let old = world.health.requestClosed(.neutral, detail: "", trial: trial, openedAt: opened, at: world.now)
        #expect(old == nil)
        #expect(world.health.standing == .trialInFlight, "the end of an old trial does not end the present one")
        _ = world.health.requestClosed(.neutral, detail: "", trial: second, openedAt: world.now, at: world.now)
        #expect(world.health.standing == .trialFree, "a trial that told nothing makes room for another")
    }

    @Test func theHeadOfAResponseHeals() {
        var world = World()
        world.fail(.connect, times: 3)
        world.wait(.seconds(1))
        let opened = world.now
        _ = world.health.requestOpened(at: opened)
        world.wait(.milliseconds(20))
        #expect(world.health.responseBegan(openedAt: opened, at: world.now) == .healed)
        #expect(world.health.standing == .available)
    }

    @Test func requestsFromBeforeTheEjectionSayNothing() {
        var world = World()
        let before = world.now
        world.wait(.seconds(1))
        world.fail(.connect, times: 3)
        world.wait(.seconds(1))
        _ = world.health.requestClosed(.success, detail: "", trial: nil, openedAt: before, at: world.now)
        #expect(world.health.standing == .trialFree)
        _ = world.health.requestClosed(.failure(.reset), detail: "", trial: nil, openedAt: before, at: world.now)
        #expect(world.health.standing == .trialFree)
        world.request(.success)
        for _ in 0..<5 {
            _ = world.health.requestClosed(.failure(.reset), detail: "", trial: nil, openedAt: before, at: world.now)
        }
        #expect(world.health.standing == .available, "streams of the crashed process end late")
    }

    @Test(arguments: EjectionReason.allCases)
    func anAnsweredScrapeEndsLossesOnly(reason: EjectionReason) {
        var world = World()
        let before = world.now
        world.wait(.milliseconds(10))
        world.fail(reason, times: 3)
        world.wait(.milliseconds(10))
        #expect(world.health.scrapeAnswered(startedAt: before, at: world.now) == nil, "it began before the ejection")
        let isLoss = [.connect, .reset, .unreachable].contains(reason)
        #expect(world.health.scrapeAnswered(startedAt: world.now, at: world.now) == (isLoss ? .halfOpened : nil))
        #expect(world.health.standing == (isLoss ? .trialFree : .ejected))
    }

    @Test func refusedScrapesKeepALostEndpointAway() {
        var world = World()
        world.fail(.connect, times: 3)
        for _ in 0..<100 {
            world.wait(.milliseconds(250))
            _ = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
            #expect(world.health.standing == .ejected)
        }
        world.wait(.seconds(5))
        #expect(world.health.standing == .trialFree, "when scrapes stop, time ends the ejection")
        _ = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
        #expect(world.health.standing == .ejected)
        world.wait(.milliseconds(250))
        #expect(world.health.scrapeAnswered(startedAt: world.now, at: world.now) == .halfOpened)
        #expect(world.request(.success) == .healed)
    }

    @Test func twoRefusedScrapesEjectAHealthyEndpoint() {
        var world = World()
        #expect(world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now) == nil)
        world.wait(.milliseconds(50))
        let transition = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
        #expect(transition == .ejected(.unreachable))
        #expect(world.health.ejection?.detail == "refused")
    }

    @Test func anEndpointThatWasReachedMeanwhileIsNotUnreachable() {
        var world = World()
        for _ in 0..<10 {
            _ = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
            world.wait(.milliseconds(25))
            world.request(.success)
            world.wait(.milliseconds(25))
        }
        #expect(world.health.standing == .available)
        _ = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
        world.wait(.milliseconds(25))
        _ = world.health.scrapeAnswered(startedAt: world.now, at: world.now)
        world.wait(.milliseconds(25))
        _ = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
        #expect(world.health.standing == .available)
    }

    @Test func refusedScrapesCanBeIgnored() {
        var configuration = EjectionConfiguration()
        configuration.refusedScrapes = 0
        var world = World(configuration)
        for _ in 0..<10 {
            world.wait(.milliseconds(50))
            _ = world.health.scrapeRefused(detail: "refused", startedAt: world.now, at: world.now)
        }
        #expect(world.health.standing == .available)
    }

    @Test func noOrderOfEventsLeavesAnEndpointAwayForEver() {
        for seed in 0..<300 {
            var random = RandomSource(seed: UInt64(seed))
            var world = World()
            var open: [(trial: Int?, at: MonotonicInstant)] = []
            for _ in 0..<200 {
                world.wait(.milliseconds(Int.random(in: 0..<800, using: &random)))
                switch Int.random(in: 0..<7, using: &random) {
                case 0, 1: open.append((world.health.requestOpened(at: world.now), world.now))
                case 2, 3:
                    guard let index = open.indices.randomElement(using: &random) else { continue }
                    let request = open.remove(at: index)
                    let verdict = RequestVerdict(RequestOutcome.allCases.randomElement(using: &random)!)
                    _ = world.health.requestClosed(
                        verdict, detail: "", trial: request.trial, openedAt: request.at, at: world.now
                    )
                case 4: _ = world.health.scrapeRefused(detail: "", startedAt: world.now, at: world.now)
                case 5: _ = world.health.scrapeAnswered(startedAt: world.now, at: world.now)
                default:
                    guard let request = open.randomElement(using: &random) else { continue }
                    _ = world.health.responseBegan(openedAt: request.at, at: world.now)
                }
                #expect((world.health.standing == .available) == (world.health.ejection == nil))
            }
            world.wait(.seconds(30))
            #expect([.available, .trialFree].contains(world.health.standing), "seed \(seed)")
            world.request(.success)
            #expect(world.health.standing == .available, "seed \(seed)")
        }
    }
}
