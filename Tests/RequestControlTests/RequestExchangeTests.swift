import DataLayer
import GatewayCore
import GatewayTesting
import Synchronization
import Testing

@testable import RequestControl

@Suite struct RequestExchangeTests {
    private func exchange(_ gateway: GatewayFixture, _ request: IncomingRequest = .completion()) -> RequestExchange {
        RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
    }

    private func endpoint(_ step: NextStep?) -> String? {
        if case .send(let reply) = step { reply.endpoint.id.name } else { nil }
    }

    private func status(_ step: NextStep?) -> Int? {
        if case .reply(let reply) = step { reply.status } else { nil }
    }

    private func expectSettled(_ gateway: GatewayFixture) {
        #expect(gateway.openLeases == 0)
        #expect(gateway.metric("request_running") == 0)
        #expect(gateway.metric("lease_leaks_total") == 0)
    }

    private func outcomes(_ gateway: GatewayFixture) -> [String] {
        gateway.attempts.ended.map { "\($0.endpoint) \($0.outcome)" }
    }

    @Test func aRequestThatGoesWell() throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        let exchange = exchange(gateway)
        guard case .send(let routing) = exchange.begin() else { return #expect(Bool(false)) }
        #expect(routing.endpoint.id.name == "e0" && routing.attempt == 0)
        #expect(routing.requestDeadline == nil && routing.attemptTimeout == nil)
        #expect(gateway.openLeases == 1 && gateway.metric("request_running") == 1)
        #expect(routing.endpoint.load.requests == 1)
        #expect(exchange.responseHeadReceived(status: 200, isEventStream: false) == nil)
        exchange.responseStarted()
        let body = Array(#"{"usage":{"prompt_tokens":5,"completion_tokens":7}}"#.utf8)
        exchange.responseBodyReceived(body.span.bytes)
        exchange.finish(.completed)
        exchange.finish(.clientDisconnected)
        #expect(outcomes(gateway) == ["e0 completed"])
        #expect(gateway.metric("request_total", ["model_name": "m"]) == 1)
        #expect(gateway.metric("request_input_tokens_sum") == 5)
        #expect(gateway.metric("request_output_tokens_sum") == 7)
        #expect(gateway.metric("response_size_bytes_sum") == Double(body.count))
        #expect(gateway.metric("request_error_total") == 0)
        #expect(gateway.metric("scheduler_attempts_total", ["status": "success", "endpoint_name": "e0"]) == 1)
        expectSettled(gateway)
    }

    @Test func whatReportersMakeOfAResponse() throws {
        let gateway = try GatewayFixture(ports: [1], plugins: [TokenReporter()])
        let exchange = exchange(gateway)
        #expect(exchange.usageReport() == [], "before anything began")
        _ = exchange.begin()
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        exchange.responseStarted()
        // The end of the body is the end of its last event.
        let body = Array(#"data: {"usage":{"prompt_tokens":5,"completion_tokens":7}}"#.utf8)
        exchange.responseBodyReceived(body.span.bytes)
        let numbers = exchange.usageReport()
        #expect(numbers.map(\.name) == ["prompt", "cached", "completion"] && numbers.map(\.value) == [5, 0, 7])
        exchange.finish(.completed)
        #expect(exchange.usageReport() == [], "behind the end")
        #expect(gateway.metric("request_input_tokens_sum") == 5)
        #expect(gateway.metric("request_input_tokens_count") == 1)
        expectSettled(gateway)
    }

    @Test(arguments: [AttemptFailure.connect("refused"), .reset(onReusedConnection: false), .status(503)])
    func aFailureGoesToTheNextEndpointAndIsCounted(failure: AttemptFailure) throws {
        let gateway = try GatewayFixture(ports: [1, 2, 3])
        let exchange = exchange(gateway)
        #expect(endpoint(exchange.begin()) == "e0")
        #expect(endpoint(fail(exchange, failure)) == "e1")
        #expect(endpoint(fail(exchange, failure)) == "e2")
        #expect(gateway.openLeases == 1)
        #expect(gateway.metric("proxy_upstream_retries_total", ["reason": failure.label]) == 2)
        exchange.finish(.completed)
        #expect(outcomes(gateway) == ["e0 \(failure.outcome)", "e1 \(failure.outcome)", "e2 completed"])
        expectSettled(gateway)
    }

    @Test func sessionsOfAgentsDoNotUseUpTheLabels() throws {
        let gateway = try GatewayFixture(ports: [1], plugins: [EveryoneIsAnAgent()])
        for session in 0..<1_500 {
            let exchange = exchange(gateway, .completion(headers: [("session", "s\(session)")]))
            _ = exchange.begin()
            exchange.finish(.completed)
        }
        let tenant = exchange(gateway, .completion(headers: [("x-llm-d-inference-fairness-id", "tenant")]))
        _ = tenant.begin()
        tenant.finish(.completed)
        #expect(gateway.metric("request_total", ["fairness_id": "agent"]) == 1_500)
        #expect(gateway.metric("request_total", ["fairness_id": "tenant"]) == 1)
        expectSettled(gateway)
    }

    @Test func eachAttemptHasItsOwnInstant() throws {
        let instants = InstantLog()
        let gateway = try GatewayFixture(ports: [1, 2, 3], filters: [instants])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        gateway.clock.advance(by: .seconds(5))
        _ = exchange.attemptFailed(.connect("refused"))
        gateway.clock.advance(by: .seconds(7))
        exchange.served(by: "127.0.0.1:3")
        exchange.finish(.completed)
        #expect(instants.seconds == [1, 1, 6, 6, 13])
        expectSettled(gateway)
    }

    private func fail(_ exchange: RequestExchange, _ failure: AttemptFailure) -> NextStep? {
        if case .status(let status) = failure {
            exchange.responseHeadReceived(status: status, isEventStream: false)
        } else {
            exchange.attemptFailed(failure)
        }
    }

    @Test func retriesAreBoundedByThePolicy() throws {
        for maxRetries in 0...3 {
            let gateway = try GatewayFixture(
                ports: Array(1...10),
                rule: { $0.retry = RetryPolicy(maxRetries: maxRetries) }
            )
            let exchange = exchange(gateway)
            var step = exchange.begin()
            var attempts = 0
            while case .send = step {
                attempts += 1
                step = exchange.attemptFailed(.connect("refused"))
            }
            #expect(attempts == maxRetries + 1)
            #expect(status(step) == 503)
            #expect(gateway.metric("request_error_total", ["error_code": "503"]) == 1)
            expectSettled(gateway)
        }
    }

    @Test func onlyTheConditionsOfThePolicyAreRetried() throws {
        let failures: [AttemptFailure] = [
            .connect("refused"), .reset(onReusedConnection: false), .reset(onReusedConnection: true), .status(500),
            .status(503), .timeout,
        ]
        for (conditions, retried) in [
            ("connect-failure", [0]), ("reset", [1, 2]), ("reset-reused", [2]), ("500,503", [3, 4]), ("", []),
        ] {
            let policy = try RetryPolicy(maxRetries: 1, conditions: conditions)
            for (index, failure) in failures.enumerated() {
                let gateway = try GatewayFixture(ports: [1, 2], rule: { $0.retry = policy })
                let exchange = exchange(gateway)
                _ = exchange.begin()
                let isRetried = endpoint(fail(exchange, failure)) != nil
                #expect(isRetried == retried.contains(index), "\(conditions): \(failure)")
                exchange.finish(.completed)
                expectSettled(gateway)
            }
        }
        #expect(throws: RetryConditionError.self) { try RetryPolicy(maxRetries: 1, conditions: "499") }
        #expect(throws: RetryConditionError.self) { try RetryPolicy(maxRetries: 1, conditions: "resets") }
    }

    @Test func aStaleConnectionMayGoToTheSameEndpointAndSaysNothingAgainstIt() throws {
        let gateway = try GatewayFixture(ports: [1])
        for _ in 0..<5 {
            let exchange = exchange(gateway)
            #expect(endpoint(exchange.begin()) == "e0")
            #expect(endpoint(exchange.attemptFailed(.reset(onReusedConnection: true))) == "e0")
            exchange.finish(.clientDisconnected)
        }
        #expect(gateway.store.current.outages.isEmpty)
        #expect(outcomes(gateway).prefix(2) == ["e0 staleConnection", "e0 clientDisconnected"])
        expectSettled(gateway)
    }

    @Test func aNewConnectionThatIsResetSpeaksAgainstTheEndpoint() throws {
        let gateway = try GatewayFixture(ports: [1])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        _ = exchange.attemptFailed(.reset(onReusedConnection: true))
        #expect(status(exchange.attemptFailed(.reset(onReusedConnection: false))) == 503)
        #expect(outcomes(gateway) == ["e0 staleConnection", "e0 resetBeforeResponse"])
        expectSettled(gateway)
    }

    @Test func whenNobodyIsLeftTheClientHearsTheFailure() throws {
        let gateway = try GatewayFixture(ports: [1])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        guard case .reply(let reply) = exchange.attemptFailed(.connect("connection refused")) else {
            return #expect(Bool(false))
        }
        #expect(reply.status == 503)
        let body = String(decoding: reply.body, as: UTF8.self)
        #expect(body.contains("after one attempt; the last one: connection refused"))
        expectSettled(gateway)
    }

    @Test func aGatewayErrorIsRelayedWhenNobodyElseIsLeft() throws {
        let gateway = try GatewayFixture(ports: [1])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        #expect(exchange.responseHeadReceived(status: 503, isEventStream: false) == nil)
        #expect(gateway.openLeases == 1)
        exchange.responseStarted()
        exchange.finish(.completed)
        #expect(outcomes(gateway) == ["e0 gatewayError"])
        #expect(gateway.metric("request_error_total", ["error_code": "503"]) == 1)
        #expect(gateway.metric("proxy_upstream_retries_total") == 0)
        expectSettled(gateway)
    }

    @Test func aRetried500IsNoGatewayError() throws {
        let policy = try RetryPolicy(maxRetries: 1, conditions: "500")
        let gateway = try GatewayFixture(ports: [1, 2], rule: { $0.retry = policy })
        let exchange = exchange(gateway)
        _ = exchange.begin()
        #expect(endpoint(exchange.responseHeadReceived(status: 500, isEventStream: false)) == "e1")
        exchange.finish(.completed)
        #expect(outcomes(gateway) == ["e0 completed", "e1 completed"])
    }

    @Test func ejectedEndpointsAreNoCandidates() throws {
        let gateway = try GatewayFixture(ports: [1, 2], rule: { $0.retry = RetryPolicy(maxRetries: 0) })
        for name in ["e0", "e1"] {
            for _ in 0..<3 {
                let exchange = exchange(gateway)
                #expect(endpoint(exchange.begin()) == name)
                _ = exchange.attemptFailed(.connect("refused"))
            }
        }
        guard case .reply(let reply) = exchange(gateway).begin() else { return #expect(Bool(false)) }
        #expect(reply.status == 503)
        #expect(String(decoding: reply.body, as: UTF8.self).contains("None of the 2 endpoints"))
        gateway.clock.advance(by: .seconds(2))
        let exchange = exchange(gateway)
        #expect(endpoint(exchange.begin()) == "e0")
        exchange.finish(.completed)
        expectSettled(gateway)
    }

    @Test func timeouts() throws {
        let gateway = try GatewayFixture(
            ports: [1, 2],
            rule: {
                $0.requestTimeout = .seconds(10)
                $0.backendTimeout = .seconds(3)
            }
        )
        let exchange = exchange(gateway)
        gateway.clock.advance(by: .seconds(1))
        guard case .send(let routing) = exchange.begin() else { return #expect(Bool(false)) }
        #expect(routing.requestDeadline == MonotonicInstant(nanoseconds: 11_000_000_000))
        #expect(routing.attemptTimeout == .seconds(3))
        #expect(status(exchange.attemptFailed(.timeout)) == 504)
        let second = self.exchange(gateway)
        _ = second.begin()
        #expect(status(second.requestTimedOut()) == 504)
        #expect(outcomes(gateway) == ["e0 timedOut", "e0 timedOut"])
        expectSettled(gateway)
    }

    @Test func refusalsBeforeAnAttempt() throws {
        let empty = try GatewayFixture(ports: [])
        #expect(status(exchange(empty).begin()) == 503)
        let gateway = try GatewayFixture(ports: [1])
        #expect(status(exchange(gateway, .sample(body: "{")).begin()) == 400)
        let elsewhere = RequestExchange(controller: gateway.controller, routes: .port(81), request: .completion())
        #expect(status(elsewhere.begin()) == 404)
        for fixture in [empty, gateway] { expectSettled(fixture) }
    }

    @Test func aRequestEndsWithTheStateItStartedWith() throws {
        let gateway = try GatewayFixture(ports: [1, 2])
        let exchange = exchange(gateway)
        _ = exchange.begin()
        gateway.controller.replaceState(GatewayState(tables: [:], pools: []))
        #expect(endpoint(exchange.attemptFailed(.connect("refused"))) == "e1")
        exchange.finish(.completed)
        #expect(status(self.exchange(gateway).begin()) == 404)
        expectSettled(gateway)
    }

    @Test func headersOfTheWayUp() throws {
        var configuration = RequestControlConfiguration(seed: 1)
        configuration.addsServedHeader = true
        let gateway = try GatewayFixture(
            ports: [81],
            rule: {
                $0.requestHeaders = HeaderMutation(set: [.init(name: "x-rule", value: "1")])
                $0.responseHeaders = HeaderMutation(remove: ["server"])
            },
            configuration: configuration
        )
        let exchange = exchange(gateway)
        guard case .send(let routing) = exchange.begin() else { return #expect(Bool(false)) }
        let names = routing.requestHeaders.flatMap { $0.set.map(\.name) }
        #expect(names == ["X-Gateway-Model-Name", "X-Gateway-Base-Model-Name", "x-rule", "x-request-id"])
        #expect(routing.responseHeaders.remove == ["server"])
        #expect(routing.responseHeaders.set.map(\.value) == ["127.0.0.1:81"])
        exchange.finish(.drained)
        expectSettled(gateway)
    }
}

/// Takes a header for the session of an agent.
private struct EveryoneIsAnAgent: AgentIdentifier {
    static let descriptor = PluginDescriptor(type: "everyone-is-an-agent", summary: "")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func agent(in headers: HeaderMap) -> String? { headers.first("session") }
}

/// The instants of decisions, as filters and as what learns of them see them.
private final class InstantLog: Filter, PreRequest {
    static let descriptor = PluginDescriptor(type: "instant-log", summary: "")

    private let log = Mutex<[MonotonicInstant]>([])

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    var seconds: [Double] {
        log.withLock { $0.map { $0.seconds(since: MonotonicInstant(nanoseconds: 0)) } }
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) { note(context) }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) { note(context) }

    private func note(_ context: SchedulingContext) {
        let now = context.now
        log.withLock { $0.append(now) }
    }
}
