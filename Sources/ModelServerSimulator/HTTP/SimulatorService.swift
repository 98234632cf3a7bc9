import NIOCore
import NIOHTTP1
import Telemetry

/// What stands behind the connections of a simulated server: the routes, the known adapters, the faults, and the
/// engine.
///
/// Confined to one event loop.
final class SimulatorService {
    let configuration: SimulatorConfiguration
    let driver: EngineDriver
    /// Makes a span of each generation; `nil` when nobody collects them.
    let tracer: Tracer?
    let clock = WallClock()
    var connections: [ObjectIdentifier: SimulatorConnection] = [:]

    private(set) var faults: FaultPlan
    var adapters: [String]
    var random: SeededRandom
    /// Where the ids of spans come from: texts are the same with traces and without.
    var traceIDs = SeededRandom(seed: .random(in: .min ... .max))
    var adapterSeries = AdapterSeries()
    private(set) var responsesByStatus: [UInt: Int] = [:]

    let loop: any EventLoop
    private var endOfFaults: Scheduled<Void>?
    private var endOfDrain: Scheduled<Void>?
    private var drained: EventLoopPromise<Void>?
    /// Whether the server is ending; connections accepted before the end of listening are refused then.
    private(set) var isDraining = false

    /// - Throws: ``EngineParametersError`` when the engine cannot be built.
    init(
        configuration: SimulatorConfiguration,
        tracer: Tracer? = nil,
        loop: any EventLoop
    ) throws(EngineParametersError) {
        self.configuration = configuration
        self.tracer = tracer
        self.loop = loop
        self.faults = FaultPlan()
        self.adapters = configuration.loraAdapters
        self.random = SeededRandom(seed: configuration.parameters.seed)
        let engine = try SimulatedEngine(parameters: configuration.parameters)
        self.driver = EngineDriver(engine: engine, loop: loop, timeScale: configuration.timeScale)
        setFaults(configuration.faults)
        driver.onChange = { [weak self] in
            self?.noteAdapters()
        }
    }

