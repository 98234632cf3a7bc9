import BuiltinPlugins
import DataLayer
import FlowControl
import GatewayCore
import GatewayTesting
import RequestFormats
import Scheduling
import Telemetry
import Testing

@testable import RequestControl

/// The spans that a request leaves. All times are those of a clock that the tests move.
@Suite struct RequestSpansTests {
    private static let client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private static let clientUnsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    private let buffer: SpanBuffer

    init() throws {
        buffer = SpanBuffer(metrics: try TraceMetrics(registry: MetricRegistry()))
    }

    private func tracer(_ root: Sampler.Root = .always, followsParent: Bool = true) -> Tracer {
        Tracer(sampler: Sampler(root: root, followsParent: followsParent), buffer: buffer, wallClock: { 5_000_000_000 })
    }

    private func gateway(
        _ tracer: Tracer,
        ports: [Int] = [1, 2],
        scheduler: ((ManualClock) throws -> Scheduler)? = nil
    ) throws -> GatewayFixture {
        let endpoints = ports.enumerated().map { EndpointDescription.local("e\($0)", port: $1) }
        return try GatewayFixture(
            pools: [(name: "pool", endpoints: endpoints)],
            detector: nil,
            scheduler: try scheduler?(ManualClock()),
            tracer: tracer
        )
    }

    private func begin(
        _ gateway: GatewayFixture,
        _ headers: [(String, String)] = [("traceparent", client), ("tracestate", "a=1")],
        retrier: RequestExchange.Retrier = .gateway,
        proxy: String? = nil
    ) -> (exchange: RequestExchange, step: NextStep) {
        let exchange = RequestExchange(
            controller: gateway.controller,
            routes: .standalone,
            request: .completion(headers: headers + [("x-request-id", "r")]),
            retrier: retrier,
            proxyTraceParent: proxy
        )
        return (exchange, exchange.begin())
    }

    /// What a step changes in the request's header about traces.
    private func header(_ step: NextStep) throws -> (parent: String?, removesState: Bool) {
        guard case .send(let reply) = step else {
            Issue.record("not sent: \(step)")
            return (nil, false)
        }
        let fields = reply.requestHeaders.flatMap(\.set).filter { $0.name == "traceparent" }
        #expect(fields.count <= 1)
        return (fields.first?.value, reply.requestHeaders.flatMap(\.remove).contains("tracestate"))
    }

    /// The context that a step gives the endpoint.
    private func context(_ step: NextStep) throws -> TraceContext {
        let value = try header(step).parent ?? ""
        return try #require(TraceContext(value), "'\(value)' is no context")
    }

    private func spans() -> [TraceSpan] { buffer.takeBatch() }

    private func only(_ name: String, _ spans: [TraceSpan]) throws -> TraceSpan {
        let found = spans.filter { $0.name == name }
        return try #require(found.count == 1 ? found.first : nil, "\(found.count) spans are called \(name)")
    }

    private func value(_ key: String, _ span: TraceSpan) -> SpanAttribute.Value? {
        #expect(span.attributes.count { $0.key == key } <= 1, "\(key) stands there once")
        return span.attributes.first { $0.key == key }?.value
    }

    // MARK: - The tree

    @Test func aRequestThatGoesWell() throws {
        let gateway = try gateway(tracer())
        let (exchange, step) = begin(gateway)
        let onward = try context(step)
        gateway.clock.advance(by: .milliseconds(5))
        _ = exchange.responseHeadReceived(status: 200, isEventStream: true)
        exchange.responseStarted()
        let usage = #"{"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":3}}}"#
        exchange.responseBodyReceived(Array("data: \(usage)\n\n".utf8).span.bytes)
        gateway.clock.advance(by: .milliseconds(20))
        #expect(buffer.count == 0, "nothing becomes a span before the end")
        exchange.finish(.completed)

        let spans = spans()
        #expect(
            spans.map(\.name) == [
                "gateway.request", "gateway.request_orchestration", "run_scheduler_profile", "pick_endpoints",
                "text_completion m",
            ])
        #expect(Set(spans.map(\.context.traceID)) == ["0af7651916cd43dd8448eb211c80319c"])
        #expect(Set(spans.map(\.context.spanID)).count == spans.count)
        #expect(spans.allSatisfy { $0.traceState == "a=1" && $0.context.isSampled && $0.status == .unset })
        let request = spans[0]
        #expect(request.parentSpanID == 0xb7ad_6b71_6920_3331 && request.hasRemoteParent && request.kind == .server)
        #expect(spans[1].parentSpanID == request.context.spanID && spans[1].kind == .server)
        #expect(spans[2].parentSpanID == spans[1].context.spanID)
        #expect(spans[3].parentSpanID == spans[2].context.spanID)
        #expect(spans[4].parentSpanID == request.context.spanID && spans[4].kind == .client)
        #expect(spans[4].context == onward, "the endpoint's part belongs to the attempt")
        #expect(!spans[1...].contains { $0.hasRemoteParent })

