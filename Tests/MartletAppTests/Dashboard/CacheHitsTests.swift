import GatewayCore
import GatewayTesting
import RequestControl
import Testing

@testable import MartletApp

@Suite struct CacheHitsTests {
    private let log = RequestLog(capacity: 100)
    private let pool = PoolID(name: "pool")
    private let endpoint = EndpointID(name: "e0")

    private func run(_ gateway: GatewayFixture, prompt: Int, cached: Int) {
        let exchange = RequestExchange(controller: gateway.controller, routes: .standalone, request: .completion())
        _ = exchange.begin()
        _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
        exchange.responseStarted()
        let body =
            #"{"usage":{"prompt_tokens":\#(prompt),"completion_tokens":1,"#
            + #""prompt_tokens_details":{"cached_tokens":\#(cached)}}}"#
        exchange.responseBodyReceived(Array(body.utf8).span.bytes)
        exchange.finish(.completed)
    }

    @Test func sharesAreThoseOfTheLastMinute() throws {
        let gateway = try GatewayFixture(ports: [1], observers: [log])
        let hits = CacheHits(log)
        func share() -> Double? { hits.shares(at: gateway.clock.now)[pool]?[endpoint] }
        #expect(share() == nil)
        run(gateway, prompt: 100, cached: 50)
        #expect(share() == 0.5)
        #expect(share() == 0.5, "each request counts once")
        run(gateway, prompt: 300, cached: 250)
        #expect(share() == 0.75)
        gateway.clock.advance(by: .seconds(31))
        run(gateway, prompt: 400, cached: 0)
        #expect(share() == 0.375, "the last span counts too")
        gateway.clock.advance(by: .seconds(31))
        #expect(share() == 0, "the one before that no more")
        gateway.clock.advance(by: .seconds(31))
        #expect(share() == nil)
        run(gateway, prompt: 0, cached: 0)
        #expect(share() == nil, "no prompt, no share")
    }

    @Test func aPauseInWhichNobodyLooked() throws {
        let gateway = try GatewayFixture(ports: [1], observers: [log])
        let hits = CacheHits(log)
        run(gateway, prompt: 100, cached: 100)
        _ = hits.shares(at: gateway.clock.now)
        gateway.clock.advance(by: .seconds(300))
        #expect(hits.shares(at: gateway.clock.now).isEmpty)
    }
}
