import GatewayCore
import ModelServerSimulator
import Simulator
import Testing

/// Servers that die, come back and are listed again, under load. That leases equal open requests is checked by the
/// simulation after every step of every run here.
@Suite struct EndpointFailureTests {
    private func configuration(seed: UInt64, _ faults: [(Int, SimulatedFault)]) -> SimulationConfiguration {
        var configuration = SimulationConfiguration(seed: seed)
        configuration.workload.requestsPerClient = 9
        configuration.faults = faults.map { TimedFault(at: .milliseconds($0.0), $0.1) }
        return configuration
    }

    private func time(_ milliseconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(milliseconds) * 1_000_000)
    }

    /// A server slows down, as one does that is about to fail, and dies with requests in every state.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func requestsWithoutAFirstTokenGoElsewhere(seed: UInt64) throws {
        let configuration = configuration(seed: seed, [(4_000, .slow(1, factor: 20)), (5_000, .kill(1))])
        let report = try GatewaySimulation(configuration).run()
        let broken = report.requests.filter { $0.ending == .brokenOff }
        let retried = report.requests.filter { $0.attempts.count > 1 }

        #expect(report.requests.count == configuration.workload.requestCount)
        #expect(report.count(.completed) + broken.count == configuration.workload.requestCount)
        #expect(!broken.isEmpty, "some request was in the middle of its answer")
        for request in broken {
            #expect(request.firstTokenAt != nil)
            #expect(request.attempts.last?.endpoint == 1)
            #expect(request.endedAt == time(5_000))
        }
        #expect(retried.contains { $0.attempts[0].wasAccepted }, "some request waited for its first token")
        for request in retried {
            #expect(request.ending == .completed)
            #expect(request.attempts.dropLast().allSatisfy { $0.endpoint == 1 })
            #expect(request.attempts.last?.endpoint != 1)
        }
        // Three failures in a row, or two refused scrapes 50 ms apart, and nobody is sent there any more.
        let late = report.requests.flatMap(\.attempts).filter { $0.endpoint == 1 && $0.startedAt > time(5_110) }
        #expect(late.isEmpty)
        #expect(report.metric("lease_leaks_total") == 0)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func aServerThatIsBackGetsRequestsWithinTwoSeconds(seed: UInt64) throws {
        let configuration = configuration(seed: seed, [(3_000, .kill(2)), (6_000, .start(2))])
        let report = try GatewaySimulation(configuration).run()
        let there = report.requests.flatMap(\.attempts).filter { $0.endpoint == 2 && $0.startedAt >= time(3_110) }
        let first = try #require(there.map(\.startedAt).min())
        #expect(first >= time(6_000), "no request was tried on an address known to be dead")
        #expect(first <= time(8_000))
        #expect(there.allSatisfy { $0.wasAccepted })
        #expect(there.count > 10)
        #expect(report.count(.completed) + report.count(.brokenOff) == configuration.workload.requestCount)
    }

    /// The source of endpoints loses one and finds it again, more than once; its server never stops.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func anEndpointThatFlapsLosesNothing(seed: UInt64) throws {
        let flaps = (0..<5).flatMap { round in
            [(3_000 + round * 700, SimulatedFault.leave(0)), (3_200 + round * 700, SimulatedFault.join(0))]
        }
        var configuration = configuration(seed: seed, flaps)
        // Mostly prompts that nobody has seen: those go where the load is least, so the new life gets some soon.
        configuration.workload.prefixes = 200
        configuration.workload.prefixTokens = 500
        let report = try GatewaySimulation(configuration).run()
        #expect(report.count(.completed) == configuration.workload.requestCount)
        #expect(report.requests.allSatisfy { $0.attempts.count == 1 })
        let attempts = report.requests.flatMap(\.attempts).filter { $0.endpoint == 0 }
        for round in 0..<5 {
            let gone = time(3_000 + round * 700)..<time(3_200 + round * 700)
            #expect(!attempts.contains { gone.contains($0.startedAt) })
        }
        #expect(attempts.contains { $0.startedAt > time(6_000) })
        let crossing = report.requests.filter {
            $0.attempts[0].endpoint == 0 && $0.sentAt < time(3_000) && $0.endedAt > time(3_000)
        }
        #expect(!crossing.isEmpty, "some request was open when its endpoint left")
    }

    @Test(arguments: [1, 2] as [UInt64])
    func withoutAnyServerRequestsAreRefusedUntilOneIsBack(seed: UInt64) throws {
        var faults = [(6_000, SimulatedFault.start(1))]
        faults += (0..<3).map { (5_000, SimulatedFault.kill($0)) }
        var configuration = configuration(seed: seed, faults)
        // Refusals come at once, so each client spends about nine of its requests on the outage.
        configuration.workload.requestsPerClient = 18
        let report = try GatewaySimulation(configuration).run()
        let refused = report.requests.filter { $0.ending == .refused(status: 503) }
        #expect(!refused.isEmpty)
        #expect(refused.allSatisfy { (time(5_000)...time(7_000)).contains($0.endedAt) })
        let ended = report.count(.completed) + report.count(.brokenOff) + refused.count
        #expect(ended == configuration.workload.requestCount)
        let after = report.requests.flatMap(\.attempts).filter { $0.startedAt > time(7_000) }
        #expect(!after.isEmpty)
        #expect(after.allSatisfy { $0.endpoint == 1 && $0.wasAccepted })
    }

    /// Servers that answer 503 when they hold four requests, for twice as many clients as all of them hold.
    @Test func aFullServersRequestIsTriedElsewhere() throws {
        var configuration = configuration(seed: 5, [])
        configuration.engine.maxQueuedRequests = 4
        configuration.workload.requestsPerClient = 6
        let report = try GatewaySimulation(configuration).run()
        let moved = report.requests.filter { $0.attempts.count > 1 && $0.ending == .completed }
        #expect(!moved.isEmpty)
        for request in moved {
            #expect(Set(request.attempts.map(\.endpoint)).count == request.attempts.count)
        }
        let refused = report.count(.refused(status: 503))
        #expect(refused > 0)
        #expect(report.count(.completed) + refused == configuration.workload.requestCount)
    }
}