        #expect(request.endedAt == 5_000_000_000 && request.startedAt == request.endedAt - 25_000_000)
        #expect(request.events == [TraceSpan.Event(name: "first_token", at: request.endedAt - 20_000_000)])
        #expect(value("gen_ai.server.time_to_first_token", request) == .number(0.005))
        for span in [request, spans[4]] {
            #expect(value("gen_ai.usage.input_tokens", span) == .integer(5))
            #expect(value("gen_ai.usage.output_tokens", span) == .integer(7))
            #expect(value("gen_ai.usage.cache_read.input_tokens", span) == .integer(3))
            #expect(value("gen_ai.operation.name", span) == .text("text_completion"))
            #expect(value("server.address", span) == .text("127.0.0.1") && value("server.port", span) == .integer(1))
            #expect(value("http.response.status_code", span) == .integer(200))
        }
        for span in spans {
            #expect(value("gen_ai.request.id", span) == .text("r"))
            #expect(value("gen_ai.request.model", span) == .text("m"))
        }
        #expect(value("martlet.outcome", request) == .text("completed") && value("martlet.reason", request) == nil)
        #expect(value("llm_d.epp.picker.top_endpoints", spans[3]) == .texts(["e0"]))
        #expect(value("llm_d.epp.picker.candidate_endpoints", spans[3]) == .integer(2))
    }

    @Test func aProfileWithEveryStage() throws {
        let clock = ManualClock()
        let profile = SchedulingProfile(
            name: "default",
            filters: [NamedFilter(name: "f", filter: DropFirst(clock: clock))],
            scorers: [
                WeightedScorer(name: "s", weight: 2, scorer: Slots(clock: clock)),
                WeightedScorer(name: "t", scorer: Slots(clock: clock)),
            ],
            pickerName: "p",
            picker: Last()
        )
        let pipeline = PluginPipeline(
            plugins: [
                .init(name: "s", type: "slots", plugin: Slots(clock: clock)),
                .init(name: "t", type: "slots", plugin: Slots(clock: clock)),
            ],
            profiles: [profile], handler: OnlyProfile(), producers: [], slotCount: 0)
        let scheduler = Scheduler(pipeline: pipeline)
        var trace: SchedulingTrace? = scheduler.trace(clock: clock, begunAt: clock.now)
        clock.advance(by: .nanoseconds(7))
        var context = SchedulingContext.sample()
        _ = try scheduler.schedule(&context, candidates: .sample(count: 4), trace: &trace)

        let gateway = try gateway(tracer())
        let (exchange, _) = begin(gateway)
        let requestTrace = try #require(exchange.trace)
        var spans = RequestSpans(of: requestTrace, ending(exchange, gateway), offset: 0)
        let step = DecisionStep(pool: gateway.pools[0], tried: [], subset: nil)
        let record = DecisionRecord(
            context.request, step: step, attempt: 0, begunAt: clock.now, endedAt: clock.now,
            view: step.pool.endpoints.current,
            trace: try #require(trace), servingProfile: "default", rejection: nil
        )
        spans.addDecision(RequestTrace.Decision(record: record), under: 9)
        let all = spans.spans
        let run = try only("run_scheduler_profile", all)
        #expect(run.parentSpanID == 9 && value("llm_d.epp.scheduling.profile.name", run) == .text("default"))
        let (filter, scoring) = (try only("filter_endpoints", all), try only("llm_d.epp.scoring", all))
        let pick = try only("pick_endpoints", all)
        #expect([filter, scoring, pick].allSatisfy { $0.parentSpanID == run.context.spanID })
        // The filter takes 40 ns, each scorer 10 ns; a span begins where the one before it ends.
        #expect(filter.endedAt - filter.startedAt == 40 && filter.startedAt == run.startedAt)
        #expect(scoring.startedAt == filter.endedAt && scoring.endedAt - scoring.startedAt == 20)
        #expect(pick.startedAt == scoring.endedAt && run.endedAt == pick.endedAt)
        #expect(value("llm_d.epp.filter.candidate_endpoints", filter) == .integer(4))
        #expect(value("llm_d.epp.filter.filtered_endpoints", filter) == .integer(3))
        #expect(value("llm_d.epp.scorer.count", scoring) == .integer(2))
        #expect(value("llm_d.epp.scoring.candidate_endpoints", scoring) == .integer(3))
        let scorers = all.filter { $0.name == "llm_d.epp.scorer.slots" }
        #expect(scorers.count == 2 && scorers[1].startedAt == scorers[0].endedAt)
        #expect(scorers.allSatisfy { $0.parentSpanID == scoring.context.spanID })
        #expect(value("llm_d.epp.scorer.name", scorers[0]) == .text("s"))
        #expect(value("llm_d.epp.scorer.weight", scorers[0]) == .number(2))
        #expect(value("llm_d.epp.scorer.score.max", scorers[0]) == .number(0.75))
        #expect(value("llm_d.epp.scorer.score.avg", scorers[0]) == .number(0.5))
        #expect(value("llm_d.epp.scorer.endpoints_scored", scorers[0]) == .integer(3))
        #expect(value("llm_d.epp.picker.top_endpoints", pick) == .texts(["e3"]))
        #expect(value("llm_d.epp.picker.top_scores", pick) == .numbers([2.25]))
    }

    private func ending(_ exchange: RequestExchange, _ gateway: GatewayFixture) -> RequestSpans.Ending {
        RequestSpans.Ending(
            summary: exchange.summary(.completed, rejection: nil, accounting: nil, usage: nil, at: gateway.clock.now),
            api: .completions, path: "/", admission: nil
        )
    }

    @Test func eachAttemptHasASpanAndItsOwnContext() throws {
        let gateway = try gateway(tracer())
        let (exchange, first) = begin(gateway)
        gateway.clock.advance(by: .milliseconds(1))
        let second = exchange.attemptFailed(.connect("refused"))
        gateway.clock.advance(by: .milliseconds(2))
        _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
        exchange.finish(.completed)
        let spans = spans()
        let attempts = spans.filter { $0.kind == .client }
        #expect(attempts.map(\.context.headerValue) == [try header(first).parent, try header(second).parent])
        #expect(attempts[0].status == .error("refused") && attempts[1].status == .unset)
        #expect(value("error.type", attempts[0]) == .text("connect-failure"))
        #expect(value("http.request.resend_count", attempts[1]) == .integer(1))
        #expect(
            attempts[0].endedAt == attempts[1].startedAt && attempts[1].endedAt - attempts[1].startedAt == 2_000_000)
        #expect(attempts.map { value("server.port", $0) } == [.integer(1), .integer(2)])
        #expect(spans.count { $0.name == "gateway.request_orchestration" } == 2)
        #expect(spans[0].status == .unset, "the client noticed nothing")
    }

    @Test func anAnswerThatIsRetriedIsAFailedAttempt() throws {
        let gateway = try gateway(tracer())
        let (exchange, _) = begin(gateway)
        #expect(exchange.responseHeadReceived(status: 503, isEventStream: false) != nil)
        _ = exchange.responseHeadReceived(status: 200, isEventStream: false)
        exchange.finish(.completed)
        let attempts = spans().filter { $0.kind == .client }
        #expect(attempts.map { value("http.response.status_code", $0) } == [.integer(503), .integer(200)])
        #expect(attempts.map { $0.status == .unset } == [false, true])
    }

    /// A proxy sends the request itself, perhaps more than once: what it sends belongs to the whole request.
    @Test func aProxyGetsTheContextOfTheRequest() throws {
        let gateway = try gateway(tracer())
        let (exchange, step) = begin(gateway, retrier: .proxy)
        exchange.finish(.completed)
        let spans = spans()
        #expect(try header(step).parent == spans[0].context.headerValue)
        #expect(!spans.contains { $0.kind == .client })
        #expect(value("server.port", spans[0]) == .integer(1))
    }

    @Test func aProxysOwnContextCountsWhereTheRequestHasNone() throws {
        let gateway = try gateway(tracer())
        let proxy = "00-11111111111111111111111111111111-2222222222222222-01"
        begin(gateway, [("tracestate", "a=1")], retrier: .proxy, proxy: proxy).exchange.finish(.completed)
        let request = spans()[0]
        #expect(request.parentSpanID == 0x2222_2222_2222_2222 && request.traceState.isEmpty)
        begin(gateway, retrier: .proxy, proxy: proxy).exchange.finish(.completed)
        #expect(spans()[0].parentSpanID == 0xb7ad_6b71_6920_3331)
    }

    // MARK: - Sampling and propagation

    @Test func withoutATracerTheHeaderStaysAsItIs() throws {
        let gateway = try GatewayFixture(ports: [1])
        let (exchange, step) = begin(gateway)
        #expect(try header(step) == (nil, false) && exchange.trace == nil)
    }

    @Test func aTraceThatNobodyRecordsPassesAsItIs() throws {
        let gateway = try gateway(tracer())
        let (exchange, step) = begin(gateway, [("traceparent", Self.clientUnsampled)])
        #expect(try header(step) == (nil, false))
        exchange.finish(.completed)
        #expect(buffer.count == 0)
    }

    @Test(arguments: [Sampler.Root.always, .never])
    func aNewTraceIsPassedOnWithItsDecision(root: Sampler.Root) throws {
        let gateway = try gateway(tracer(root))
        for headers in [
            [], [("traceparent", "00-zz-b7ad6b7169203331-01")],
            [("traceparent", Self.client), ("traceparent", Self.client)],
        ] {
            let (exchange, step) = begin(gateway, headers + [("tracestate", "a=1")])
            let header = try header(step)
            let onward = try context(step)
            #expect(onward.isSampled == (root == .always) && onward.isRandom && header.removesState)
            exchange.finish(.completed)
            let spans = spans()
            #expect(spans.isEmpty == (root == .never))
            #expect(spans.allSatisfy { $0.context.traceID == onward.traceID && $0.traceState.isEmpty })
        }
    }

    @Test func aSamplerThatOverrulesTheParentTellsTheEndpoint() throws {
        let gateway = try gateway(tracer(.never, followsParent: false))
        let (_, step) = begin(gateway)
        let onward = try context(step)
        #expect(!onward.isSampled && onward.traceID == "0af7651916cd43dd8448eb211c80319c")
    }

    /// The ids of spans come from a source of their own: with the same seed a request gets the same id, and goes the
    /// same way.
    @Test func traceIDsTakeNothingFromTheRequestsRandomNumbers() throws {
        func requestID(_ tracer: Tracer?) throws -> String? {
            let gateway = try GatewayFixture(ports: [1], tracer: tracer)
            let exchange = RequestExchange(
                controller: gateway.controller, routes: .standalone, request: .completion())
            _ = exchange.begin()
            return exchange.identity?.id
        }
        #expect(try requestID(nil) == requestID(tracer()))
    }

    @Test func theSummaryHasTheTrace() throws {
        let gateway = try gateway(tracer())
        let (exchange, _) = begin(gateway)
        let summary = exchange.summary(nil, rejection: nil, accounting: nil, usage: nil, at: gateway.clock.now)
        #expect(summary.trace?.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(summary.trace == exchange.trace?.context)
    }

    /// Clients may send much, and each span of the queue keeps it.
    @Test(arguments: [(512, true), (513, false)])
    func aLongStateIsPassedOnAndNotKept(count: Int, isKept: Bool) throws {
        let gateway = try gateway(tracer())
        let state = "a=" + String(repeating: "x", count: count - 2)
        let (exchange, step) = begin(gateway, [("traceparent", Self.client), ("tracestate", state)])
        #expect(try !header(step).removesState)
        exchange.finish(.completed)
        #expect(spans().allSatisfy { $0.traceState == (isKept ? state : "") })
    }

    // MARK: - Refusals, and waiting

    @Test func aRefusalIsAnErrorWithItsReason() throws {
        let gateway = try gateway(tracer(), ports: [])
        begin(gateway).exchange.finish(.completed)
        let spans = spans()
        #expect(spans.map(\.name) == ["gateway.request", "gateway.request_orchestration"])
        for span in spans {
            #expect(value("martlet.reason", span) == .text("noEndpoints"))
            #expect(span.status == .error("The pool 'pool' has no endpoints."))
        }
        #expect(value("error.type", spans[0]) == .text("noEndpoints"))
        #expect(value("http.response.status_code", spans[0]) == .integer(503))
    }

    @Test func theClientsOwnFaultIsNoErrorOfTheServer() throws {
        let gateway = try gateway(tracer())
        let exchange = RequestExchange(
            controller: gateway.controller, routes: .standalone,
            request: .completion(model: "", headers: [("traceparent", Self.client)])
        )
        _ = exchange.begin()
        let spans = spans()
        #expect(value("martlet.reason", spans[0]) == .text("invalidRequest") && spans[0].status == .unset)
        #expect(spans[1].status != .unset)
    }

    @Test func waitingForATurnIsASpan() throws {
        let gateway = try GatewayFixture(
            pools: [(name: "pool", endpoints: [.local("e0", port: 1)])],
            detector: OneRequestEach(),
            flowControl: try flowControl(),
            tracer: tracer()
        )
        let (first, _) = begin(gateway)
        let (second, step) = begin(gateway)
        guard case .wait = step else {
            Issue.record("the second request does not wait: \(step)")
            return
        }
        gateway.clock.advance(by: .milliseconds(30))
        first.finish(.completed)
        _ = spans()
        gateway.clock.advance(by: .milliseconds(1))
        _ = second.resume()
        gateway.clock.advance(by: .milliseconds(10))
        second.finish(.completed)
        let spans = spans()
        let wait = try only("gateway.queue_wait", spans)
        #expect(wait.parentSpanID == (try only("gateway.request_orchestration", spans)).context.spanID)
        #expect(wait.endedAt - wait.startedAt >= 30_000_000 && wait.startedAt == spans[0].startedAt)
        #expect(value("martlet.flow.outcome", wait) == .text("Dispatched") && wait.status == .unset)
        let page = String(decoding: gateway.registry.page(.openMetrics), as: UTF8.self).split(separator: "\n")
        let own = try #require(spans[0].context.headerValue.split(separator: "-").dropFirst(2).first)
        #expect(
            page.contains { line in
                line.hasPrefix("llm_d_epp_flow_control_request_queue_duration_seconds_bucket")
                    && line.contains("span_id=\"\(own)\"")
            }, "the histogram leads to the gateway's span")
    }

    @Test(arguments: [FlowOutcome.evictedContextCancelled, .evictedTTL])
    func whoLeavesTheQueueHasWaited(outcome: FlowOutcome) throws {
        let log = RequestLog(capacity: 1)
        let gateway = try GatewayFixture(
            pools: [(name: "pool", endpoints: [.local("e0", port: 1)])],
            detector: OneRequestEach(),
            flowControl: try flowControl(),
            observers: [log],
            tracer: tracer()
        )
        let (first, _) = begin(gateway)
        let (second, _) = begin(gateway)
        gateway.clock.advance(by: .milliseconds(30))
        if outcome == .evictedTTL { _ = second.requestTimedOut() } else { second.finish(.clientDisconnected) }
        let wait = try only("gateway.queue_wait", spans())
        #expect(wait.endedAt - wait.startedAt == 30_000_000 && wait.status != .unset)
        #expect(value("martlet.flow.outcome", wait) == .text(outcome.rawValue))
        #expect(log.latest().map(\.waited) == [.milliseconds(30)])
        first.finish(.completed)
    }

    private func flowControl() throws -> FlowControlSettings {
        func make<Role>(_ type: String) throws -> Role {
            var context = PluginContext(clock: SystemMonotonicClock())
            let plugin = try BuiltinCatalogue.registry()
                .make(type: type, name: type, parameters: ParameterDecoder(value: nil), context: &context)
            return try #require(plugin as? Role)
        }
        let band = FlowControlSettings.Band(
            fairness: try make("global-strict-fairness-policy"), ordering: try make("fcfs-ordering-policy"))
        return FlowControlSettings(template: band, usageLimit: try make("static-usage-limit-policy"))
    }
}

