import DataLayer
import Foundation
import GatewayCore
import GatewayTesting
import Logging
import RequestControl
import Telemetry
import Testing

@testable import MartletApp

@Suite struct TrafficLogTests {
    private static let secrets = ["sk-secret", "my-prompt", "query-key"]

    private func request(_ body: String, id: String = "id-1", path: String = "/v1/completions") -> IncomingRequest {
        IncomingRequest(
            method: "POST",
            target: "\(path)?key=query-key",
            authority: "gateway",
            headers: HeaderMap([
                HeaderMap.Field(name: "x-request-id", value: id),
                HeaderMap.Field(name: "authorization", value: "Bearer sk-secret"),
                HeaderMap.Field(name: "content-type", value: "application/json"),
            ]),
            body: ArrayBody(Array(body.utf8)),
            receivedAt: MonotonicInstant(nanoseconds: 1_000_000_000)
        )
    }

    private func exchange(_ gateway: GatewayFixture, _ request: IncomingRequest) -> RequestExchange {
        RequestExchange(controller: gateway.controller, routes: .standalone, request: request)
    }

    private func options(accessLog: LogOptions.AccessLog = .off, level: Logger.Level = .info) -> LogOptions {
        var options = LogOptions()
        options.accessLog = accessLog
        options.level = level
        return options
    }

