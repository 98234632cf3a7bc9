import GatewayTesting
import KubernetesClient
import NIOCore
import Testing

/// What becomes of answers that are slow, silent, cut or not waited for.
@Suite("Answers of an API server", .timeLimit(.minutes(1)))
struct ResponseBodyTests {
    private static let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    /// A request that lasts, with these limits.
    private func watch(head: Duration = .seconds(30), idle: Duration = .seconds(30)) -> APIRequest {
        var request = APIRequest(.get, "/")
        request.timeout = head
        request.idleTimeout = idle
        return request
    }

    @Test("A server that does not answer is given up, and the connection closed")
    func slowHead() async throws {
        let server = try await ScriptedServer.start { _ in [] }
        try await withTransport(.plain(port: server.port)) { transport in
            let error = await #expect(throws: APIError.self) {
                _ = try await transport.send(watch(head: .milliseconds(100)))
            }
            #expect(error.map(unreachable)?.contains("did not answer within 0.1 seconds") == true, "\(error!)")
            try await server.log.wait(for: "the connection's end") { $0.closed == 1 }
        }
        #expect(server.log.value.requests.count == 1)
        try await server.stop()
    }

    @Test("An answer that falls silent ends by throwing, and the connection is closed")
    func silentBody() async throws {
        let server = try await ScriptedServer.start { _ in [.send(Self.head + "1\r\nx\r\n")] }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(watch(idle: .milliseconds(100)))
            var text = ""
            let error = await #expect(throws: APIError.self) {
                for try await piece in response.body { text += String(buffer: piece) }
            }
            #expect(text == "x")
            #expect(error.map(unreachable)?.contains("silent for 0.1 seconds") == true, "\(error!)")
            try await server.log.wait(for: "the connection's end") { $0.closed == 1 }
        }
        try await server.stop()
    }

    @Test("An answer whose pieces come in time lasts longer than the limit of silence")
    func livelyBody() async throws {
        let gates = (0..<6).map { _ in ScriptedGate() }
        let server = try await ScriptedServer.start { request in
            if request.line.contains("tick") { return [] }
            return [.send(Self.head)] + gates.flatMap { [.wait($0), .send("1\r\nx\r\n")] } + [.send("0\r\n\r\n")]
        }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(watch(idle: .seconds(1)))
            let start = ContinuousClock.now
            for gate in gates {
                // A request that nobody answers is the clock that ticks.
                var tick = watch(head: .milliseconds(200))
                tick.path = "/tick"
                await #expect(throws: APIError.self) { _ = try await transport.send(tick) }
                gate.open()
            }
            #expect(try await response.text() == "xxxxxx")
            #expect(ContinuousClock.now - start > .seconds(1))
        }
        try await server.stop()
    }

    @Test(
        "An answer that is cut is not a whole one",
        arguments: [
            head + "5\r\nabc", head + "3\r\nabc\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
        ], [ScriptedStep.close, .reset])
    func cut(text: String, end: ScriptedStep) async throws {
        let gate = ScriptedGate()
        let server = try await ScriptedServer.start { _ in [.send(text), .wait(gate), end] }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(watch())
            var received = ""
            let error = await #expect(throws: APIError.self) {
                for try await piece in response.body {
                    received += String(buffer: piece)
                    gate.open()
                }
            }
            #expect(received == "abc")
            #expect(error.map(unreachable)?.hasPrefix("not unreachable") == false)
        }
        try await server.stop()
    }

    @Test("What is no HTTP is an error")
    func noHTTP() async throws {
        let server = try await ScriptedServer.start { _ in [.send("SSH-2.0-OpenSSH\r\n\r\n")] }
        try await withTransport(.plain(port: server.port)) { transport in
            let error = await #expect(throws: APIError.self) { _ = try await transport.send(watch()) }
            #expect(error.map(unreachable)?.hasPrefix("not unreachable") == false)
        }
        try await server.stop()
    }

    @Test("A task that is cancelled while it waits for the head closes the connection")
    func cancelledBeforeHead() async throws {
        let server = try await ScriptedServer.start { _ in [] }
        try await withTransport(.plain(port: server.port)) { transport in
            await withTaskGroup(of: String.self) { group in
                group.addTask {
                    do { return "\(try await transport.send(watch()).status)" } catch { return unreachable(error) }
                }
                _ = try? await server.log.wait(for: "the request") { $0.requests.count == 1 }
                group.cancelAll()
                #expect(await group.next()?.contains("the request was cancelled") == true)
            }
            try await server.log.wait(for: "the connection's end") { $0.closed == 1 }
        }
        try await server.stop()
    }

    @Test("A reader that is cancelled closes the connection")
    func cancelledReader() async throws {
        let server = try await ScriptedServer.start { _ in [.send(Self.head + "1\r\nx\r\n")] }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(watch())
            let started = ScriptedGate()
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try? await response.body.first { _ in
                        started.open()
                        return false
                    }
                }
                await withCheckedContinuation { continuation in started.whenOpen { continuation.resume() } }
                group.cancelAll()
            }
            try await server.log.wait(for: "the connection's end") { $0.closed == 1 }
        }
        try await server.stop()
    }

    @Test("A body that nobody reads closes the connection when it is dropped")
    func dropped() async throws {
        let server = try await ScriptedServer.start { _ in [.send(Self.head + "1\r\nx\r\n")] }
        try await withTransport(.plain(port: server.port)) { transport in
            #expect(try await transport.send(watch()).status == 200)
            try await server.log.wait(for: "the connection's end") { $0.closed == 1 }
        }
        try await server.stop()
    }

    @Test("Nothing comes faster than it is read, and a slow reader is no silent server")
    func backPressure() async throws {
        let blocks = 512
        let size = 128 * 1024
        let server = try await ScriptedServer.start { request in
            if request.line.contains("tick") { return [] }
            return [
                .send("HTTP/1.1 200 OK\r\ncontent-length: \(blocks * size)\r\n\r\n"),
                .flood(blocks: blocks, bytes: size),
            ]
        }
        try await withTransport(.plain(port: server.port)) { transport in
            let response = try await transport.send(watch(idle: .seconds(1)))
            var tick = watch(head: .milliseconds(1500))
            tick.path = "/tick"
            await #expect(throws: APIError.self) { _ = try await transport.send(tick) }
            // The buffers of the system take some megabytes.
            #expect(server.bytesTaken < blocks * size / 2)
            var count = 0
            for try await piece in response.body { count += piece.readableBytes }
            #expect(count == blocks * size)
        }
        try await server.stop()
    }
}
