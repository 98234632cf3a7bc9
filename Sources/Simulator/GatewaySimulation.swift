import BuiltinPlugins
import DataLayer
package import GatewayConfiguration
package import GatewayCore
import GatewayTesting
import ModelServerSimulator
import RequestControl
import Scheduling
import Telemetry

/// A gateway on simulated time: the request control, the endpoint store and the scheduler that serve real requests,
/// between clients and model servers that exist in a queue of events only.
///
/// One step is one event: a client sends or leaves, a server finishes a batch, the gateway scrapes, something fails.
/// Nothing waits and nothing runs in parallel, so a configuration, with its seed, always gives the same run, and a
/// failure is repeated by its seed. After each step the gateway's leases are compared with the requests that really are
/// open.
package final class GatewaySimulation {
    /// What can happen without a server.
    enum Event {
        case clientSends(client: Int, sequence: Int)
        case clientLeaves(number: Int)
        case scrape(life: EndpointLife, endpoint: Int)
        case fault(SimulatedFault)
    }

    let configuration: SimulationConfiguration
    let maker: RequestMaker
    let clock = ManualClock()
    let store: EndpointStore
    let controller: RequestController
    let models: [ServedModel]
    let registry = MetricRegistry()
    private let pool = PoolID(name: "simulated")

    var queue = EventQueue<Event>()
    let endpoints: [SimulatedEndpoint]
    /// By endpoint: whether the source of endpoints lists it.
    var isListed: [Bool]
    var scrapes: [EndpointLife: EndpointScrape] = [:]
    /// Requests that have not ended, by number.
    var runs: [Int: RequestRun] = [:]
    var check = LeaseCheck()
    var report = SimulationReport()
    private var started = 0
    private var unhandledFaults: Int

    /// The present instant.
    var now: MonotonicInstant { clock.now }

    /// Builds a world around a gateway.
    ///
    /// - Parameters:
    ///   - configuration: the world.
    ///   - picker: how endpoints are chosen.
    ///   - registry: the plugin types that `picker` may name.
    /// - Throws: ``ConfigurationError`` for a picker that cannot be built; an error that says which engine parameter is
    ///   out of range.
    package init(
        _ configuration: SimulationConfiguration,
        picker: EndpointPickerConfiguration = .builtinDefault,
        registry plugins: PluginRegistry = BuiltinCatalogue.registry()
    ) throws {
        self.configuration = configuration
        maker = RequestMaker(workload: configuration.workload, seed: configuration.seed)
        let builder = PipelineBuilder(registry: plugins)
        let scheduler = Scheduler(pipeline: try builder.build(picker, context: PluginContext(clock: clock)))
        let metrics = try GatewayMetrics(registry: registry)
        store = EndpointStore(
            pool: pool,
            clock: clock,
            ejection: configuration.ejection,
            metrics: metrics.dataLayer,
            onLeave: { scheduler.endpointDidLeave($0) }
        )
        controller = RequestController(
            state: GatewayState(
                tables: [.standalone: RouteTable(everythingTo: pool)],
                pools: [PoolRuntime(id: pool, endpoints: store, scheduler: scheduler)]
            ),
            configuration: RequestControlConfiguration(seed: configuration.seed),
            metrics: metrics,
            clock: clock
        )
        let list = #"{"object":"list","data":[{"id":"\#(RequestMaker.model)","object":"model"}]}"#
        models = try ModelListReader.read(Array(list.utf8).span.bytes)
        endpoints = try (0..<configuration.endpoints).map { index in
            try SimulatedEndpoint(index: index, parameters: configuration.engine)
        }
        isListed = Array(repeating: true, count: configuration.endpoints)
        unhandledFaults = configuration.faults.count
    }

    /// Runs until every client has had all its answers and every fault has happened. A simulation runs once.
    ///
    /// - Throws: ``InvariantViolation`` for the first thing that does not hold.
    package func run() throws(InvariantViolation) -> SimulationReport {
        precondition(report.steps == 0, "a simulation runs once")
        publishEndpoints()
        for fault in configuration.faults {
            queue.schedule(.fault(fault.fault), at: now.advanced(by: fault.at))
        }
        for client in 0..<configuration.workload.clients {
            queue.schedule(.clientSends(client: client, sequence: 0), at: now.advanced(by: maker.start(of: client)))
        }
        while !isOver {
            try step()
        }
        try finish()
        return report
    }

    private var isOver: Bool {
        unhandledFaults == 0 && runs.isEmpty && report.requests.count == configuration.workload.requestCount
    }

    /// Lets the next event happen. Of several at one instant servers come first, in their order.
    private func step() throws(InvariantViolation) {
        report.steps += 1
        if let server = nextServer(), server.time <= queue.nextTime ?? server.time {
            try move(to: server.time)
            advance(server.index)
        } else if let time = queue.nextTime, let event = queue.popNext() {
            try move(to: time)
            handle(event)
        } else {
            throw violation("nothing more will happen, and \(runs.count) requests are open")
        }
        if let difference = check.difference(from: store) { throw violation(difference) }
        if check.openCount != runs.count {
            throw violation("\(runs.count) requests have not ended, and servers have \(check.openCount)")
        }
    }

    /// The server that does something next; of several at one instant the first.
    private func nextServer() -> (index: Int, time: MonotonicInstant)? {
        var first: (index: Int, time: MonotonicInstant)?
        for index in endpoints.indices {
            guard let time = endpoints[index].nextEventTime else { continue }
            if let known = first, known.time <= time { continue }
            first = (index, time)
        }
        return first
    }

    private func move(to time: MonotonicInstant) throws(InvariantViolation) {
        if time < now { throw violation("the next event is in the past, at \(time)") }
        clock.advance(to: time)
        if time.nanoseconds > configuration.timeLimit.wholeNanoseconds {
            throw violation("the run is over its time limit, and \(runs.count) requests are open")
        }
    }

    private func handle(_ event: Event) {
        switch event {
        case .clientSends(let client, let sequence):
            note(1, client, sequence)
            started += 1
            begin(number: started, client: client, sequence: sequence)
        case .clientLeaves(let number):
            leave(number)
        case .scrape(let life, let endpoint):
            scrape(life, endpoint)
        case .fault(let fault):
            unhandledFaults -= 1
            happen(fault)
        }
    }

    /// What must hold when all is over.
    private func finish() throws(InvariantViolation) {
        if let index = endpoints.firstIndex(where: { !$0.open.isEmpty }) {
            throw violation("all requests have ended, and engine-\(index) has \(endpoints[index].open.count)")
        }
        let distinct = Set(report.requests.map { [$0.client, $0.sequence] })
        if distinct.count != configuration.workload.requestCount {
            throw violation("\(report.requests.count) requests ended, \(distinct.count) different ones")
        }
        report.engines = endpoints.map(\.sums)
        report.duration = now.since(MonotonicInstant(nanoseconds: 0))
        report.metricsPage = String(decoding: registry.page(.prometheusText), as: UTF8.self)
    }

    /// Adds something that happened to the trace.
    func note(_ code: Int, _ first: Int, _ second: Int = 0) {
        report.trace.mix(now.nanoseconds)
        report.trace.mix(code)
        report.trace.mix(first)
        report.trace.mix(second)
    }

    private func violation(_ what: String) -> InvariantViolation {
        InvariantViolation(seed: configuration.seed, time: now, step: report.steps, what: what)
    }
}
