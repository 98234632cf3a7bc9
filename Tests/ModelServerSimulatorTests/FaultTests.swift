import ModelServerSimulator
import NIOCore
import NIOHTTP1
import Testing

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite("Simulated server: faults")
struct FaultTests {
    private static let stream = #"{"prompt":"hello","max_tokens":8,"stream":true}"#
    private static let whole = #"{"prompt":"hello","max_tokens":8}"#

    @Test("A share of the requests fails with the chosen status, the same ones for one seed")
    func errorProbability() async throws {
        func statuses() async throws -> [UInt] {
            var statuses: [UInt] = []
            try await withServer(instantConfiguration { $0.parameters.seed = 5 }) { client, _ in
                try await client.setFaults(#"{"error_status":502,"error_probability":0.5}"#)
                for _ in 0..<40 {
                    statuses.append(try await client.post("/v1/completions", Self.whole).status)
                }
                let counted = try await client.get("/simulator/state").json["responses_by_status"]
                #expect(counted["502"].number == Double(statuses.count { $0 == 502 }))
            }
            return statuses
        }
        let first = try await statuses()
        #expect(Set(first) == [200, 502])
        #expect((8...32).contains(first.count { $0 == 502 }))
        #expect(try await statuses() == first)
    }

    @Test("A stream is reset, or ends without its end, after the chosen number of events", arguments: [true, false])
    func brokenStream(reset: Bool) async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        try await withServer(configuration) { client, _ in
            try await client.setFaults(reset ? #"{"reset_after_events":3}"# : #"{"truncate_after_events":3}"#)
            let outcome = await brokenOutcome(client, Self.stream)
            #expect(outcome.isReset == reset)
            #expect(outcome.received.components(separatedBy: "data: {").count == 4)
            #expect(!outcome.received.contains("[DONE]"))
            try await client.await("cancelled", toBe: 1)
            #expect(try await client.state("used_blocks") == 0)

            let half = await brokenOutcome(client, Self.whole)
            #expect(half.isReset == reset)
            #expect(half.received.hasPrefix(#"{"id":"cmpl-"#))
            #expect(!half.received.contains("usage"))
            try await client.setFaults("{}")
            #expect(try await client.post("/v1/completions", Self.stream).events.last == "[DONE]")
        }
    }

    /// What arrived of an answer that breaks off, and how it broke off.
    private func brokenOutcome(_ client: TestClient, _ body: String) async -> (received: String, isReset: Bool) {
        var received = ""
        do {
            try await client.connect().executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: body))
                for try await part in inbound {
                    if case .body(let buffer) = part {
                        received += String(buffer: buffer)
                    }
                }
            }
            Issue.record("the answer did not break off")
            return (received, false)
        } catch {
            return (received, (error as? IOError)?.errnoCode == connectionReset)
        }
    }

    @Test("Refused connections are reset, and the plan ends by itself")
    func refusing() async throws {
        try await withServer { client, server in
            try await client.connect().executeThenClose { inbound, outbound in
                var parts = inbound.makeAsyncIterator()
                try await outbound.write(contentsOf: TestClient.parts(.GET, "/health", body: nil))
                #expect(try await TestClient.response(from: &parts).status == 200)
                var plan = FaultPlan()
                plan.refuseConnections = true
                try await server.setFaults(plan)
                await #expect(throws: (any Error).self) {
                    try await client.get("/health")
                }
                // An existing connection may still reach what controls the faults.
                try await outbound.write(contentsOf: TestClient.parts(.GET, "/simulator/state", body: nil))
                #expect(try await TestClient.response(from: &parts).status == 200)
                try await outbound.write(
                    contentsOf: TestClient.parts(
                        .POST, "/simulator/faults", body: #"{"refuse_connections":true,"duration_milliseconds":20}"#
                    )
                )
                #expect(try await TestClient.response(from: &parts).status == 200)
            }
            let deadline = NIODeadline.now() + .seconds(20)
            var status: UInt?
            while status == nil, NIODeadline.now() < deadline {
                status = try? await client.get("/health").status
            }
            #expect(status == 200)
        }
    }

    @Test("A request on an existing connection is reset while connections are refused")
    func refusingExisting() async throws {
        try await withServer { client, server in
            var plan = FaultPlan()
            plan.refuseConnections = true
            await #expect(throws: (any Error).self) {
                try await client.connect().executeThenClose { inbound, outbound in
                    var parts = inbound.makeAsyncIterator()
                    try await outbound.write(contentsOf: TestClient.parts(.GET, "/health", body: nil))
                    #expect(try await TestClient.response(from: &parts).status == 200)
                    try await server.setFaults(plan)
                    try await outbound.write(contentsOf: TestClient.parts(.GET, "/health", body: nil))
                    _ = try await TestClient.response(from: &parts)
                }
            }
        }
    }

    @Test("A hanging server answers nothing but its controls")
    func hanging() async throws {
        try await withServer { client, _ in
            try await client.setFaults(#"{"hang":true,"metrics":"hang"}"#)
            try await client.connect().executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: Self.whole))
                try await outbound.write(contentsOf: TestClient.parts(.GET, "/health", body: nil))
                #expect(try await client.get("/health").status == 200)
                #expect(try await client.state("accepted") == 0)
            }
        }
    }

    @Test("Latency is added before the engine, and a client that leaves meanwhile never reaches it")
    func latency() async throws {
        try await withServer { client, _ in
            try await client.setFaults(#"{"added_latency_milliseconds":30}"#)
            let began = NIODeadline.now()
            #expect(try await client.post("/v1/completions", Self.whole).status == 200)
            #expect(NIODeadline.now() - began >= .milliseconds(30))
            try await client.setFaults(#"{"added_latency_milliseconds":3600000}"#)
            try await client.connect().executeThenClose { _, outbound in
                try await outbound.write(contentsOf: TestClient.parts(.POST, "/v1/completions", body: Self.whole))
                try await client.await("open_connections", toBe: 2)
            }
            try await client.await("open_connections", toBe: 1)
            #expect(try await client.state("accepted") == 1)
        }
    }

    @Test("Slower tokens are slower by the factor")
    func slowdown() async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.timeScale = 100
        try await withServer(configuration) { client, server in
            _ = try await client.post("/v1/completions", Self.whole)
            let normal = try #require(try await server.counters()).totals.interTokenLatency
            try await client.setFaults(#"{"slowdown":10}"#)
            _ = try await client.post("/v1/completions", Self.whole)
            let both = try #require(try await server.counters()).totals.interTokenLatency
            #expect(normal.count == 7)
            #expect(abs(normal.sum - 0.07) < 1e-6)
            #expect(abs(both.sum - normal.sum - 0.7) < 1e-6)
        }
    }

    @Test("The metrics page and the health page go wrong as told")
    func pages() async throws {
        try await withServer { client, _ in
            try await client.setFaults(#"{"metrics":"error","health_status":503}"#)
            #expect(try await client.get("/metrics").status == 500)
            #expect(try await client.get("/health").status == 503)
            try await client.setFaults(#"{"metrics":"garbage"}"#)
            #expect(try await client.get("/metrics").body.hasPrefix("<html>"))
            try await client.setFaults(#"{"metrics":"cut"}"#)
            let cut = try await client.get("/metrics").body
            try await client.setFaults("{}")
            let page = try await client.get("/metrics").body
            #expect(page.hasPrefix(cut) && cut.count == page.count / 2)
        }
    }

    @Test(
        "A plan that cannot be is refused and changes nothing",
        arguments: [
            (#"{"nonsense":1}"#, "nonsense"), (#"{"error_probability":1.5}"#, "error_probability is 1.5"),
            (#"{"error_status":200}"#, "error_status"), (#"{"slowdown":0}"#, "slowdown"),
            (#"{"metrics":"odd"}"#, "metrics"), (#"{"hang":1}"#, "hang"), ("[]", "the body"), ("", "JSON"),
            (#"{"duration_milliseconds":-1}"#, "duration_milliseconds"), (#"{"reset_after_events":-1}"#, "reset"),
            (#"{"added_latency_milliseconds":1e300}"#, "added_latency"), (#"{"health_status":99}"#, "health_status"),
        ]
    )
    func invalidPlans(_ json: String, _ words: String) async throws {
        let error = #expect(throws: SimulatorConfigurationError.self) {
            try FaultPlan(json: Array(json.utf8))
        }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
        try await withServer { client, _ in
            try await client.setFaults(#"{"hang":true}"#)
            #expect(try await client.post("/simulator/faults", json).status == 400)
            #expect(try await client.get("/simulator/faults").json["hang"] == .boolean(true))
        }
    }

    @Test("A plan survives the way through its JSON")
    func planAsJSON() throws {
        var plan = FaultPlan()
        #expect(try FaultPlan(json: Array(plan.json.utf8)) == plan)
        plan.refuseConnections = true
        plan.resetAfterEvents = 1
        plan.truncateAfterEvents = 2
        plan.addedLatencyMilliseconds = 3.5
        plan.slowdown = 4
        plan.errorStatus = 505
        plan.errorProbability = 0.6
        plan.hang = true
        plan.metrics = .cut
        plan.healthStatus = 429
        plan.durationMilliseconds = 7
        #expect(try FaultPlan(json: Array(plan.json.utf8)) == plan)
    }
}
