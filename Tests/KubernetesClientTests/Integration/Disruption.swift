import GatewayTesting
import Testing

@testable import KubernetesClient

/// Something that goes wrong between a server and a reflector that is watching it.
struct Disruption: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// How both are set up.
    private(set) var options = FollowedServer.Options()
    /// Does it, and waits until it has happened.
    let happen: @Sendable (FollowedServer) async throws -> Void

    init(_ name: String, _ happen: @escaping @Sendable (FollowedServer) async throws -> Void) {
        testDescription = name
        self.happen = happen
    }

    func with(_ change: (inout FollowedServer.Options) -> Void) -> Disruption {
        var copy = self
        change(&copy.options)
        return copy
    }
}

extension Disruption {
    // MARK: - Watches

    static let watches: [Disruption] = [
        Disruption("a watch ends in good order") { server in
            server.api.disturb("gadgets", .end)
            try await server.wait(for: 2, "watch")
            #expect(server.count("list") == 1)
        },
        Disruption("the connection of a watch is reset") { server in
            server.api.disturb("gadgets", .reset)
            try await server.wait(for: 2, "watch")
            #expect(server.count("list") == 1)
        },
        Disruption("an event breaks off in the middle") { server in
            server.api.disturb("gadgets", .cutNextEvent(afterBytes: 40))
            try server.put("cut")
            try await server.wait(for: 2, "watch")
            #expect(server.count("list") == 1)
        },
        Disruption("a watch is silent and stays open") { server in
            server.api.disturb("gadgets", .stall)
            try server.put("unheard")
            try await server.wait(for: 2, "watch")
            #expect(server.count("list") == 1)
        }.with {
            $0.settings.bookmarkInterval = .milliseconds(50)
            $0.reflector.idleLimit = .milliseconds(400)
        },
        Disruption("an event of a watch comes slowly") { server in
            server.api.disturb("gadgets", .slow(bytesPerSecond: 2_000))
            try server.put("slow", notes: String(repeating: "x", count: 600))
            try await server.converge()
            #expect(server.count("watch") == 1)
        },
        Disruption("a bookmark is older than what was told") { server in
            server.api.disturb("gadgets", .bookmark(version: server.api.version - 3))
            try await server.wait(for: 2, "list")
        },
        Disruption("an event comes twice") { server in
            try server.put("twice")
            try await server.converge()
            server.api.disturb("gadgets", .duplicate)
            try server.put("after")
            try await server.converge()
            #expect(server.told.value.steps.count { $0.hasPrefix("twice@") } == 1)
        },
        Disruption("a line is no JSON") { server in
            server.api.disturb("gadgets", .line(#"{"type":"ADDED","object":{"metad"#))
            try await server.wait(for: 2, "list")
            #expect(server.told.value.malformed.count == 1)
        },
        Disruption("an event has an unknown type") { server in
            let gadget = try #require(server.gadget("e"))
            server.api.disturb("gadgets", .event("REBORN", gadget))
            let told = try await server.told.wait(for: "the event") { !$0.malformed.isEmpty }
            #expect(told.malformed.first?.name?.name == "e")
            #expect(told.malformed.first?.reason.contains("REBORN") == true)
            #expect(told.gadgets["e"] != nil)
            #expect(server.count("watch") == 1)
        },
    ]

    // MARK: - Objects

    static let objects: [Disruption] = [
        Disruption("an object has a wrong type") { server in
            let before = try #require(server.told.value.gadgets["a"])
            try server.put("a", size: "big")
            let told = try await server.told.wait(for: "the report") { !$0.malformed.isEmpty }
            #expect(told.malformed.first?.name?.name == "a")
            #expect(told.gadgets["a"] == before)
            // Nor does a list take the last good state away.
            server.api.disturb("gadgets", .error(410))
            let listed = try await server.told.wait(for: "the list") { $0.replacements == 2 }
            #expect(listed.gadgets["a"] == before)
            #expect(listed.malformed.count == 1)
            try server.put("a", size: 2)
        },
        Disruption("an object is longer than 10 MB") { server in
            let before = try #require(server.told.value.gadgets["a"])
            try server.put("a", notes: String(repeating: "x", count: 10_000_001))
            let told = try await server.told.wait(for: "the report", timeout: .seconds(30)) { !$0.malformed.isEmpty }
            #expect(told.malformed.first?.name?.name == "a")
            #expect(told.gadgets["a"] == before)
            #expect(server.count("watch") == 1)
            try server.put("a", size: 2)
        },
    ]

    // MARK: - Versions

    /// Lets the versions that the reflector knows be gone, and its watch end.
    private static func forget(_ server: FollowedServer) async throws {
        try server.put("forgotten")
        try await server.converge()
        server.api.advanceVersion(by: 10)
        server.api.compact()
        server.api.disturb("gadgets", .end)
        try await server.wait(for: 2, "list")
    }

    static let versions: [Disruption] = [
        Disruption("a version is too old, as an event", forget),
        Disruption("a version is too old, as a status") { server in
            try await forget(server)
            #expect(server.count("watch", status: 410) > 0)
        }.with { $0.settings.tooOldWatch = .status },
        Disruption("a watch ends with an error 410") { server in
            server.api.disturb("gadgets", .error(410))
            try await server.wait(for: 2, "list")
            // That is no failure.
            #expect(server.told.value.failures == [])
        },
        Disruption("a watch ends with an error 500") { server in
            server.api.disturb("gadgets", .error(500))
            try await server.told.wait(for: "the failure") { $0.failures.contains { $0.isRefusal(500) } }
        },
    ]
}

// MARK: - The server as a whole

extension Disruption {
    static let servers: [Disruption] = [
        Disruption("the server is started again") { server in
            try await server.api.restart()
            try await server.wait(for: 2, "watch")
            #expect(server.count("list") == 1)
        },
        Disruption("the server is away for a while") { server in
            try await server.api.stopListening()
            try await server.told.wait(for: "the failure") { told in
                told.failures.contains { if case .unreachable = $0 { true } else { false } }
            }
            try server.remove("d")
            #expect(server.told.value.gadgets["d"] != nil)
            try await server.api.listen()
        },
        Disruption("the server has lost its history") { server in
            try await server.api.stopListening()
            try server.remove("d")
            try await server.api.restart(losingHistory: true)
            try await server.told.wait(for: "the list") { $0.replacements >= 2 }
        },
        Disruption("the server goes back to an earlier state") { server in
            server.api.takeSnapshot()
            for number in 0..<20 { try server.put("later-\(number)") }
            try server.remove("d")
            try await server.converge()
            try await server.api.restart(restoring: "snapshot")
            let told = try await server.told.wait(for: "the list") { $0.replacements >= 2 }
            #expect(told.gadgets["d"] != nil && told.gadgets["later-3"] == nil)
        }.with { $0.settings.bookmarkInterval = .milliseconds(50) },
        Disruption("the server goes back to an earlier state, and no version repeats") { server in
            server.api.takeSnapshot()
            try server.put("later")
            try server.remove("d")
            try await server.converge()
            try await server.api.restart(restoring: "snapshot", raisingVersionBy: 1_000)
            let told = try await server.told.wait(for: "the list") { $0.replacements >= 2 }
            #expect(told.gadgets["d"] != nil && told.gadgets["later"] == nil)
        },
        Disruption("the server's clock is a year behind, and it has too much to do") { server in
            server.api.configure { $0.clockSkew = .seconds(-86_400 * 365) }
            server.api.inject(ScriptedFault(.status(429, retryAfter: 1), verb: "watch"))
            server.api.disturb("gadgets", .end)
            try await server.wait(for: 3, "watch")
        },
        Disruption("the server says when to come again") { server in
            server.api.inject(ScriptedFault(.status(429, retryAfter: 1), verb: "watch"))
            server.api.disturb("gadgets", .end)
            try await server.wait(for: 1, "watch", status: 429)
            let refused = ContinuousClock.now
            try await server.wait(for: 3, "watch")
            #expect(ContinuousClock.now - refused >= .milliseconds(900))
            #expect(server.count("list") == 1)
        },
    ]

    /// Statuses that say that something is wrong with the server, at a watch and at the list that follows.
    static let statuses: [Disruption] = [500, 503, 504].map { code in
        Disruption("requests are answered \(code)") { server in
            server.api.inject(ScriptedFault(.status(code, retryAfter: nil), verb: "watch", times: 2))
            server.api.disturb("gadgets", .error(410))
            server.api.inject(ScriptedFault(.status(code, retryAfter: nil), verb: "list", times: 2))
            try await server.wait(for: 2, "watch", status: code)
            #expect(server.count("list", status: code) == 2)
        }
    }

    // MARK: - Access

    static let access: [Disruption] = [
        Disruption("the token is another one, and the file has it later") { server in
            server.api.setToken("new", ScriptedAPIUser(name: "picker"))
            server.api.expireToken("old")
            server.api.disturb("gadgets", .end)
            try await server.told.wait(for: "the refusal") { told in
                told.failures.contains { if case .unauthenticated = $0 { true } else { false } }
            }
            try server.put("unseen")
            #expect(server.told.value.gadgets["unseen"] == nil)
            try server.folder.write("token", "new")
        }.with { $0.token = "old" },
        Disruption("the file has the new token before the old one is refused") { server in
            try server.folder.write("token", "new")
            server.api.setToken("new", ScriptedAPIUser(name: "picker"))
            server.api.expireToken("old")
            server.api.disturb("gadgets", .end)
            try await server.waitForWatch()
            #expect(server.told.value.failures.allSatisfy { if case .unauthenticated = $0 { false } else { true } })
        }.with { $0.token = "old" },
        Disruption("the permission is taken and given back") { server in
            server.api.setToken("old", ScriptedAPIUser(name: "picker", rules: []))
            server.api.disturb("gadgets", .end)
            try await server.told.wait(for: "the refusal") { told in
                told.failures.contains { if case .forbidden = $0 { true } else { false } }
            }
            try server.remove("d")
            #expect(server.told.value.gadgets["d"] != nil)
            server.api.setToken("old", ScriptedAPIUser(name: "picker"))
        }.with { $0.token = "old" },
        Disruption("the type is removed and installed again") { server in
            server.api.unregister("gadgets", group: "tests.example")
            let told = try await server.told.wait(for: "the failure") { told in
                told.failures.contains { if case .notFound = $0 { true } else { false } }
            }
            #expect(told.gadgets.isEmpty)
            server.api.register(FollowedServer.type)
        },
    ]

    static let all = watches + objects + versions + servers + statuses + access
}

extension APIError {
    fileprivate func isRefusal(_ status: Int) -> Bool {
        guard case .refused(status, _) = self else { return false }
        return true
    }
}
