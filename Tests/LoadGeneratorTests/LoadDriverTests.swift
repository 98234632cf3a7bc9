import GatewayCore
import ModelServerSimulator
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import LoadGenerator

struct LoadDriverTests {
    /// Runs `body` with a driver of `loops` event loops before a simulated server.
    private func withDriver(
        loops: Int = 2,
        path: String = Workload.API.chat.path,
        _ change: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: (LoadDriver, SimulatorServer) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration()
        configuration.listen = [ListenAddress(host: "127.0.0.1", port: 0)]
        configuration.models = ["m"]
        configuration.parameters = .instant
        change(&configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let server = try SimulatorServer(configuration: configuration)
        let address = try #require(try await server.start(on: group).first)
        let target = LoadTarget(
            address: EndpointAddress(host: "127.0.0.1", port: try #require(address.port)), path: path)
        let driver = try LoadDriver(target: target, loops: Array(group.makeIterator()))
        do {
            try await body(driver, server)
        } catch {
            Issue.record(error)
        }
        try await driver.shutdown()
        await server.stop()
        try await group.shutdownGracefully()
    }

    private func workload(_ change: (inout Workload) -> Void = { _ in }) -> Workload {
        var workload = Workload()
        workload.models = WeightedNames(arguments: ["m"]) ?? WeightedNames()
        workload.promptTokens = .constant(40)
        workload.outputTokens = .constant(6)
        change(&workload)
        return workload
    }

    @Test(arguments: [1, 2, 3])
    func aClosedLoopSendsAllOfItsRequests(loops: Int) async throws {
        try await withDriver(loops: loops) { driver, server in
            var plan = LoadPlan(mode: .closed(users: 5, rampSeconds: 0))
            plan.conversations = 83
            let measure = try await driver.run(plan, workload())
            #expect(measure.completed == 83)
            #expect(measure.failed == 0)
            #expect(measure.outputTokens == 83 * 6)
            #expect(measure.withUsage == 83)
            #expect(measure.timeToFirstToken.count == 83)
            #expect(measure.interTokenLatency.count == 83 * 5)
            #expect(measure.connections <= 5, "connections are used again")
            #expect(measure.inFlightMax <= 5)
            #expect(try await server.counters()?.totals.promptTokens ?? 0 == measure.promptTokens)
        }
    }

    @Test func anOpenLoopSendsByTheClock() async throws {
        try await withDriver { driver, _ in
            var plan = LoadPlan(mode: .open(ArrivalProcess(rate: 2_000)))
            plan.conversations = 200
            plan.warmUp = .conversations(50)
            let measure = try await driver.run(plan, workload())
            #expect(measure.completed == 150)
            #expect(measure.warmUp == 50)
            #expect(measure.sendDelay.count == 150)
        }
    }

    /// Each request that ends looks for what is due next: it must not leave a timer behind each time.
    @Test func oneTimerIsArmedHoweverManyRequestsEnd() throws {
        let workload = workload()
        let target = LoadTarget(address: EndpointAddress(host: "127.0.0.1", port: 9), path: "/")
        let worker = LoadWorker(target: target, tls: nil, loop: EmbeddedEventLoop())
        let share = LoadWorker.Share(
            plan: LoadPlan(mode: .open(ArrivalProcess(rate: 1))),
            workload: workload,
            index: 0,
            workers: 1,
            origin: LoadWorker.now + 3_600_000_000_000,
            numbers: ConversationNumbers(limit: nil)
        )
        _ = worker.begin(share)
        let armed = try #require(worker.run?.timer?.futureResult)
        let ended = try #require(worker.attempt(workload.conversation(0), scheduled: 0))
        for _ in 0..<3 { worker.goOn(after: ended) }
        #expect(worker.run?.timer?.futureResult === armed)
        worker.stop()
        #expect(worker.run == nil)
    }

    /// With room for one request at a time and an engine that takes 40 ms, requests that are due every 10 ms pile up:
    /// what they waited for their turn is part of their latency.
    @Test func whatWaitsForRoomIsNotLeftOut() async throws {
        try await withDriver(loops: 2, { $0.parameters.timeToFirstTokenOverhead = .milliseconds(40) }) { driver, _ in
            var plan = LoadPlan(mode: .open(ArrivalProcess(rate: 100, spacing: .constant)))
            plan.conversations = 11
            plan.inFlightMax = 1
            let measure = try await driver.run(plan, workload { $0.outputTokens = .constant(1) })
            #expect(measure.completed == 11)
            #expect(measure.inFlightMax == 1)
            // The last one is due after 100 ms and is answered after 11 times 40 ms.
            #expect(measure.endToEnd.greatest >= 340_000_000)
            #expect(measure.timeToFirstToken.greatest >= 340_000_000)
            #expect(measure.sendDelay.greatest >= 300_000_000)
        }
    }

    @Test func conversationsFindTheirPastInTheCache() async throws {
        try await withDriver({ $0.parameters.prefixCaching = true }) { driver, _ in
            var plan = LoadPlan(mode: .closed(users: 3, rampSeconds: 0))
            plan.conversations = 10
            let measure = try await driver.run(
                plan,
                workload {
                    $0.turns = 3
                    $0.promptTokens = .constant(200)
                })
            #expect(measure.completed == 30)
            // The second turn of three has half of it, the third two thirds.
            #expect(Double(measure.cachedTokens) > 0.4 * Double(measure.promptTokens))
        }
    }

    @Test func answersInOnePieceAreMeasuredToo() async throws {
        try await withDriver(path: Workload.API.completions.path) { driver, _ in
            var plan = LoadPlan(mode: .closed(users: 2, rampSeconds: 0))
            plan.conversations = 8
            let measure = try await driver.run(
                plan,
                workload {
                    $0.api = .completions
                    $0.streams = false
                })
            #expect(measure.completed == 8)
            #expect(measure.outputTokens == 48)
            #expect(measure.timeToFirstToken.count == 0)
            #expect(measure.endToEnd.count == 8)
        }
    }

    @Test func refusalsAreToldByStatus() async throws {
        try await withDriver { driver, _ in
            var plan = LoadPlan(mode: .closed(users: 2, rampSeconds: 0))
            plan.conversations = 6
            let other = workload { $0.models = WeightedNames(arguments: ["other"]) ?? WeightedNames() }
            let measure = try await driver.run(plan, other)
            #expect(measure.failures == ["status 404": 6])
            #expect(measure.completed == 0)
        }
    }

    @Test func aServerThatIsNotThereFailsEachRequest() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // A port that was free a moment ago.
        let channel = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        let target = LoadTarget(address: EndpointAddress(host: "127.0.0.1", port: port), path: "/v1/completions")
        let driver = try LoadDriver(target: target, loops: Array(group.makeIterator()))
        var plan = LoadPlan(mode: .closed(users: 2, rampSeconds: 0))
        plan.conversations = 4
        let measure = try await driver.run(plan, workload())
        #expect(measure.failures == ["no connection: Connection refused": 4])
        try await driver.shutdown()
        try await group.shutdownGracefully()
    }

    @Test func aRunThatIsBrokenOffTellsWhatWasMeasured() async throws {
        // An engine that never gets to its answer within the test.
        try await withDriver({ $0.parameters.timeToFirstTokenOverhead = .seconds(600) }) { driver, server in
            var plan = LoadPlan(mode: .closed(users: 4, rampSeconds: 0))
            plan.conversations = 100
            let load = (plan, workload())
            let measure = try await withThrowingTaskGroup(of: RunMeasure.self) { group in
                group.addTask { try await driver.run(load.0, load.1) }
                while try await driver.progress()?.inFlight != 4 { await Task.yield() }
                group.cancelAll()
                return try await group.next()
            }
            #expect(measure?.unfinished == 4)
            #expect(measure?.completed == 0)
        }
    }

    @Test func timedOutRequestsFail() async throws {
        try await withDriver({ $0.parameters.timeToFirstTokenOverhead = .seconds(600) }) { driver, _ in
            var plan = LoadPlan(mode: .closed(users: 2, rampSeconds: 0))
            plan.conversations = 2
            plan.timeoutSeconds = 0.05
            let measure = try await driver.run(plan, workload())
            #expect(measure.failures == ["timed out": 2])
        }
    }

    @Test func aTraceIsReplayedByItsTimes() async throws {
        try await withDriver { driver, _ in
            let lines = (0..<20).map { #"{"timestamp":\#($0 * 100),"input_length":30,"output_length":\#($0 + 1)}"# }
            let trace = try Trace(Array(lines.joined(separator: "\n").utf8))
            var plan = LoadPlan(mode: .replay(speed: 10))
            plan.conversations = 20
            let measure = try await driver.run(plan, workload { $0.trace = trace })
            #expect(measure.completed == 20)
            #expect(measure.outputTokens == 210)
            // 1.9 s at ten times the speed; the last one can only end later.
            #expect(measure.seconds >= 0.19)
        }
    }

    /// A part of a run that does not begin at a multiple of the trace's length has the contents of the times' lines.
    @Test func aReplayAsksWhatItsTimesAsk() async throws {
        try await withDriver(loops: 2) { driver, _ in
            let lines = (0..<3).map { #"{"timestamp":\#($0),"input_length":30,"output_length":\#($0 + 1)}"# }
            let trace = try Trace(Array(lines.joined(separator: "\n").utf8))
            var plan = LoadPlan(mode: .replay(speed: 1))
            plan.conversations = 1
            plan.firstConversation = 10_000_001
            let measure = try await driver.run(plan, workload { $0.trace = trace })
            #expect(measure.outputTokens == 1)
        }
    }

    /// The server takes the first request of a connection and then the next one, which it ends without an answer after
    /// more than any round trip: it had begun it, so nobody sends it again.
    @Test func whatAServerHeldIsNotSentAgain() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(OneAnswer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let target = LoadTarget(address: EndpointAddress(host: "127.0.0.1", port: port), path: "/v1/completions")
        let driver = try LoadDriver(target: target, loops: Array(group.makeIterator()))
        var plan = LoadPlan(mode: .closed(users: 1, rampSeconds: 0))
        plan.conversations = 2
        let measure = try await driver.run(plan, workload())
        #expect(measure.completed == 1)
        #expect(measure.failures == ["connection closed": 1])
        #expect(measure.sentAgain == 0)
        try await driver.shutdown()
        try await server.close()
        try await group.shutdownGracefully()
    }

    @Test func runsFollowOneAnotherOnTheSameConnections() async throws {
        try await withDriver(loops: 1) { driver, _ in
            var plan = LoadPlan(mode: .closed(users: 3, rampSeconds: 0))
            plan.conversations = 9
            let first = try await driver.run(plan, workload())
            plan.firstConversation = 1_000
            let second = try await driver.run(plan, workload())
            #expect(first.connections == 3)
            #expect(second.connections == 0)
            #expect(second.completed == 9)
        }
    }
}

/// Answers the first request of its connection, and closes it 200 ms behind the second.
private final class OneAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var hasAnswered = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if hasAnswered {
            let channel = context.channel
            context.eventLoop.scheduleTask(in: .milliseconds(200)) { channel.close(promise: nil) }
            return
        }
        hasAnswered = true
        let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }
}