/// A request fills an endpoint.
private struct OneRequestEach: SaturationDetector {
    static let descriptor = PluginDescriptor(type: "one-request-each", summary: "An endpoint with a request is full.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        candidates.positions.contains { candidates.all[$0].load.requests == 0 } ? 0 : 1
    }

    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        Double(endpoint.load.requests) + pending.requests
    }
}

private struct DropFirst: Filter {
    static let descriptor = PluginDescriptor(type: "drop-first", summary: "Drops the first candidate, slowly.")
    let clock: ManualClock

    init(clock: ManualClock) { self.clock = clock }
    init(parameters: ParameterDecoder, context: inout PluginContext) { clock = ManualClock() }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        clock.advance(by: .nanoseconds(40))
        candidates.keep { $0.slot > 0 }
    }
}

private struct Slots: Scorer {
    static let descriptor = PluginDescriptor(type: "slots", summary: "Scores quarters of the slot, slowly.")
    let clock: ManualClock

    init(clock: ManualClock) { self.clock = clock }
    init(parameters: ParameterDecoder, context: inout PluginContext) { clock = ManualClock() }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        clock.advance(by: .nanoseconds(10))
        for index in scores.indices { scores[index] = Double(candidates[index].slot) / 4 }
    }
}

private struct Last: Picker {
    static let descriptor = PluginDescriptor(type: "last", summary: "Picks the last candidate.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        [candidates.count - 1]
    }
}

private struct OnlyProfile: ProfileHandler {
    static let descriptor = PluginDescriptor(type: "only", summary: "Runs the first profile.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        progress[0].hasRun ? [] : [0]
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        guard case .found(let result) = progress[0] else { throw Rejection(.internalError, "nobody was found") }
        return SchedulingDecision(primary: result)
    }
}
