import GatewayTesting
import Testing

@testable import KubernetesClient

@Suite("A reflector over HTTP", .timeLimit(.minutes(2)))
struct ReflectorOverHTTPTests {
    @Test("Whatever happens to a watch, what is told makes the server's objects in the end", arguments: Disruption.all)
    func afterDisruption(_ disruption: Disruption) async throws {
        try await FollowedServer.run(disruption.options) { server in
            try await server.converge()
            try await server.waitForWatch()
            try await disruption.happen(server)
            try await server.convergeAfterWrites()
        }
    }

    @Test(
        "So it is over TLS, where a connection is lost in other ways",
        arguments: Disruption.watches + Disruption.servers + Disruption.access)
    func afterDisruptionOverTLS(_ disruption: Disruption) async throws {
        var options = disruption.options
        options.isSecure = true
        try await FollowedServer.run(options) { server in
            #expect(server.api.url.hasPrefix("https:"))
            try await server.converge()
            try await server.waitForWatch()
            try await disruption.happen(server)
            try await server.convergeAfterWrites()
        }
    }

    @Test("Who leaves a watch does not wait for the other side", arguments: [true, false])
    func leaving(isSecure: Bool) async throws {
        var options = FollowedServer.Options()
        options.isSecure = isSecure
        let left = ObservedState(ContinuousClock.now)
        try await FollowedServer.run(options) { server in
            try await server.waitForWatch()
            left.update { $0 = .now }
        }
        // The farewell of TLS may take five seconds when nobody answers it.
        #expect(ContinuousClock.now - left.value < .seconds(4))
    }

    /// A list in pages of two.
    private static var paged: FollowedServer.Options {
        var options = FollowedServer.Options()
        options.reflector.pageSize = 2
        return options
    }

    @Test("A list whose pages are forgotten while they are read begins again")
    func compactedWhilePaging() async throws {
        try await FollowedServer.run(Self.paged) { api in
            // While the first page is on its way nobody asks for the second.
            api.inject(ScriptedFault(.slowBody(bytesPerSecond: 1_500), verb: "list"))
        } _: { server in
            try await server.wait(for: 1, "list", status: 200)
            try server.remove("a")
            server.api.compact()
            try await server.wait(for: 1, "list", status: 410)
            try await server.converge()
            #expect(server.count("list", status: 200) == 3)
            #expect(server.told.value.replacements == 1)
            #expect(server.told.value.failures == [])
            try await server.convergeAfterWrites()
        }
    }

    @Test(
        "Whatever happens to a list, nothing is told before the whole is known",
        arguments: [
            ScriptedFault.Action.status(429, retryAfter: nil), .status(429, retryAfter: 1),
            .status(500, retryAfter: nil), .status(503, retryAfter: nil), .status(504, retryAfter: nil), .reset,
            .slowBody(bytesPerSecond: 4_000), .cutBody(afterBytes: 300), .replaceBody(#"{"kind":"GadgetList","#),
            .replaceBody("[]"), .replaceBody(""),
        ])
    func listFault(_ action: ScriptedFault.Action) async throws {
        try await FollowedServer.run(Self.paged) { api in
            api.inject(ScriptedFault(action, verb: "list", times: 3))
        } _: { server in
            try await server.converge()
            #expect(server.told.value.replacements == 1)
            #expect(server.told.value.steps == [])
            try await server.convergeAfterWrites()
        }
    }
}
