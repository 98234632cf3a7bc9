import DataLayer
import GatewayCore
import GatewayTesting
import Testing

@testable import RequestControl

/// Whatever happens to requests, in whatever order: nothing of them is left behind, and nothing ends twice.
@Suite struct LeaseConservationTests {
    /// A request in the hands of an edge that makes random things happen to it.
    private struct Running {
        let exchange: RequestExchange
        var hasStarted = false
        var isOver = false

        mutating func take(_ step: NextStep?) {
            if case .reply = step { isOver = true }
            if case .send = step { hasStarted = false }
        }

        /// One event that an edge may report in the present state.
        mutating func advance(_ random: inout RandomSource) {
            let outcomes: [RequestOutcome] = [.completed, .clientDisconnected, .drained, .timedOut, .resetMidResponse]
            switch (Int.random(in: 0..<10, using: &random), hasStarted) {
            case (0, false): take(exchange.attemptFailed(.connect("refused")))
            case (1, false): take(exchange.attemptFailed(.reset(onReusedConnection: Bool.random(using: &random))))
            case (2, false): take(exchange.attemptFailed(.timeout))
            case (3, false): take(exchange.requestTimedOut())
            case (4, false), (5, false), (6, false):
                let status = [200, 200, 404, 500, 502, 503].randomElement(using: &random) ?? 200
                let step = exchange.responseHeadReceived(status: status, isEventStream: Bool.random(using: &random))
                take(step)
                if step == nil, Bool.random(using: &random) {
                    exchange.responseStarted()
                    hasStarted = true
                }
            case (0...6, true):
                let bytes = Array("data: {}\n\n".utf8)
                exchange.responseBodyReceived(bytes.span.bytes)
            default:
                exchange.finish(outcomes.randomElement(using: &random) ?? .completed)
                if Bool.random(using: &random) { exchange.finish(.completed) }
                isOver = true
            }
        }
    }

    @Test(arguments: 0..<40)
    func nothingIsLeftBehind(seed: Int) throws {
        var random = RandomSource(seed: UInt64(seed))
        let gateway = try GatewayFixture(ports: Array(1...4))
        var running: [Running] = []
        var begun = 0
        for _ in 0..<400 {
            gateway.clock.advance(by: .milliseconds(Int.random(in: 0..<200, using: &random)))
            if running.count < 8, Bool.random(using: &random) {
                let exchange = RequestExchange(
                    controller: gateway.controller,
                    routes: .standalone,
                    request: Int.random(in: 0..<10, using: &random) == 0 ? .sample(body: "{") : .completion()
                )
                var request = Running(exchange: exchange)
                request.take(exchange.begin())
                begun += 1
                if !request.isOver { running.append(request) }
            } else if let index = running.indices.randomElement(using: &random) {
                running[index].advance(&random)
                if running[index].isOver { running.remove(at: index) }
            }
            #expect(gateway.openLeases == running.count)
            let sent = gateway.attempts.sent.count
            #expect(sent == gateway.attempts.ended.count + running.count)
        }
        while !running.isEmpty {
            running[0].advance(&random)
            if running[0].isOver { running.remove(at: 0) }
        }
        #expect(begun > 50)
        #expect(gateway.openLeases == 0)
        #expect(gateway.store.current.endpoints.allSatisfy { $0.load.requests == 0 && $0.load.tokens == 0 })
        #expect(gateway.metric("request_running") == 0)
        #expect(gateway.metric("lease_leaks_total") == 0)
        #expect(gateway.attempts.sent.count == gateway.attempts.ended.count)
    }
}