    @Test func aServedRequestHasALineInTheAccessLogOnly() async throws {
        let log = try LogFile(options(accessLog: .standardError))
        let gateway = try GatewayFixture(ports: [1], observers: TrafficLogs(log.logs).observers)
        let exchange = exchange(gateway, request(#"{"model":"m","prompt":"my-prompt"}"#))
        _ = exchange.begin()
        gateway.clock.advance(by: .milliseconds(5))
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        exchange.responseStarted()
        let usage = #"{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":3}}"#
        let body = Array("data: {\"usage\":\(usage)}\n\n".utf8)
        exchange.responseBodyReceived(body.span.bytes)
        gateway.clock.advance(by: .microseconds(20_500))
        exchange.finish(.completed)
        let lines = try await log.objects()
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        let texts = [
            "logger": "martlet.access", "msg": "request", "x-request-id": "id-1", "method": "POST",
            "path": "/v1/completions", "outcome": "completed", "incomingModelName": "m", "targetModelName": "m",
            "pool": "default/pool", "endpoint": "default/e0", "endpointAddress": "127.0.0.1:1",
        ]
        for (key, text) in texts { #expect(line[key] as? String == text, "\(key)") }
        let numbers: [String: Double] = [
            "status": 200, "attempts": 1, "promptTokens": 5, "outputTokens": 7, "cachedTokens": 3, "ttftMs": 5,
            "durationMs": 25.5, "decisionMs": 0, "requestBytes": 34, "responseBytes": Double(body.count),
        ]
        for (key, number) in numbers { #expect(line[key] as? Double == number, "\(key)") }
        #expect(line["stream"] as? Bool == true && line["reason"] == nil && line["queueMs"] == nil)
    }

    @Test func aRefusedRequestHasALineWithItsReason() async throws {
        let log = try LogFile()
        let gateway = try GatewayFixture(ports: [], observers: TrafficLogs(log.logs).observers)
        _ = exchange(gateway, request(#"{"model":"m","prompt":"my-prompt"}"#)).begin()
        let line = try #require(try await log.objects().first)
        #expect(line["level"] as? String == "warn" && line["logger"] as? String == "martlet.requests")
        #expect(line["x-request-id"] as? String == "id-1" && line["reason"] as? String == "noEndpoints")
        #expect(line["status"] as? Int == 503 && line["pool"] as? String == "default/pool")
        #expect(line["incomingModelName"] as? String == "m" && (line["error"] as? String)?.isEmpty == false)
    }

    @Test func whatTheEdgeRefusesHasALineToo() async throws {
        let log = try LogFile(options(accessLog: .standardError))
        let gateway = try GatewayFixture(ports: [1], observers: TrafficLogs(log.logs).observers)
        _ = gateway.controller.reply(to: Rejection(.bodyTooLarge, "too long"), path: "/v1/completions?key=query-key")
        let lines = try await log.objects()
        #expect(lines.map { $0["logger"] as? String } == ["martlet.requests", "martlet.access"])
        #expect(lines.allSatisfy { $0["status"] as? Int == 413 && $0["reason"] as? String == "bodyTooLarge" })
        #expect(lines.allSatisfy { $0["path"] as? String == "/v1/completions" })
    }

    @Test func repeatsAreCountedInsteadOfWritten() async throws {
        let log = try LogFile()
        let clock = ManualClock(start: MonotonicInstant(nanoseconds: 0))
        let requests = RequestLines(logger: log.logs.logger(.requests), clock: clock)
        let gateway = try GatewayFixture(ports: [], observers: [requests])
        for number in 0..<1_000 {
            _ = exchange(gateway, request(#"{"model":"m","prompt":"x"}"#, id: "id-\(number)")).begin()
        }
        _ = exchange(gateway, request("no JSON")).begin()
        clock.advance(by: .seconds(10))
        requests.tellRests()
        requests.tellRests(isLast: true)
        let lines = try await log.objects()
        #expect(lines.count == 5 + 1 + 1)
        #expect(lines[5]["reason"] as? String == "invalidRequest" && lines[5]["level"] as? String == "info")
        #expect(lines[6]["msg"] as? String == "995 more like this" && lines[6]["count"] as? Int == 995)
        #expect(lines[6]["reason"] as? String == "noEndpoints" && lines[6]["pool"] as? String == "default/pool")
    }

    @Test func anAttemptThatIsMadeAgainHasALine() async throws {
        let log = try LogFile()
        let gateway = try GatewayFixture(ports: [1, 2, 3], observers: TrafficLogs(log.logs).observers)
        let exchange = exchange(gateway, request(#"{"model":"m","prompt":"x"}"#))
        _ = exchange.begin()
        _ = exchange.attemptFailed(.connect("refused"))
        _ = exchange.responseHeadReceived(status: 503, isEventStream: false)
        _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
        exchange.finish(.completed)
        let lines = try await log.objects()
        #expect(lines.map { $0["reason"] as? String } == ["connect-failure", "503"])
        #expect(lines.map { $0["endpoint"] as? String } == ["default/e0", "default/e1"])
        #expect(lines.map { $0["error"] as? String } == ["refused", "answered 503"])
        #expect(lines.map { $0["attempts"] as? Int } == [1, 2])
        #expect(lines.allSatisfy { $0["level"] as? String == "notice" && $0["x-request-id"] as? String == "id-1" })
    }

    @Test func aResponseThatIsEndedForAnotherRequestHasALine() async throws {
        let log = try LogFile()
        let gateway = try GatewayFixture(ports: [1], observers: TrafficLogs(log.logs).observers)
        let exchange = exchange(gateway, request(#"{"model":"m","prompt":"x"}"#))
        _ = exchange.begin()
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        exchange.responseStarted()
        _ = exchange.evict()
        let lines = try await log.objects()
        #expect(lines.map { $0["reason"] as? String } == ["evicted"])
        #expect(lines.map { $0["status"] as? Int } == [200] && lines.map { $0["level"] as? String } == ["notice"])
    }

    @Test func aResponseThatBreaksOffIsAWarningAndOneThatTheClientEndsIsNone() async throws {
        let log = try LogFile()
        let gateway = try GatewayFixture(ports: [1], observers: TrafficLogs(log.logs).observers)
        for outcome in [RequestOutcome.resetMidResponse, .clientDisconnected, .drained] {
            let exchange = exchange(gateway, request(#"{"model":"m","prompt":"x"}"#, id: outcome.rawValue))
            _ = exchange.begin()
            _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
            exchange.responseStarted()
            exchange.finish(outcome)
        }
        let lines = try await log.objects()
        #expect(lines.map { $0["x-request-id"] as? String } == ["resetMidResponse", "drained"])
        #expect(lines.map { $0["level"] as? String } == ["warn", "notice"])
        #expect(lines.first?["endpoint"] as? String == "default/e0")
    }

    @Test func atDebugEveryRequestHasALine() async throws {
        let log = try LogFile()
        let gateway = try GatewayFixture(ports: [1], observers: TrafficLogs(log.logs).observers)
        func serve(_ id: String) {
            let exchange = exchange(gateway, request(#"{"model":"m","prompt":"x"}"#, id: id))
            _ = exchange.begin()
            _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
            exchange.finish(.completed)
        }
        serve("before")
        #expect(log.logs.levels.set(.debug, labelsFrom: "martlet.requests"))
        serve("during")
        for _ in 0..<20 { _ = exchange(gateway, request("no JSON", id: "refused")).begin() }
        #expect(log.logs.levels.set(nil, labelsFrom: "martlet.requests"))
        serve("after")
        let lines = try await log.objects()
        #expect(lines.map { $0["x-request-id"] as? String } == ["during"] + Array(repeating: "refused", count: 20))
        #expect(lines.first?["msg"] as? String == "Request handled" && lines.first?["level"] as? String == "debug")
    }

    /// At the level that says most, with every way a request can end here.
    @Test(arguments: [LogOptions.Format.json, .text]) func noSecretIsInAnyLine(format: LogOptions.Format) async throws {
        let log = try LogFile(options(accessLog: .standardError, level: .trace), format: format)
        let gateway = try GatewayFixture(ports: [1], observers: TrafficLogs(log.logs).observers)
        let bodies = [
            #"{"model":"m","prompt":"my-prompt"}"#, #"{"model":"my-prompt","#, #"my-prompt"#,
            #"{"prompt":"my-prompt"}"#,
            #"{"model":["my-prompt"]}"#, #"{"model":"m","my-prompt":tru}"#,
            "{\"model\":\"m\",\"prompt\":\"my-prompt\u{1}\"}",
            #"{"model":"m","messages":"my-prompt"}"#,
        ]
        for path in ["/v1/completions", "/v1/chat/completions", "/v1/messages", "/elsewhere"] {
            for body in bodies {
                let exchange = exchange(gateway, request(body, path: path))
                if case .send = exchange.begin() { _ = exchange.attemptFailed(.connect("refused")) }
                exchange.finish(.clientDisconnected)
            }
        }
        let text = try await log.text()
        #expect(text.contains("/v1/messages") && text.contains("invalidRequest"))
        for secret in Self.secrets { #expect(!text.contains(secret), "\(secret)") }
    }

    @Test func anEndpointHasALineWhenItGoesAndWhenItIsBack() async throws {
        let log = try LogFile()
        let traffic = TrafficLogs(log.logs)
        let clock = ManualClock()
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock, onHealthChange: traffic.onHealthChange)
        store.replaceEndpoints([.local("e0", port: 1)])
        let endpoint = store.current.endpoints[0]
        for _ in 0..<3 { store.open(endpoint, tokens: 1).close(.connectFailed, detail: "connection refused") }
        clock.advance(by: .seconds(2))
        store.open(endpoint, tokens: 1).close(.completed)
        let lines = try await log.objects()
        #expect(lines.map { $0["msg"] as? String } == ["endpoint ejected", "endpoint is back"])
        #expect(lines.map { $0["level"] as? String } == ["warn", "notice"])
        #expect(
            lines.allSatisfy { $0["endpoint"] as? String == "default/e0" && $0["pool"] as? String == "default/pool" })
        #expect(lines[0]["reason"] as? String == "connect" && lines[0]["error"] as? String == "connection refused")
    }

    @Test func faultsOfPagesAreToldWhenTheyBeginAndEnd() async throws {
        let log = try LogFile()
        let clock = ManualClock()
        let endpoints = EndpointLog(logger: log.logs.logger(.endpoints), clock: clock)
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints([.local("e0", port: 1)])
        let life = EndpointLife(store.current.endpoints[0])
        func look() { endpoints.look(at: [(store.pool, store.current)]) }
        look()
        store.record(faults: [ScrapeFault(.page, .timedOut)], from: "metrics-data-source", for: life)
        look()
        look()
        store.record(faults: [ScrapeFault(.loraInfo, .missing)], from: "metrics-data-source", for: life)
        look()
        store.record(faults: [], from: "metrics-data-source", for: life)
        look()
        store.record(faults: [ScrapeFault(.page, .status)], from: "metrics-data-source", for: life)
        look()
        store.replaceEndpoints([])
        look()
        let lines = try await log.objects()
        #expect(lines.map { $0["error"] as? String } == ["page timed_out", "lora_info missing", nil, "page status"])
        #expect(lines[2]["msg"] as? String == "metrics of an endpoint are whole again")
    }

    @Test func thousandsOfEndpointsThatGoAtOnceAreAFewLines() async throws {
        let log = try LogFile()
        let clock = ManualClock()
        let endpoints = EndpointLog(logger: log.logs.logger(.endpoints), clock: clock)
        for number in 0..<2_000 {
            let id = EndpointID(name: "e\(number)")
            endpoints.healthChanged(.ejected(.unreachable, detail: "refused"), of: id, in: PoolID(name: "pool"))
        }
        clock.advance(by: .seconds(10))
        endpoints.tellRests()
        let lines = try await log.objects()
        #expect(lines.count == 11 && lines.last?["count"] as? Int == 1_990)
    }

    @Test func metadataThatIsCalledLikeAPartOfTheLineIsKept() async throws {
        let log = try LogFile()
        let fields: Logger.Metadata = ["msg": "a", "msg_": "b", "level": "c", "other": "d"]
        log.logs.logger().info("said", metadata: fields)
        let line = try #require(try await log.objects().first)
        #expect(line["msg"] as? String == "said" && line["msg__"] as? String == "a" && line["msg_"] as? String == "b")
        #expect(
            line["level"] as? String == "info" && line["level_"] as? String == "c" && line["other"] as? String == "d")
    }

    @Test func lostLinesAreOnTheMetricsPage() async throws {
        let folder = try TemporaryFolder()
        var options = options(accessLog: .file(path: "\(folder.path)/access"))
        options.format = .json
        let full = try LineDestination(path: "/dev/full", flag: "--log")
        let logs = try ProcessLogs(options, to: full, isTerminal: false, environment: [:])
        let registry = MetricRegistry()
        try logs.register(in: registry)
        try await logs.whileOpen { logs.logger().info("lost") }
        let page = String(decoding: registry.page(.prometheusText), as: UTF8.self)
        #expect(page.contains(#"martlet_log_lines_dropped_total{log="process"} 1"#))
        #expect(page.contains(#"martlet_log_lines_dropped_total{log="access"} 0"#))
    }
}
