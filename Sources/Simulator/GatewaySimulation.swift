import BuiltinPlugins
import DataLayer
import FlowControl
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
        case scrapeAnswer(EndpointScrape.Answer, life: EndpointLife, endpoint: Int)
        case fault(SimulatedFault)
        /// A request's turn has come, or it is to be ended for another one.
        case wake(number: Int, RequestExchange.Wake)
        /// The queue has something to do by the time alone.
        case queueAlarm
        /// The gateway shuts down.
        case shutDown
    }

    let configuration: SimulationConfiguration
    let maker: RequestMaker
    let clock = ManualClock()
    let store: EndpointStore
    let controller: RequestController
    let models: [ServedModel]
    let registry = MetricRegistry()
    /// The queue; `nil` where nobody waits.
    let flowControl: FlowController?
    let detector: (any SaturationDetector)?
    let promises: QueuePromises
    private let pool = PoolID(name: "simulated")

    var queue = EventQueue<Event>()
    let endpoints: [SimulatedEndpoint]
    /// By endpoint: whether the source of endpoints lists it.
    var isListed: [Bool]
    var scrapes: [EndpointLife: EndpointScrape] = [:]
    /// Requests that have not ended, by number.
    var runs: [Int: RequestRun] = [:]
    var check = LeaseCheck()
    var queueCheck: QueueCheck
    /// What exchanges asked for during the present step.
    let wakes = WakeInbox()
    /// Exchanges whose end was lost on purpose.
    var lost: [RequestExchange] = []
    /// The first thing that was found wrong during the present step.
    var finding: String?
    var nextAlarm: MonotonicInstant?
    var report = SimulationReport()
    /// Decides which scrapes are lost.
    var losses: RandomSource
    private var started = 0
    private var unhandledFaults: Int
    private var stepsAtInstant = 0

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
    ///   - promises: what the queue's order must fit.
    package init(
        _ configuration: SimulationConfiguration,
        picker: EndpointPickerConfiguration = .builtinDefault,
        registry plugins: PluginRegistry = BuiltinCatalogue.registry(),
        promises: QueuePromises = QueuePromises()
    ) throws {
        self.configuration = configuration
        losses = RandomSource(seed: configuration.seed ^ 0x10_55)
        maker = RequestMaker(workload: configuration.workload, seed: configuration.seed)
        self.promises = promises
        queueCheck = QueueCheck(promises: promises)
        let builder = PipelineBuilder(registry: plugins, allowsExperimental: true)
        let metrics = try GatewayMetrics(registry: registry)
        let scheduler = Scheduler(
            pipeline: try builder.build(picker, context: PluginContext(clock: clock)),
            metrics: metrics.scheduling
        )
        store = EndpointStore(
            pool: pool,
            clock: clock,
            ejection: configuration.ejection,
            metrics: metrics.dataLayer,
            onLeave: { scheduler.endpointDidLeave($0) }
        )
        detector = scheduler.saturationDetector
        flowControl = Self.flowController(of: store, scheduler, configuration, clock)
        let runtime = PoolRuntime(id: pool, endpoints: store, scheduler: scheduler, flowControl: flowControl)
        controller = RequestController(
            state: GatewayState(
                tables: [.standalone: RouteTable(everythingTo: pool)],
                pools: [runtime],
                objectives: [pool: ObjectiveTable(named: configuration.priorities)]
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
        if let time = configuration.shutDownAt { queue.schedule(.shutDown, at: now.advanced(by: time)) }
        store.onRoom { [weak flowControl] in flowControl?.poolChanged() }
        for client in 0..<configuration.workload.clientCount {
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
        takeWakes()
        setQueueAlarm()
        if let finding { throw violation(finding) }
        if let difference = check.difference(from: store) { throw violation(difference) }
        if check.openCount + queueCheck.count != runs.count {
            throw violation(
                "\(runs.count) requests have not ended, servers have \(check.openCount), \(queueCheck.count) wait"
            )
        }
        if let fault = queueFault { throw violation(fault) }
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
        stepsAtInstant = time == now ? stepsAtInstant + 1 : 0
        if stepsAtInstant > 100_000 { throw violation("time stands still: \(stepsAtInstant) steps at one instant") }
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
        case .scrapeAnswer(let answer, let life, let endpoint):
            takeAnswer(answer, life, endpoint)
        case .fault(let fault):
            unhandledFaults -= 1
            happen(fault)
        case .wake(let number, let wake):
            wakeUp(number, wake)
        case .queueAlarm:
            nextAlarm = nil
            flowControl?.poolChanged()
        case .shutDown:
            note(11, 0)
            flowControl?.shutDown()
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
