import GatewayCore
import GatewayTesting
import Synchronization
import Testing

@testable import RequestControl

/// Keeps what it is told.
private final class SummaryLog: RequestObserver {
    private let told = Mutex<[RequestSummary]>([])
    var summaries: [RequestSummary] { told.withLock { $0 } }

    func requestEnded(_ summary: RequestSummary) {
        told.withLock { $0.append(summary) }
    }
}

@Suite struct RequestSummaryTests {
    private let log = SummaryLog()

    private func exchange(_ gateway: GatewayFixture, _ request: IncomingRequest = .completion()) -> RequestExchange {
        RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
    }

    @Test func ofARequestThatGoesWell() throws {
        let gateway = try GatewayFixture(ports: [1], observers: [log])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        gateway.clock.advance(by: .milliseconds(5))
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        exchange.responseStarted()
        let body = Array("data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7}}\n\n".utf8)
        exchange.responseBodyReceived(body.span.bytes)
        gateway.clock.advance(by: .milliseconds(20))
        #expect(log.summaries.isEmpty)
        exchange.finish(.completed)
        exchange.finish(.clientDisconnected)
        #expect(log.summaries.count == 1)
        let summary = try #require(log.summaries.first)
        #expect(summary.status == 200 && summary.outcome == .completed && summary.rejection == nil)
        #expect(
            summary.method == "POST" && summary.model == "m" && summary.targetModel == "m"
                && summary.pool == PoolID(name: "pool"))
        #expect(summary.endpoint?.name == "e0" && summary.destination == "127.0.0.1:1" && summary.attempts == 1)
        #expect(summary.firstByteAt == summary.receivedAt.advanced(by: .milliseconds(5)))
        #expect(summary.endedAt == summary.receivedAt.advanced(by: .milliseconds(25)))
        #expect(summary.isEventStream && summary.responseBytes == body.count)
        #expect(summary.usage == TokenUsage(promptTokens: 5, completionTokens: 7, cachedTokens: 0))
        #expect(!summary.requestID.isEmpty)
    }

    @Test func ofARequestThatNobodyCouldServe() throws {
        let gateway = try GatewayFixture(ports: [], observers: [log])
        _ = exchange(gateway).begin()
        let summary = try #require(log.summaries.first)
        #expect(summary.status == 503 && summary.outcome == nil && summary.rejection?.reason == .noEndpoints)
        #expect(summary.endpoint == nil && summary.destination.isEmpty && summary.attempts == 0)
        #expect(summary.firstByteAt == nil && summary.usage == nil && summary.model == "m")
    }

    @Test(arguments: [true, false])
    func ofARequestThatIsEvicted(isRelayed: Bool) throws {
        let gateway = try GatewayFixture(ports: [1], observers: [log])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        if isRelayed { exchange.responseStarted() }
        #expect(exchange.evict()?.status == 429)
        let summary = try #require(log.summaries.first)
        #expect(summary.outcome == .evicted && summary.status == (isRelayed ? 200 : 429))
        #expect(summary.rejection?.reason == (isRelayed ? nil : .evicted))
    }

    @Test func ofARequestThatTheEdgeRefused() throws {
        let gateway = try GatewayFixture(ports: [1], observers: [log])
        let reply = gateway.controller.reply(to: Rejection(.bodyTooLarge, "too long"), path: "/v1/completions")
        let summary = try #require(log.summaries.first)
        #expect(log.summaries.count == 1 && reply.status == 413 && summary.status == 413)
        #expect(summary.rejection?.reason == .bodyTooLarge && summary.target == "/v1/completions")
        #expect(summary.requestID.isEmpty && summary.pool == nil && summary.endedAt == summary.receivedAt)
    }

    @Test func ofARequestThatFailedTwice() throws {
        let gateway = try GatewayFixture(ports: [1, 2], observers: [log])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        _ = exchange.attemptFailed(.connect("refused"))
        _ = exchange.attemptFailed(.connect("refused"))
        let summary = try #require(log.summaries.first)
        #expect(log.summaries.count == 1)
        #expect(summary.rejection?.reason == .upstreamFailed && summary.attempts == 2 && summary.endpoint?.name == "e1")
    }
}
