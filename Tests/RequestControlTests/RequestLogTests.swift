import GatewayCore
import GatewayTesting
import Synchronization
import Testing

@testable import RequestControl

@Suite struct RequestLogTests {
    /// A gateway whose requests end in `log`.
    private func gateway(_ log: RequestLog) throws -> GatewayFixture {
        try GatewayFixture(ports: [1, 2], observers: [log])
    }

    private func run(_ gateway: GatewayFixture, id: String, usage: TokenUsage? = nil) {
        let exchange = RequestExchange(
            controller: gateway.controller, routes: .standalone, request: .completion(headers: [("x-request-id", id)]))
        _ = exchange.begin()
        _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
        exchange.responseStarted()
        if let usage {
            let body =
                #"{"usage":{"prompt_tokens":\#(usage.promptTokens),"completion_tokens":\#(usage.completionTokens),"#
                + #""prompt_tokens_details":{"cached_tokens":\#(usage.cachedTokens)}}}"#
            exchange.responseBodyReceived(Array(body.utf8).span.bytes)
        }
        exchange.finish(.completed)
    }

    @Test func theLastComeFirstAndTheOldestGo() throws {
        let log = RequestLog(capacity: 100)
        let gateway = try gateway(log)
        for number in 0..<70 { run(gateway, id: "r\(number)") }
        #expect(log.latest().map(\.requestID) == (0..<70).reversed().map { "r\($0)" }, "more than one batch")
        for number in 70..<250 { run(gateway, id: "r\(number)") }
        #expect(log.latest().map(\.requestID) == (150..<250).reversed().map { "r\($0)" })
        #expect(log.latest(2).map(\.requestID) == ["r249", "r248"])
        #expect(log.latest(2) { $0.requestID.hasSuffix("0") }.map(\.requestID) == ["r240", "r230"])
        #expect(log.latest(0).isEmpty)
        #expect(log.counts == ["completed": 250])
    }

    @Test func endsAreCountedByTheirName() throws {
        let log = RequestLog()
        let gateway = try gateway(log)
        run(gateway, id: "a")
        gateway.tell(models: ["other"])
        let exchange = RequestExchange(
            controller: gateway.controller, routes: .standalone, request: .completion(model: "unheard-of"))
        _ = exchange.begin()
        #expect(log.counts == ["completed": 1, "modelNotFound": 1])
        #expect(log.latest(1).first?.rejection?.reason == .modelNotFound)
    }

    @Test func usageIsReadOnceFromEachRequest() throws {
        let log = RequestLog(capacity: 10)
        let gateway = try gateway(log)
        func read(from first: Int) -> (tokens: [Int], next: Int) {
            var tokens: [Int] = []
            let next = log.forEachUsage(from: first) { pool, endpoint, usage in
                #expect(pool.name == "pool" && endpoint.name == "e0")
                tokens.append(usage.promptTokens)
            }
            return (tokens, next)
        }
        #expect(read(from: 0).tokens.isEmpty)
        for prompt in [3, 4] {
            run(gateway, id: "r", usage: TokenUsage(promptTokens: prompt, completionTokens: 1, cachedTokens: 1))
        }
        run(gateway, id: "without")
        let first = read(from: 0)
        #expect(first.tokens == [3, 4] && first.next == 3)
        #expect(read(from: first.next).tokens.isEmpty)
        for prompt in 10..<30 {
            run(gateway, id: "r", usage: TokenUsage(promptTokens: prompt, completionTokens: 1, cachedTokens: 1))
        }
        let second = read(from: first.next)
        #expect(second.tokens == Array(20..<30) && second.next == 23, "those that are kept")
    }

    @Test func usageOfMoreThanABatchIsReadOnceAndInOrder() throws {
        let log = RequestLog(capacity: 150)
        let gateway = try gateway(log)
        for prompt in 0..<150 {
            run(gateway, id: "r", usage: TokenUsage(promptTokens: prompt, completionTokens: 1, cachedTokens: 1))
        }
        var tokens: [Int] = []
        // Whoever ends while somebody reads comes with the next reading; those that it pushes out are left out.
        let next = log.forEachUsage(from: 10) { _, _, usage in
            tokens.append(usage.promptTokens)
            if tokens.count == 1 { for _ in 0..<80 { run(gateway, id: "late") } }
        }
        #expect(tokens == Array(10..<74) + Array(80..<150) && next == 150)
    }

    @Test func whoReadsAndWhoEndsDoNotDisturbEachOther() async throws {
        let log = RequestLog(capacity: 200)
        let gateway = try gateway(log)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask { for number in 0..<200 { self.run(gateway, id: "\(worker)-\(number)") } }
            }
            group.addTask {
                for _ in 0..<50 {
                    let ids = log.latest().map(\.requestID)
                    #expect(ids.count <= 200 && Set(ids).count == ids.count)
                }
            }
        }
        #expect(log.counts == ["completed": 800])
        #expect(log.latest().count == 200)
    }
}
