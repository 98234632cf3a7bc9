package import DataLayer
package import FlowControl
package import GatewayCore
package import RequestFormats
package import Scheduling
package import Telemetry

/// One pool as requests see it.
package final class PoolRuntime: Sendable {
    /// The pool's name.
    package let id: PoolID
    /// The pool's endpoints.
    package let endpoints: EndpointStore
    /// The pool's scheduler.
    package let scheduler: Scheduler
    /// Lets requests wait for their turn; `nil` where they are scheduled at once.
    package let flowControl: FlowController?
    /// The scheduler's EndpointPickerConfig in canonical form; empty when it was made without one.
    package let configuration: String

    /// How much room its endpoints have; `nil` when nobody knows.
    package var rooms: PoolRooms? {
        scheduler.saturationDetector.map { PoolRooms(endpoints: endpoints, detector: $0) }
    }

    /// Makes a pool.
    package init(
        id: PoolID,
        endpoints: EndpointStore,
        scheduler: Scheduler,
        flowControl: FlowController? = nil,
        configuration: String = ""
    ) {
        self.id = id
        self.endpoints = endpoints
        self.scheduler = scheduler
        self.flowControl = flowControl
        self.configuration = configuration
    }
}

/// The priorities of a pool's requests.
package struct ObjectiveTable: Hashable, Sendable {
    /// The priorities of objectives, by name.
    package var named: [String: Int]
    /// The priorities of requests for a model that name no objective which is known here.
    package var ofModels: [String: Int]

    /// Makes a table; without arguments every request has the priority 0.
    package init(named: [String: Int] = [:], ofModels: [String: Int] = [:]) {
        self.named = named
        self.ofModels = ofModels
    }

    /// All priorities that requests may have beside 0.
    package var priorities: Set<Int> { Set(named.values).union(ofModels.values) }

    /// The priority of a request for `model` that names `objective`. One that is not known is no error.
    func priority(of objective: String, model: String) -> Int {
        named[objective] ?? ofModels[model] ?? 0
    }
}

/// Everything that a reload of the configuration replaces, as one value: a request sees all of one state.
package final class GatewayState: Sendable {
    /// The routes by listener.
    package let tables: [RouteTableKey: RouteTable]
    /// The pools in the order of the configuration.
    package let pools: [PoolRuntime]
    /// Which API a path belongs to.
    package let parsers: RequestParserSet
    /// The base models by the configuration.
    package let modelMapping: ModelMapping
    /// The formats that plugins of the first pool read: a request is read before its pool is known.
    let bodyParsers: BodyParserSet
    private let poolsByName: [PoolID: PoolRuntime]
    private let objectives: [PoolID: ObjectiveTable]
    private let rewrites: [PoolID: ModelRewriteTable]

    /// Makes a state. Every pool that a table names must be in `pools`.
    ///
    /// - Parameters:
    ///   - tables: the routes by listener.
    ///   - pools: the pools in the order of the configuration.
    ///   - parsers: which API a path belongs to.
    ///   - modelMapping: the base models by the configuration.
    ///   - objectives: the priorities of each pool's requests.
    ///   - rewrites: which models serve the requests of each pool.
    package init(
        tables: [RouteTableKey: RouteTable],
        pools: [PoolRuntime],
        parsers: RequestParserSet = .standard,
        modelMapping: ModelMapping = ModelMapping(),
        objectives: [PoolID: ObjectiveTable] = [:],
        rewrites: [PoolID: ModelRewriteTable] = [:]
    ) {
        self.tables = tables
        self.pools = pools
        self.parsers = parsers
        bodyParsers = BodyParserSet(pools.first?.scheduler.bodyParsers ?? [])
        self.modelMapping = modelMapping
        self.objectives = objectives
        self.rewrites = rewrites
        poolsByName = Dictionary(uniqueKeysWithValues: pools.map { ($0.id, $0) })
    }

    /// The priorities of a pool's requests.
    package func objectives(of pool: PoolID) -> ObjectiveTable { objectives[pool] ?? ObjectiveTable() }

    /// Which models serve the requests of a pool; `nil` when they are those that the requests ask for.
    package func rewrites(of pool: PoolID) -> ModelRewriteTable? { rewrites[pool] }

    /// The pool called `id`; `nil` when there is none.
    package subscript(pool id: PoolID) -> PoolRuntime? { poolsByName[id] }
}

/// The instruments of all areas that a request touches. A class, so that handing it around costs one reference instead
/// of one for each of its instruments.
package final class GatewayMetrics: Sendable {
    /// Requests and responses.
    package let requests: RequestMetrics
    /// Scheduling decisions.
    package let scheduling: SchedulingMetrics
    /// Endpoints, scrapes, leases.
    package let dataLayer: DataLayerMetrics
    /// Connections, retries, errors.
    package let proxy: ProxyMetrics
    /// Queues.
    package let flowControl: FlowControlMetrics

    /// Registers all instruments with `registry`.
    package init(registry: MetricRegistry) throws {
        requests = try RequestMetrics(registry: registry)
        flowControl = try FlowControlMetrics(registry: registry)
        scheduling = try SchedulingMetrics(registry: registry)
        dataLayer = try DataLayerMetrics(registry: registry)
        proxy = try ProxyMetrics(registry: registry)
    }
}
