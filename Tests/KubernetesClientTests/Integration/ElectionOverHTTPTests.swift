import GatewayTesting
import Logging
import Testing

@testable import KubernetesClient

@Suite("Leader election over HTTP", .timeLimit(.minutes(1)))
struct ElectionOverHTTPTests {
    private static let lease = ObjectName(namespace: "prod", name: "lease")

    /// What the participants told, by their names.
    private typealias Standings = ObservedState<[String: [LeaderElectionStanding]]>

    /// A participant that takes part until it is stopped.
    private struct Participant {
        let identity: String
        let standings: Standings
        private let task: Task<Void, Never>

        init(
            _ identity: String,
            _ transport: HTTPTransport,
            _ standings: Standings,
            _ configuration: LeaderElectionConfiguration = LeaderElectionConfiguration()
        ) {
            self.identity = identity
            self.standings = standings
            let election = LeaderElection(
                client: APIClient(transport: transport), lease: ElectionOverHTTPTests.lease, identity: identity,
                configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { standing in
                standings.update { $0[identity, default: []].append(standing) }
            }
            task = Task { await election.run() }
        }

        /// Waits until it stands there.
        func wait(for standing: LeaderElectionStanding) async throws {
            try await standings.wait(for: "\(identity) \(standing)", timeout: .seconds(20)) {
                $0[identity]?.last == standing
            }
        }

        /// Ends it as a shutdown does.
        func stop() async {
            task.cancel()
            await task.value
        }
    }

    /// The holder that the server's lease names.
    private static func holder(_ api: ScriptedKubernetesAPI) -> String? {
        api.object("leases", group: "coordination.k8s.io", namespace: "prod", name: "lease")?[
            path: "spec", "holderIdentity"]?.text
    }

    /// Runs a test with a server, and a way to it for each of two participants.
    private static func run(
        _ body: (ScriptedKubernetesAPI, HTTPTransport, HTTPTransport) async throws -> Void
    ) async throws {
        let api = try await ScriptedKubernetesAPI.start()
        try await withTransport(.plain(port: api.port)) { first in
            try await withTransport(.plain(port: api.port)) { second in try await body(api, first, second) }
        }
        try await api.stop()
    }

    @Test("Of two one leads, and when it is shut down the other leads within three seconds")
    func handOver() async throws {
        try await Self.run { api, first, second in
            let standings = Standings([:])
            let one = Participant("one", first, standings)
            try await one.wait(for: .leading)
            let two = Participant("two", second, standings)
            try await two.wait(for: .following(leader: "one"))
            try await api.log.wait(for: "the watch of the lease") { $0.openWatches["leases"] == 2 }
            #expect(Self.holder(api) == "one")
            let start = ContinuousClock.now
            await one.stop()
            #expect(standings.value["one"]?.last == .following(leader: nil))
            try await two.wait(for: .leading)
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(Self.holder(api) == "two")
            // The one that led may come back, and follows.
            let again = Participant("one", first, standings)
            try await again.wait(for: .following(leader: "two"))
            await again.stop()
            await two.stop()
            #expect(Self.holder(api) == "")
        }
    }

    @Test("A restart of the server changes no leader, and after it the lease is handed over as before")
    func restart() async throws {
        try await Self.run { api, first, second in
            let standings = Standings([:])
            let one = Participant("one", first, standings)
            try await one.wait(for: .leading)
            let two = Participant("two", second, standings)
            try await two.wait(for: .following(leader: "one"))
            let told = standings.value
            let before = api.log.value.requests.count { $0.verb == "update" }
            try await api.restart(losingHistory: true)
            try await api.log.wait(for: "a renewal and the watches") { log in
                log.requests.count { $0.verb == "update" && $0.status == 200 } > before
                    && log.openWatches["leases"] == 2
            }
            #expect(standings.value == told)
            await one.stop()
            try await two.wait(for: .leading)
            await two.stop()
        }
    }

    @Test("Without the server nobody leads in the end, and when it is back one does")
    func absence() async throws {
        let short = try LeaderElectionConfiguration(
            leaseDuration: .seconds(2), renewDeadline: .seconds(1), retryPeriod: .milliseconds(100))
        try await Self.run { api, first, second in
            let standings = Standings([:])
            let one = Participant("one", first, standings, short)
            try await one.wait(for: .leading)
            let two = Participant("two", second, standings, short)
            try await two.wait(for: .following(leader: "one"))
            try await api.stopListening()
            try await standings.wait(for: "nobody who leads") { $0.values.allSatisfy { $0.last != .leading } }
            #expect(Self.holder(api) == "one")
            try await api.listen()
            let end = try await standings.wait(for: "one who leads, and one who knows") { told in
                let last = told.compactMapValues(\.last)
                return last == ["one": .leading, "two": .following(leader: "one")]
                    || last == ["two": .leading, "one": .following(leader: "two")]
            }
            #expect(end[Self.holder(api) ?? ""]?.last == .leading)
            await one.stop()
            await two.stop()
        }
    }
}
