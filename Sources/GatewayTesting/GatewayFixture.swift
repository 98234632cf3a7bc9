package import DataLayer
import FlowControl
package import GatewayCore
package import RequestControl
package import Scheduling
package import Telemetry

/// A ``RequestControl/RequestController`` with its pools, for tests: real stores, schedulers and metrics, a clock that
/// the test moves, and a picker that chooses the same endpoint every time.
package final class GatewayFixture: Sendable {
    /// The clock of the stores; of the controller too, unless it was given another.
    package let clock: ManualClock
    /// The metrics of everything here.
    package let registry: MetricRegistry
    /// The controller.
    package let controller: RequestController
    /// The pools in the order in which they were named.
    package let pools: [PoolRuntime]
    /// What the plugins were told of attempts.
    package let attempts: AttemptLog

    /// Makes a gateway.
    ///
    /// - Parameters:
    ///   - pools: each pool's name and endpoints.
    ///   - tables: the routes by listener; `nil` for one standalone table that sends everything to the first pool.
    ///   - rewrites: the rewrite rules by pool.
    ///   - filters: filters of every pool's only profile.
    ///   - detector: says how full each pool is; `nil` for pools that are never full.
    ///   - flowControl: how requests wait for every pool, by ``clock``, which wakes them too; `nil` when none waits.
    ///     Needs a detector.
    ///   - objectives: the priorities of every pool's objectives, by name.
    ///   - scheduler: the scheduler of every pool; `nil` for one that takes the first candidate that the filters leave.
    ///   - plugins: what acts beside the profiles.
    ///   - observers: whoever is told of requests that ended.
    ///   - tracer: makes traces; `nil` for none.
    ///   - configuration: the settings.
    package init(
        pools: [(name: String, endpoints: [EndpointDescription])],
        tables: [RouteTableKey: RouteTable]? = nil,
        rewrites: [String: [ModelRewriteRule]] = [:],
        filters: [any Filter] = [],
        detector: (any SaturationDetector)? = nil,
        flowControl: FlowControlSettings? = nil,
        objectives: [String: Int] = [:],
        scheduler: Scheduler? = nil,
        plugins: [any Plugin] = [],
        observers: [any RequestObserver] = [],
        tracer: Tracer? = nil,
        configuration: RequestControlConfiguration = RequestControlConfiguration(seed: 1)
    ) throws {
        let clock = ManualClock(start: MonotonicInstant(nanoseconds: 1_000_000_000))
        let registry = MetricRegistry()
        let metrics = try GatewayMetrics(registry: registry)
        let attempts = AttemptLog()
        self.clock = clock
        self.registry = registry
        self.attempts = attempts
        self.pools = pools.map { name, endpoints in
            let store = EndpointStore(pool: PoolID(name: name), clock: clock, metrics: metrics.dataLayer)
            store.replaceEndpoints(endpoints)
            let scheduler =
                scheduler
                ?? .firstCandidate(
                    filters: filters, detector: detector, flowControl: flowControl, plugins: plugins, log: attempts)
            var controller: FlowController?
            if let flowControl, let detector {
                controller = FlowController(
                    settings: flowControl,
                    rooms: PoolRooms(endpoints: store, detector: detector),
                    evictionGrace: .milliseconds(10),
                    clock: clock,
                    timer: clock,
                    meter: FlowMeter(metrics: metrics.flowControl, pool: store.pool)
                )
                controller?.setPriorities(Set(objectives.values))
                store.onRoom { [weak controller] in controller?.poolChanged() }
            }
            return PoolRuntime(id: store.pool, endpoints: store, scheduler: scheduler, flowControl: controller)
        }
        let first = PoolID(name: pools.first?.name ?? "")
        controller = RequestController(
            state: GatewayState(
                tables: tables ?? [.standalone: RouteTable(everythingTo: first)],
                pools: self.pools,
                objectives: Dictionary(
                    uniqueKeysWithValues: self.pools.map { ($0.id, ObjectiveTable(named: objectives)) }
                ),
                rewrites: Dictionary(
                    uniqueKeysWithValues: rewrites.map { (PoolID(name: $0.key), ModelRewriteTable($0.value)) }
                )
            ),
            configuration: configuration,
            metrics: metrics,
            observers: observers,
            tracer: tracer,
            clock: clock
        )
    }

    /// Makes a gateway with one pool called `pool`, whose endpoints are called `e0`, `e1`, … and listen at 127.0.0.1 on
    /// `ports`.
    package convenience init(
        ports: [Int],
        rule: (inout RouteRule) -> Void = { _ in },
        rewrites: [ModelRewriteRule] = [],
        filters: [any Filter] = [],
        plugins: [any Plugin] = [],
        observers: [any RequestObserver] = [],
        tracer: Tracer? = nil,
        configuration: RequestControlConfiguration = RequestControlConfiguration(seed: 1)
    ) throws {
        var only = RouteRule(backends: [RouteBackend(pool: PoolID(name: "pool"))])
        rule(&only)
        let table = RouteTable(listeners: [(host: nil, routes: [Route(rules: [(matches: [], rule: only)])])])
        try self.init(
            pools: [(name: "pool", endpoints: ports.enumerated().map { .local("e\($0)", port: $1) })],
            tables: [.standalone: table],
            rewrites: ["pool": rewrites],
            filters: filters,
            plugins: plugins,
            observers: observers,
            tracer: tracer,
            configuration: configuration
        )
    }

    /// The only pool's endpoints.
    package var store: EndpointStore { pools[0].endpoints }

    /// Leases that are open in any pool.
    package var openLeases: Int { pools.reduce(0) { $0 + $1.endpoints.ledger.openLeases } }

    /// Tells the store of pool `pool` that its endpoints called `names`, or all, serve `models`.
    package func tell(models: [String], names: [String]? = nil, pool: Int = 0, parent: String? = nil) {
        let store = pools[pool].endpoints
        let list = models.map { id in
            ServedModel(id: id, parent: parent, json: Array(#"{"id":"\#(id)","object":"model"}"#.utf8))
        }
        for endpoint in store.current.endpoints where names?.contains(endpoint.id.name) ?? true {
            store.record(models: list, for: EndpointLife(endpoint))
        }
    }

    /// Tells the store of pool `pool` that its endpoints called `names`, or all, reported `metrics` just now.
    package func tell(metrics: EndpointMetrics, names: [String]? = nil, pool: Int = 0) {
        let store = pools[pool].endpoints
        for endpoint in store.current.endpoints where names?.contains(endpoint.id.name) ?? true {
            store.record(metrics: metrics, for: EndpointLife(endpoint), at: clock.now)
        }
    }

    /// The sum of the samples on the metrics page whose name ends with `name` and whose labels hold all of `labels`.
    package func metric(_ name: String, _ labels: [String: String] = [:]) -> Double {
        let page = String(decoding: registry.page(.prometheusText), as: UTF8.self)
        return page.split(separator: "\n").reduce(0) { sum, line in
            guard line.first != "#", let value = line.split(separator: " ").last.flatMap({ Double($0) }) else {
                return sum
            }
            let series = line.prefix { $0 != "{" && $0 != " " }
            guard series.hasSuffix(name), labels.allSatisfy({ line.contains("\($0)=\"\($1)\"") }) else { return sum }
            return sum + value
        }
    }
}

extension EndpointDescription {
    /// An endpoint called `name` at 127.0.0.1.
    package static func local(_ name: String, port: Int, labels: [String: String] = [:]) -> EndpointDescription {
        EndpointDescription(
            id: EndpointID(name: name),
            address: EndpointAddress(host: "127.0.0.1", port: port),
            labels: labels
        )
    }
}

extension IncomingRequest {
    /// A request with a header and a body in text.
    package static func sample(
        _ method: String = "POST",
        _ target: String = "/v1/completions",
        authority: String = "localhost",
        headers: [(String, String)] = [],
        body: String = "",
        receivedAt: MonotonicInstant = MonotonicInstant(nanoseconds: 1_000_000_000)
    ) -> IncomingRequest {
        IncomingRequest(
            method: method,
            target: target,
            authority: authority,
            headers: HeaderMap(headers.map { HeaderMap.Field(name: $0.0, value: $0.1) }),
            body: ArrayBody(Array(body.utf8)),
            receivedAt: receivedAt
        )
    }

    /// A completion request for `model`.
    package static func completion(model: String = "m", headers: [(String, String)] = []) -> IncomingRequest {
        sample(headers: headers, body: #"{"model":"\#(model)","prompt":"hello"}"#)
    }
}
