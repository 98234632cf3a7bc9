import BuiltinPlugins
import DataLayer
import GatewayConfiguration
import GatewayCore
import RequestControl
import Scheduling
import Telemetry

/// A gateway of one pool with the default profile, as `martlet serve` builds it, without sockets.
final class Picker {
    private let controller: RequestController
    private let openings: [String]
    private let bytes: Int
    private var bodies: [[UInt8]] = []
    private var serial = 0
    private var random = RandomSource(seed: 42)

    /// Makes a pool of `endpoints` busy engines; prompts have `kilobytes`. With a tracer, requests leave spans.
    init(
        endpoints: Int,
        kilobytes: Int,
        keptDecisions: Int,
        observers: [any RequestObserver] = [],
        tracer: Tracer? = nil
    ) throws {
        let clock = SystemMonotonicClock()
        let pool = PoolID(name: "pool")
        let metrics = try GatewayMetrics(registry: MetricRegistry())
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry())
        let pipeline = try builder.build(.builtinDefault, context: PluginContext(clock: clock))
        let store = EndpointStore(pool: pool, clock: clock, metrics: metrics.dataLayer)
        store.replaceEndpoints(
            (0..<endpoints).map { number in
                EndpointDescription(
                    id: EndpointID(name: "engine-\(number)"),
                    address: EndpointAddress(host: "10.0.\(number / 250).\(number % 250 + 1)", port: 8_000),
                    labels: ["app": "llama"]
                )
            }
        )
        for snapshot in store.current.endpoints {
            let told = EndpointMetrics(
                waitingQueueSize: Int.random(in: 0...20, using: &random),
                runningRequests: Int.random(in: 0...64, using: &random),
                kvCacheUsage: random.unit(),
                cacheBlockSizeTokens: 16,
                cacheBlockCount: 20_000
            )
            store.record(metrics: told, for: EndpointLife(snapshot), at: clock.now)
            store.record(models: [ServedModel(id: "llama", parent: nil, json: [])], for: EndpointLife(snapshot))
        }
        controller = RequestController(
            state: GatewayState(
                tables: [.standalone: RouteTable(everythingTo: pool)],
                pools: [
                    PoolRuntime(
                        id: pool, endpoints: store,
                        scheduler: Scheduler(pipeline: pipeline, metrics: metrics.scheduling))
                ]
            ),
            configuration: RequestControlConfiguration(seed: 1, keptDecisions: keptDecisions),
            metrics: metrics,
            observers: observers,
            tracer: tracer,
            clock: clock
        )
        bytes = kilobytes * 1_000
        var random = random
        openings = (0..<8).map { _ in Self.text(kilobytes * 500, &random) }
        prepare(256)
    }

    /// Makes bodies for `count` decisions, none of them equal; large ones are made of few texts, whose beginnings
    /// differ.
    func prepare(_ count: Int) {
        let variants = (0..<8).map { _ in Self.text(bytes / 2, &random) }
        bodies = (0..<min(count, 256)).map { number in
            serial += 1
            let text = openings[number % 8] + "\(serial) " + variants[(number / 8) % 8]
            return Array(#"{"model":"llama","messages":[{"role":"user","content":"\#(text)"}],"max_tokens":64}"#.utf8)
        }
    }

    /// Decides `count` times and ends each request at once.
    func decide(_ count: Int) {
        for number in 0..<count {
            let request = IncomingRequest(
                method: "POST",
                target: "/v1/chat/completions",
                authority: "localhost",
                headers: Self.headers,
                body: ArrayBody(bodies[number % bodies.count]),
                receivedAt: controller.now()
            )
            let exchange = RequestExchange(controller: controller, routes: .standalone, request: request)
            guard case .send = exchange.begin() else { fatalError("a request found no endpoint") }
            exchange.finish(.completed)
        }
    }

    private static let headers = HeaderMap([
        HeaderMap.Field(name: "host", value: "localhost"),
        HeaderMap.Field(name: "content-type", value: "application/json"),
        HeaderMap.Field(name: "user-agent", value: "OpenAI/Python 1.99.0"),
        HeaderMap.Field(name: "accept", value: "application/json"),
        HeaderMap.Field(name: "x-request-id", value: "6f1b2c1e-9d5f-4c3a-8e53-3b0f7e0c9b11"),
    ])

    private static let words = [
        "the ", "request ", "arrives ", "at ", "gateway, ", "which ", "reads ", "its ", "prompt. ", "naïve ", "café ",
        "returns ", "value\\n", "\\\"quoted\\\" ", "temperature ", "between ",
    ]

    private static func text(_ byteCount: Int, _ random: inout RandomSource) -> String {
        var text = ""
        text.reserveCapacity(byteCount + 16)
        while text.utf8.count < byteCount { text += words[Int(random.next() % UInt64(words.count))] }
        return text
    }
}
