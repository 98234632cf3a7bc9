import EngineClient
import GatewayCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite struct EngineHTTPClientCallbackTests {
    private static let hello = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

    private func request(
        _ address: EndpointAddress,
        path: String = "/metrics",
        timeout: Duration = .seconds(20)
    ) -> OutboundRequest {
        OutboundRequest(address: address, path: path, timeout: timeout)
    }

    /// Which event loop runs this.
    private static var present: ObjectIdentifier? {
        MultiThreadedEventLoopGroup.currentEventLoop.map(ObjectIdentifier.init)
    }

    @Test func completionsRunOnTheThreadOfTheTimer() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                let clock = SystemMonotonicClock()
                let done = group.next().makePromise(of: (ObjectIdentifier?, ObjectIdentifier?).self)
                let request = request(server.address())
                _ = client.timer(clock: clock).schedule(at: clock.now) {
                    let asking = Self.present
                    _ = client.get(request) { _ in done.succeed((asking, Self.present)) }
                }
                let (asking, answered) = try await done.futureResult.get()
                #expect(asking != nil && asking == answered)
            }
        }
    }

    @Test func aCompletionMayAskAgainOnTheSameConnection() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                let done = group.next().makePromise(of: Int.self)
                let request = request(server.address())
                @Sendable func ask(_ left: Int) {
                    _ = client.get(request) { result in
                        switch result {
                        case .success(let response) where left > 0 && response.status == 200: ask(left - 1)
                        case .success(let response): done.succeed(response.status)
                        case .failure(let failure): done.fail(failure)
                        }
                    }
                }
                ask(20)
                let status = try await done.futureResult.get()
                #expect(status == 200)
                #expect(server.record.connections == 1 && server.record.requests.count == 21)
            }
        }
    }

    @Test func workThatWasCalledOffDoesNotRun() async throws {
        try await withClient { client, group in
            let clock = SystemMonotonicClock()
            let timer = client.timer(clock: clock)
            let ran = Mutex<[String]>([])
            let done = group.next().makePromise(of: Void.self)
            let first = timer.schedule(at: clock.now.advanced(by: .milliseconds(5))) {
                ran.withLock { $0.append("first") }
            }
            _ = timer.schedule(at: clock.now.advanced(by: .milliseconds(10))) {
                ran.withLock { $0.append("second") }
                done.succeed()
            }
            let never = timer.schedule(at: MonotonicInstant(nanoseconds: .max)) {}
            first.cancel()
            try await done.futureResult.get()
            #expect(ran.withLock { $0 } == ["second"])
            never.cancel()
        }
    }

    @Test func aQuestionThatWasCalledOffHasNoCompletion() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .silence }) { server in
                let completions = Mutex(0)
                let call = client.get(request(server.address())) { _ in completions.withLock { $0 += 1 } }
                try await server.waitForRequests(1)
                call.cancel()
                try await server.waitUntilUnconnected()
                await client.shutdown()
                #expect(completions.withLock { $0 } == 0)
            }
        }
    }

    @Test func aShorterDeadlineIsKeptBesideALongerOne() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .silence }) { server in
                let completions = Mutex(0)
                let patient = client.get(request(server.address())) { _ in completions.withLock { $0 += 1 } }
                try await server.waitForRequests(1)
                for _ in 0..<2 {
                    await #expect(throws: OutboundFailure.timedOut) {
                        // Long enough to connect; what passes is the wait for the answer.
                        try await client.get(server.address(), timeout: .milliseconds(300))
                    }
                }
                #expect(completions.withLock { $0 } == 0)
                patient.cancel()
                try await server.waitUntilUnconnected()
            }
        }
    }

    @Test(arguments: ["/metrics HTTP/1.1\r\nx: y", "/a b", ""])
    func aPathThatWouldNotBeOneIsNotSent(path: String) async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                let failure = await #expect(throws: OutboundFailure.self) {
                    try await client.get(server.address(), path: path)
                }
                #expect(failure == .connect("'\(path)' cannot be sent as the path of a request"))
                #expect(server.record.requests.isEmpty)
            }
        }
    }

    @Test func eachPathOfAConnectionIsAskedForAsItIs() async throws {
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .send(Self.hello) }) { server in
                for path in ["/metrics", "/metrics", "/v1/models", "/metrics"] {
                    await expectAnswer((200, "hello")) { try await client.get(server.address(), path: path) }
                }
                let lines = server.record.requests.map { $0.prefix { $0 != "\r\n" } }
                #expect(lines == ["/metrics", "/metrics", "/v1/models", "/metrics"].map { "GET \($0) HTTP/1.1" })
                #expect(server.record.connections == 1)
            }
        }
    }

    /// All connections read into one buffer, one after the other: whoever keeps an answer keeps its memory.
    @Test func anAnswerThatIsKeptStaysAsItIs() async throws {
        try await withClient { client, group in
            let reply: @Sendable (Int) -> ScriptedServer.Reply = { number in
                let body = String(repeating: "\(number)", count: 20_000)
                return .send("HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n\(body)")
            }
            try await ScriptedServer.run(on: group, reply: reply) { server in
                let request = request(server.address())
                var kept: [OutboundResponse] = []
                for _ in 0..<5 { kept.append(try await client.get(request)) }
                for (number, response) in kept.enumerated() {
                    let text = response.body.withBytes { $0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
                    #expect(text == String(repeating: "\(number)", count: 20_000))
                }
                #expect(server.record.connections == 1)
            }
        }
    }

    /// Answers of several reads that come at the same time on connections with a common buffer.
    @Test func answersThatComeTogetherDoNotMix() async throws {
        try await withClient { client, group in
            let reply: @Sendable (Int) -> ScriptedServer.Reply = { number in
                let part = String(repeating: String(number % 10), count: 30_000)
                return .sendPieces(
                    ["HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n"] + Array(repeating: part, count: 10))
            }
            try await ScriptedServer.run(on: group, reply: reply) { server in
                let address = server.address()
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<8 {
                        tasks.addTask {
                            for _ in 0..<5 {
                                let text = try await client.get(address).text
                                #expect(text.utf8.count == 300_000 && Set(text.utf8).count == 1)
                            }
                        }
                    }
                    try await tasks.waitForAll()
                }
            }
        }
    }

    @Test(arguments: [true, false])
    func aLargePageIsCollectedFromManyReads(isChunked: Bool) async throws {
        let part = String(repeating: "0123456789abcdef", count: 1_000)
        let parts = Array(repeating: part, count: 40)
        let framed = parts.map { isChunked ? "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" : $0 }
        let framing = isChunked ? "transfer-encoding: chunked" : "content-length: \(40 * part.utf8.count)"
        let head = "HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n"
        let pieces = [head] + framed + (isChunked ? ["0\r\n\r\n"] : [])
        try await withClient { client, group in
            try await ScriptedServer.run(on: group, reply: { _ in .sendPieces(pieces) }) { server in
                for _ in 0..<5 {
                    await expectAnswer((200, parts.joined())) { try await client.get(server.address()) }
                }
                #expect(server.record.connections == 1)
            }
        }
    }
}
