import GatewayTesting
import KubernetesClient
import Logging
import NIOPosix
import Testing

@testable import MartletApp

@Suite("The cluster is asked who may read metrics", .timeLimit(.minutes(1)))
struct MetricsAccessTests {
    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs a test with a server that knows a few users, and with what asks it.
    private static func run(_ body: (ScriptedKubernetesAPI, MetricsAccess) async throws -> Void) async throws {
        let reviews = ScriptedAPIUser.Rule(["create"], resources: ["tokenreviews", "subjectaccessreviews"])
        let api = try await ScriptedKubernetesAPI.start(users: [
            "picker": ScriptedAPIUser(name: "picker", rules: [reviews]),
            "scraper": ScriptedAPIUser(name: "prometheus", rules: [.init(["get"], paths: ["/metrics"])]),
            "stranger": ScriptedAPIUser(name: "stranger", rules: []),
        ])
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "config",
            """
            apiVersion: v1
            kind: Config
            current-context: x
            contexts: [{name: x, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: '\(api.url)'}}]
            users: [{name: u, user: {token: picker}}]
            """
        )
        let transport = HTTPTransport(
            configuration: try ClusterConfiguration.find(path: file, environment: [:], homeFolder: nil),
            group: MultiThreadedEventLoopGroup.singleton, userAgent: "martlet/test", logger: silent
        )
        do {
            try await body(api, MetricsAccess(client: APIClient(transport: transport), logger: silent))
        } catch {
            await transport.shutdown()
            throw error
        }
        await transport.shutdown()
        try await api.stop()
    }

    @Test("Who may is answered, who is not known or may not is told so")
    func verdicts() async throws {
        try await Self.run { _, access in
            #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .allowed)
            #expect(await access.verdict(authorization: "bearer  scraper", path: "/metrics") == .allowed)
            #expect(await access.verdict(authorization: "Bearer nobody", path: "/metrics") == .unauthenticated)
            #expect(
                await access.verdict(authorization: "Bearer stranger", path: "/metrics")
                    == .forbidden("stranger may not get /metrics"))
            #expect(
                await access.verdict(authorization: "Bearer scraper", path: "/debug")
                    == .forbidden("prometheus may not get /debug"))
        }
    }

    @Test(
        "Without a token nobody is asked",
        arguments: [
            nil, "", "Bearer", "Bearer ", "Basic c2NyYXBlcg==", "Bearer " + String(repeating: "x", count: 17_000),
        ])
    func withoutToken(authorization: String?) async throws {
        try await Self.run { api, access in
            #expect(await access.verdict(authorization: authorization, path: "/metrics") == .unauthenticated)
            #expect(api.log.value.requestCount == 0)
        }
    }

    @Test("An answer holds for a while, for its token and its path; a failure does not")
    func cached() async throws {
        try await Self.run { api, access in
            for _ in 0..<10 {
                #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .allowed)
                #expect(await access.verdict(authorization: "Bearer nobody", path: "/metrics") == .unauthenticated)
            }
            // A review of each token, and one of the access of the one that is known.
            #expect(api.log.value.requestCount == 3)
            _ = await access.verdict(authorization: "Bearer scraper", path: "/debug")
            #expect(api.log.value.requestCount == 5)
            api.inject(ScriptedFault(.status(500, retryAfter: nil), resource: "subjectaccessreviews"))
            #expect(await access.verdict(authorization: "Bearer stranger", path: "/metrics") == .unknown)
            #expect(
                await access.verdict(authorization: "Bearer stranger", path: "/metrics")
                    == .forbidden("stranger may not get /metrics"))
        }
    }

    @Test("What cannot be asked is not known: without the server, and without the permission to ask")
    func unknown() async throws {
        try await Self.run { api, access in
            try await api.stopListening()
            #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .unknown)
            try await api.listen()
            api.setToken("picker", ScriptedAPIUser(name: "picker", rules: []))
            #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .unknown)
            api.expireToken("picker")
            #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .unknown)
            api.setToken("picker", ScriptedAPIUser(name: "picker"))
            #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .allowed)
        }
    }

    @Test("At most sixteen questions are asked at once, and a place that is left is taken again")
    func bounded() async throws {
        try await Self.run { api, access in
            api.inject(ScriptedFault(.noAnswer, times: nil))
            await withTaskGroup(of: MetricsAccess.Verdict.self) { group in
                for number in 0..<16 {
                    group.addTask { await access.verdict(authorization: "Bearer \(number)", path: "/metrics") }
                }
                let isFull = try? await api.log.wait(for: "all questions") { $0.requestCount == 16 }
                #expect(isFull != nil)
                #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .unknown)
                #expect(api.log.value.requestCount == 16)
                group.cancelAll()
                for await verdict in group { #expect(verdict == .unknown) }
            }
            api.clearFaults()
            #expect(await access.verdict(authorization: "Bearer scraper", path: "/metrics") == .allowed)
        }
    }
}