    /// Follows a new plan from now on.
    func setFaults(_ plan: FaultPlan) {
        faults = plan
        driver.withEngine { $0.slowdown = plan.slowdown }
        endOfFaults?.cancel()
        endOfFaults = nil
        if let milliseconds = plan.durationMilliseconds {
            let delay = TimeAmount.nanoseconds(Int64(milliseconds * 1e6))
            endOfFaults = loop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
                self?.setFaults(FaultPlan())
            }
        }
    }

    /// Lets the answers under way finish, then closes what is left when `limit` is over, and succeeds `done` after
    /// that.
    func drain(within limit: TimeAmount, done: EventLoopPromise<Void>) {
        endOfFaults?.cancel()
        endOfFaults = nil
        drained = done
        isDraining = true
        for connection in connections.values {
            connection.quiesce()
        }
        guard !connections.isEmpty else {
            finishDrain()
            return
        }
        endOfDrain = loop.assumeIsolated().scheduleTask(in: limit) {
            for connection in self.connections.values {
                connection.close(reset: false)
            }
            self.finishDrain()
        }
    }

    /// Forgets a connection that is closed.
    func remove(_ connection: SimulatorConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if connections.isEmpty {
            finishDrain()
        }
    }

    private func finishDrain() {
        guard let drained else {
            return
        }
        self.drained = nil
        endOfDrain?.cancel()
        endOfDrain = nil
        driver.stop()
        drained.succeed()
    }

    /// Counts an answer.
    func count(_ status: HTTPResponseStatus) {
        responsesByStatus[status.code, default: 0] += 1
    }

    /// Answers a request, now or later.
    func handle(_ exchange: HTTPExchange) {
        let path = exchange.path
        let isControl = path.hasPrefix("/simulator/")
        if faults.refuseConnections, !isControl {
            exchange.breakOff(reset: true)
            return
        }
        switch (exchange.head.method, path) {
        case (.GET, "/simulator/state"): exchange.respond(.ok, text: state())
        case (.GET, "/simulator/faults"): exchange.respond(.ok, text: faults.json)
        case (.POST, "/simulator/faults"): changeFaults(exchange)
        case (.GET, "/health"), (.GET, "/ping"), (.POST, "/ping"):
            exchange.respond(HTTPResponseStatus(statusCode: faults.healthStatus), contentType: nil, text: "")
        case (.GET, "/version"):
            exchange.respond(.ok, text: #"{"version":"\#(ReproducedVersion.vllm)"}"#)
        case (.GET, "/metrics"): metrics(exchange)
        case (.GET, "/v1/models"): listModels(exchange)
        case (.POST, "/v1/load_lora_adapter"): loadAdapter(exchange)
        case (.POST, "/v1/unload_lora_adapter"): unloadAdapter(exchange)
        case (.POST, "/tokenize"): tokenize(exchange)
        case (.POST, "/v1/messages/count_tokens"): countTokens(exchange)
        case (.POST, "/reset_prefix_cache"):
            driver.withEngine { $0.resetPrefixCache() }
            exchange.respond(.ok, contentType: nil, text: "")
        case (.POST, _):
            guard let route = InferenceRoute(rawValue: String(path)) else {
                refuseRoute(exchange)
                return
            }
            handleInference(exchange, route)
        default: refuseRoute(exchange)
        }
    }

    /// Answers a request whose body is longer than the server reads.
    func refuseLongBody(_ exchange: HTTPExchange) {
        APIError(
            status: .payloadTooLarge, type: "BadRequestError",
            message: "The body is longer than \(configuration.maxBodyBytes) bytes."
        ).answer(exchange)
    }

    private func refuseRoute(_ exchange: HTTPExchange) {
        let known = Self.methodsByPath[String(exchange.path)]
        let status: HTTPResponseStatus = known == nil ? .notFound : .methodNotAllowed
        exchange.respond(
            status,
            text: """
                {"error":{"message":"\(status.reasonPhrase)","type":"\(status.reasonPhrase)","param":null,\
                "code":\(status.code)}}
                """
        )
    }

    /// Paths that exist, to tell a wrong method from a wrong path.
    private static let methodsByPath: [String: String] = {
        var methods = Dictionary(uniqueKeysWithValues: InferenceRoute.allCases.map { ($0.rawValue, "POST") })
        for path in ["/health", "/version", "/metrics", "/v1/models", "/simulator/state"] {
            methods[path] = "GET"
        }
        for path in [
            "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/tokenize", "/v1/messages/count_tokens",
            "/reset_prefix_cache",
        ] {
            methods[path] = "POST"
        }
        methods["/ping"] = "GET, POST"
        methods["/simulator/faults"] = "GET, POST"
        return methods
    }()

    private func changeFaults(_ exchange: HTTPExchange) {
        do {
            setFaults(try FaultPlan(json: Array(exchange.body.readableBytesView)))
            exchange.respond(.ok, text: faults.json)
        } catch {
            APIError(status: .badRequest, type: "BadRequestError", message: error.description).answer(exchange)
        }
    }

    private func metrics(_ exchange: HTTPExchange) {
        switch faults.metrics {
        case .hang:
            return
        case .error:
            exchange.respond(.internalServerError, contentType: "text/plain", text: "Internal Server Error")
        case .garbage:
            exchange.respond(
                .ok, contentType: "text/plain",
                text: "<html><body>\u{0}{{{ not a metrics page }}}\nvllm:num_requests_running{ NaNaN\n"
            )
        case .cut:
            let page = metricsPage()
            exchange.respond(.ok, contentType: MetricsText.contentType, text: String(page.prefix(page.count / 2)))
        case .none:
            exchange.respond(.ok, contentType: MetricsText.contentType, text: metricsPage())
        }
    }

    private func noteAdapters() {
        if !adapters.isEmpty {
            adapterSeries.note(driver.engine.wantedAdapters, at: clock.unixTime)
        }
    }

    private func metricsPage() -> String {
        let counters = driver.engine.counters
        noteAdapters()
        let source = MetricsSource(
            model: configuration.models.first ?? "",
            parameters: configuration.parameters,
            counters: counters,
            adapterSeries: adapterSeries,
            unixTime: clock.unixTime
        )
        return source.page(for: configuration.engine)
    }

    /// What `GET /simulator/state` tells.
    private func state() -> String {
        let counters = driver.engine.counters
        let totals = counters.totals
        let statuses = responsesByStatus.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
        return """
            {"engine":"\(configuration.engine.rawValue)","models":\(JSONText.list(configuration.models)),\
            "lora_adapters":\(JSONText.list(adapters)),"resident_adapters":\(JSONText.list(counters.residentAdapters)),\
            "running":\(counters.running),"waiting":\(counters.waiting),\
            "waiting_for_adapter":\(counters.waitingForAdapter),"kv_cache_usage":\(counters.cacheUsage),\
            "used_blocks":\(counters.usedBlocks),"cached_blocks":\(counters.cachedBlocks),\
            "evicted_blocks":\(totals.evictedBlocks),"prefix_query_tokens":\(totals.prefixQueryTokens),\
            "prefix_hit_tokens":\(totals.prefixHitTokens),"prefix_hit_ratio":\(totals.prefixHitRatio),\
            "accepted":\(totals.accepted),"rejected_queue_full":\(totals.rejectedQueueFull),\
            "rejected_invalid":\(totals.rejectedInvalid),"finished_stop":\(totals.finishedStop),\
            "finished_length":\(totals.finishedLength),"cancelled":\(totals.cancelled),\
            "preemptions":\(totals.preemptions),"adapter_loads":\(totals.adapterLoads),"steps":\(totals.steps),\
            "prompt_tokens":\(totals.promptTokens),"generation_tokens":\(totals.generationTokens),\
            "time_to_first_token_seconds_sum":\(totals.timeToFirstToken.sum),\
            "time_to_first_token_seconds_count":\(totals.timeToFirstToken.count),\
            "open_connections":\(connections.count),"responses_by_status":{\(statuses.joined(separator: ","))}}
            """
    }
}
