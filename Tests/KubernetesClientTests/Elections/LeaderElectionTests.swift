import Logging
import Testing

@testable import KubernetesClient

@Suite("Leader election over a server in memory", .timeLimit(.minutes(1)))
struct LeaderElectionTests {
    private static let name = ObjectName(namespace: "ns", name: "lease")

    /// A participant that runs, and what it tells.
    private struct Participant {
        let told: AsyncStream<LeaderElectionStanding>
        let task: Task<Void, Never>

        init(_ identity: String, _ server: LeaseServer, _ configuration: LeaderElectionConfiguration) {
            let (told, continuation) = AsyncStream.makeStream(
                of: LeaderElectionStanding.self, bufferingPolicy: .bufferingNewest(100))
            self.told = told
            let election = LeaderElection(
                client: APIClient(transport: server), lease: LeaderElectionTests.name, identity: identity,
                configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { continuation.yield($0) }
            task = Task {
                await election.run()
                continuation.finish()
            }
        }

        /// What is told up to `standing`.
        func wait(for standing: LeaderElectionStanding) async -> [LeaderElectionStanding] {
            var all: [LeaderElectionStanding] = []
            for await one in told {
                all.append(one)
                if one == standing { break }
            }
            return all
        }

        /// Ends it, and returns what it still told.
        func stop() async -> [LeaderElectionStanding] {
            task.cancel()
            await task.value
            var all: [LeaderElectionStanding] = []
            for await one in told { all.append(one) }
            return all
        }
    }

    /// Times for tests that wait for them.
    private static func short() throws -> LeaderElectionConfiguration {
        try LeaderElectionConfiguration(
            leaseDuration: .seconds(1), renewDeadline: .milliseconds(400), retryPeriod: .milliseconds(100))
    }

    /// Times so long that what happens within a test's limit happens without them.
    private static func long() throws -> LeaderElectionConfiguration {
        try LeaderElectionConfiguration(
            leaseDuration: .seconds(1000), renewDeadline: .seconds(500), retryPeriod: .seconds(200))
    }

    @Test("One alone leads, says so in an event, and gives the lease back")
    func alone() async {
        let server = LeaseServer()
        let one = Participant("one", server, LeaderElectionConfiguration())
        #expect(await one.wait(for: .leading) == [.following(leader: nil), .leading])
        #expect(server.record?.holderIdentity == "one")
        #expect(await one.stop() == [.following(leader: nil)])
        #expect(server.record?.holderIdentity == "")
        #expect(server.record?.leaseDurationSeconds == 1)
    }

    @Test("What the leader gives back the follower takes at once, not at its next reading")
    func takeOver() async throws {
        let server = LeaseServer()
        let one = Participant("one", server, try Self.long())
        _ = await one.wait(for: .leading)
        let two = Participant("two", server, try Self.long())
        #expect(await two.wait(for: .following(leader: "one")).last == .following(leader: "one"))
        _ = await one.stop()
        #expect(await two.wait(for: .leading).last == .leading)
        #expect(server.record?.leaseTransitions == 1)
        _ = await two.stop()
    }

    @Test("A leader that crashed is followed when its lease is over, whatever times it wrote")
    func crashed() async throws {
        let record = LeaseRecord(
            holderIdentity: "ghost", leaseDurationSeconds: 1, acquireTime: "2999-01-01T00:00:00.000000Z",
            renewTime: "2999-01-01T00:00:00.000000Z", leaseTransitions: 6)
        let server = LeaseServer(lease: Lease(Self.name, record: record))
        let one = Participant("one", server, try Self.long())
        #expect(await one.wait(for: .following(leader: "ghost")).last == .following(leader: "ghost"))
        #expect(await one.wait(for: .leading).last == .leading)
        #expect(server.record?.leaseTransitions == 7)
        _ = await one.stop()
    }

    @Test("Without the permission to watch it goes by the readings")
    func withoutWatch() async throws {
        let server = LeaseServer(mayWatch: false)
        let one = Participant("one", server, try Self.short())
        _ = await one.wait(for: .leading)
        let two = Participant("two", server, try Self.short())
        _ = await two.wait(for: .following(leader: "one"))
        _ = await one.stop()
        #expect(await two.wait(for: .leading).last == .leading)
        _ = await two.stop()
    }

    @Test("A leader whose requests hang steps down, and ends in time")
    func hang() async throws {
        let server = LeaseServer()
        let one = Participant("one", server, try Self.short())
        _ = await one.wait(for: .leading)
        server.hang()
        let told = await one.wait(for: .waiting(.unreachable("no answer within 0.2 seconds")))
        #expect(told.last == .waiting(.unreachable("no answer within 0.2 seconds")))
        // It ends though the lease cannot be given back.
        #expect(await one.stop() == [])
        #expect(server.record?.holderIdentity == "one")
    }

    @Test("Whoever may not touch the lease says so, and leads once it may")
    func forbidden() async throws {
        let server = LeaseServer()
        server.fail(.forbidden("leases is forbidden"))
        let one = Participant("one", server, try Self.short())
        #expect(
            await one.wait(for: .waiting(.forbidden("leases is forbidden")))
                == [.following(leader: nil), .waiting(.forbidden("leases is forbidden"))])
        server.fail(nil)
        #expect(await one.wait(for: .leading).last == .leading)
        _ = await one.stop()
    }

    @Test("Becoming the leader is recorded as an event of the lease")
    func event() async throws {
        let server = LeaseServer()
        let one = Participant("one", server, try Self.short())
        _ = await one.wait(for: .leading)
        // The event comes beside the renewals.
        while !server.requests.contains("POST events") { await Task.yield() }
        _ = await one.stop()
        #expect(server.requests.count { $0 == "POST events" } == 1)
    }
}
