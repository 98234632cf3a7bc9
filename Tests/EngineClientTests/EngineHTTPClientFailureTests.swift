import EngineClient
import GatewayCore
import NIOCore
import NIOPosix
import NIOSSL
import Testing

@Suite struct EngineHTTPClientFailureTests {
    @Test func anAnswerThatDoesNotComeTimesOut() async throws {
        try await withClient { client, group in
            let first = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
            try await ScriptedServer.run(on: group, reply: { $0 == 0 ? .send(first) : .silence }) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address()) }
                // On the connection that is open: so the time passes while it waits and not while it connects.
                let failure = await #expect(throws: OutboundFailure.self) {
                    try await client.get(server.address(), timeout: .milliseconds(50))
                }
                #expect(failure == .timedOut)
                try await server.waitUntilUnconnected()
                #expect(server.record.connections == 1, "a timeout is not asked again")
            }
        }
    }

    @Test func aPageThatDripsTimesOutThoughBytesKeepComing() async throws {
        try await withClient { client, group in
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"
            let drip = ScriptedServer.Reply.sendForEver(head, piece: "x", pause: .milliseconds(1))
            try await ScriptedServer.run(on: group, reply: { _ in drip }) { server in
                let failure = await #expect(throws: OutboundFailure.self) {
                    try await client.get(server.address(), timeout: .milliseconds(100))
                }
                #expect(failure == .timedOut)
                try await server.waitUntilUnconnected()
            }
        }
    }

    @Test func aPageWithoutEndIsReadUpToTheLimitOnly() async throws {
        try await withClient { client, group in
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            let piece = "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n"
            let page = ScriptedServer.Reply.sendForEver(head, piece: piece)
            try await ScriptedServer.run(on: group, reply: { _ in page }) { server in
                let failure = await #expect(throws: OutboundFailure.self) {
                    try await client.get(server.address(), maxResponseBytes: 8 << 20)
                }
                guard case .overLimit = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
                try await server.waitUntilUnconnected()
                // What is in the sockets' buffers was sent as well.
                #expect(server.record.endlessBytes < 32 << 20)
            }
        }
    }

    @Test func aRefusedConnectionIsAConnectFailure() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .silence }) { server in
                let address = server.address()
                try await server.stopListening()
                for host in [address.host, "localhost"] {
                    let failure = await #expect(throws: OutboundFailure.self) {
                        try await client.get(EndpointAddress(host: host, port: address.port))
                    }
                    guard case .connect(let why) = failure else {
                        Issue.record("\(String(describing: failure))")
                        return
                    }
                    #expect(why.lowercased().contains("refused"), "\(why)")
                }
                #expect(client.openConnections == 0)
            }
        }
    }

    @Test func aNameThatDoesNotExistIsAConnectFailure() async throws {
        try await withClient { client, _ in
            let failure = await #expect(throws: OutboundFailure.self) {
                try await client.get(EndpointAddress(host: "no-such-host.invalid", port: 80))
            }
            guard case .connect(let why) = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
            #expect(why.contains("no-such-host.invalid"))
        }
    }

    @Test func namesAreLookedUp() async throws {
        try await withClient { client, group in
            let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
            try await ScriptedServer.run(on: group, reply: { _ in .send(reply) }) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address(host: "localhost")) }
                #expect(server.record.requests[0].contains("host: localhost:\(server.port)"))
            }
        }
    }

    @Test func cancellationClosesTheConnection() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .silence }) { server in
                let address = server.address()
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask {
                        await #expect(throws: CancellationError.self) { try await client.get(address) }
                    }
                    try await server.waitForRequests(1)
                    tasks.cancelAll()
                    try await tasks.waitForAll()
                }
                try await server.waitUntilUnconnected()
                #expect(client.idleConnections == 0)
            }
        }
    }

    @Test func aTaskThatIsCancelledAlreadyAsksNothing() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .silence }) { server in
                let address = server.address()
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.cancelAll()
                    tasks.addTask {
                        await #expect(throws: CancellationError.self) { try await client.get(address) }
                    }
                }
                #expect(server.record.requests.isEmpty)
            }
        }
    }

    @Test func shutdownClosesWhatIsOpenAndRefusesMore() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .silence }) { server in
                let address = server.address()
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask {
                        await #expect(throws: OutboundFailure.self) { try await client.get(address) }
                    }
                    try await server.waitForRequests(1)
                    await client.shutdown()
                    try await tasks.waitForAll()
                }
                try await server.waitUntilUnconnected()
                await #expect(throws: OutboundFailure.connect("the client is shut down")) {
                    try await client.get(address)
                }
                await client.shutdown()
            }
        }
    }

    @Test func aSecureEndpointMustBeVerified() async throws {
        let tls = try TestCertificate.serverContext()
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, tls: tls, reply: { _ in .send(reply) }) { server in
                let failure = await #expect(throws: OutboundFailure.self) {
                    try await client.get(server.address(isSecure: true))
                }
                guard case .connect(let why) = failure else {
                    Issue.record("\(String(describing: failure))")
                    return
                }
                #expect(why.hasPrefix("TLS failed"), "\(why)")
                #expect(server.record.requests.isEmpty)
            }
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func verificationCanBeLeftOut(host: String) async throws {
        let tls = try TestCertificate.serverContext()
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        var configuration = EngineHTTPClientConfiguration()
        configuration.verifiesCertificates = false
        try await withClient(configuration) { client, group in
            try await ScriptedServer.run(on: group, tls: tls, reply: { _ in .send(reply) }) { server in
                for _ in 0..<3 {
                    await expectAnswer((200, "hello")) {
                        try await client.get(server.address(host: host, isSecure: true))
                    }
                }
                #expect(server.record.connections == 1)
            }
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func aSecureEndpointIsVerifiedAgainstTheFile(host: String) async throws {
        let tls = try TestCertificate.serverContext()
        let reply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        var configuration = EngineHTTPClientConfiguration()
        configuration.caCertificatePath = TestCertificate.path
        try await withClient(configuration) { client, group in
            try await ScriptedServer.run(on: group, tls: tls, reply: { _ in .send(reply) }) { server in
                await expectAnswer((200, "hello")) { try await client.get(server.address(host: host, isSecure: true)) }
            }
        }
    }

    @Test func aPlainServerIsNoSecureEndpoint() async throws {
        try await withClient { client, group in
            // Not HTTP in the client's eyes, but neither is it TLS: the server answers the handshake with text.
            let reply = "HTTP/1.1 400 Bad Request\r\n\r\n"
            try await ScriptedServer.run(on: group, reply: { _ in .send(reply) }) { server in
                let address = server.address(isSecure: true)
                await #expect(throws: OutboundFailure.self) {
                    try await client.get(address, timeout: .milliseconds(300))
                }
            }
        }
    }

    @Test func aCertificateFileThatIsMissingIsReportedAtOnce() {
        var configuration = EngineHTTPClientConfiguration()
        configuration.caCertificatePath = "/nonexistent/ca.pem"
        #expect(throws: (any Error).self) {
            try EngineHTTPClient(group: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        }
    }

    @Test func manyRequestsToManyServersFindTheirAnswers() async throws {
        try await withClient { client, group in
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n"
            let replyOfOther: @Sendable (Int) -> ScriptedServer.Reply = {
                $0 % 7 == 6 ? .sendAndClose("") : .send(head + "b")
            }
            try await ScriptedServer.run(on: group, reply: { _ in .send(head + "a") }) { one in
                try await ScriptedServer.run(on: group, reply: replyOfOther) { other in
                    let addresses = [one.address(), other.address()]
                    try await withThrowingTaskGroup(of: Void.self) { tasks in
                        for worker in 0..<8 {
                            tasks.addTask {
                                for round in 0..<40 {
                                    let which = (worker + round) % 2
                                    let answer = try? await client.get(addresses[which])
                                    // The second server drops some connections even when they are new.
                                    if which == 0 { #expect(answer?.text == "a") }
                                    if let answer { #expect(answer.text == ["a", "b"][which]) }
                                }
                            }
                        }
                        try await tasks.waitForAll()
                    }
                    #expect(client.idleConnections <= 4)
                }
            }
        }
    }
}
