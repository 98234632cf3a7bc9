import BuiltinPlugins
import DataLayer
import FlowControl
import GatewayConfiguration
import GatewayCore
import RequestControl
import Scheduling
import Synchronization
import Telemetry

/// What one request costs in a queue that stays as long as it is: one comes, one goes, and the one that went ends.
protocol QueueLoad: AnyObject {
    /// Lets `count` requests come and as many go.
    func serve(_ count: Int)
}

/// The configuration of a queue of `policy`.
struct QueueSettings {
    let flowControl: FlowControlSettings
    let detector: any SaturationDetector

    init(policy: String, detector: String = "utilization-detector") throws {
        let text = """
            apiVersion: llm-d.ai/v1alpha1
            kind: EndpointPickerConfig
            featureGates: [flowControl]
            plugins:
            - {name: fairness, type: \(policy)}
            - {name: detector, type: \(detector)}
            flowControl:
              saturationDetector: {pluginRef: detector}
              defaultPriorityBand: {maxRequests: 1000000, fairnessPolicyRef: fairness}
            """
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry(), allowsExperimental: true)
        let configuration = try EndpointPickerConfiguration.decode(text: text, file: "benchmark")
        let pipeline = try builder.build(configuration, context: PluginContext(clock: SystemMonotonicClock()))
        let scheduler = Scheduler(pipeline: pipeline)
        guard let settings = scheduler.flowControl, let detector = scheduler.saturationDetector else {
            fatalError("the configuration has no flow control")
        }
        flowControl = settings
        self.detector = detector
    }
}

/// One request of each of a number of flows, with a prompt of 100 to 2,000 tokens.
func requestsOfFlows(_ flows: Int) -> [InferenceRequest] {
    var random = RandomSource(seed: 42)
    return (0..<flows).map { number in
        InferenceRequest(
            id: "request-\(number)",
            model: "llama",
            fairnessID: "tenant-\(number)",
            inputTokens: Int.random(in: 100...2_000, using: &random)
        )
    }
}

/// The bare engine.
final class EngineLoad: QueueLoad {
    private var engine: FlowEngine
    private let requests: [InferenceRequest]
    private var number = 0
    private var now = MonotonicInstant(nanoseconds: 1_000_000_000)

    init(policy: String, queued: Int, flows: Int) throws {
        engine = FlowEngine(settings: try QueueSettings(policy: policy).flowControl)
        requests = requestsOfFlows(flows)
        for _ in 0..<queued { enqueue() }
    }

    func serve(_ count: Int) {
        for _ in 0..<count {
            enqueue()
            guard case .end(let id, .dispatched) = engine.next(at: now, room: Self.room),
                let grant = engine.settled(id)
            else { fatalError("nobody went") }
            let usage = TokenUsage(promptTokens: 1_000, completionTokens: 100, cachedTokens: 0)
            _ = engine.ended(grant, running: nil, usage: usage, at: now)
        }
    }

    private static func room(_: RequestConstraint, _: PendingLoad) -> PoolRoom {
        PoolRoom(isEmpty: false, saturation: 0.5)
    }

    private func enqueue() {
        let request = requests[number % requests.count]
        number += 1
        now = now.advanced(by: .microseconds(10))
        let queued = QueuedRequest(
            request: request,
            byteCount: 4_000,
            enqueuedAt: now,
            deadline: nil,
            uncachedTokens: request.inputTokens
        )
        guard case .waits = engine.enqueue(queued, constraint: .none, at: now, room: { Self.room(.none, .none) }) else {
            fatalError("a request was refused")
        }
    }
}

/// The engine with its lock, tickets and metrics.
final class ControllerLoad: QueueLoad {
    /// A pool that has room for as many requests as are let in.
    private final class Gate: PoolRoomSource {
        let places = Atomic<Int>(0)

        func room(for constraint: RequestConstraint, adding pending: PendingLoad, at now: MonotonicInstant) -> PoolRoom
        {
            let isFull = pending.requests >= Double(places.load(ordering: .relaxed))
            return PoolRoom(isEmpty: false, saturation: isFull ? 1 : 0.5)
        }

        func nextChange(after now: MonotonicInstant) -> MonotonicInstant? { nil }
    }

    /// Whose turn has come, by their places in the list of tickets.
    private final class Turns: Sendable {
        private let places = Mutex<[Int]>([])

        func add(_ place: Int) { places.withLock { $0.append(place) } }

        func take() -> Int? { places.withLock { $0.popLast() } }
    }

    private let controller: FlowController
    private let gate = Gate()
    private let requests: [InferenceRequest]
    private var tickets: [AdmissionTicket?] = []
    private var number = 0
    private let went = Turns()

    init(policy: String, queued: Int, flows: Int) throws {
        let metrics = try FlowControlMetrics(registry: MetricRegistry())
        controller = FlowController(
            settings: try QueueSettings(policy: policy).flowControl,
            rooms: gate,
            evictionGrace: .milliseconds(10),
            clock: SystemMonotonicClock(),
            timer: nil,
            meter: FlowMeter(metrics: metrics, pool: PoolID(name: "pool"))
        )
        requests = requestsOfFlows(flows)
        tickets = Array(repeating: nil, count: queued * 4)
        for _ in 0..<queued { submit() }
    }

    func serve(_ count: Int) {
        for _ in 0..<count {
            submit()
            gate.places.store(1, ordering: .relaxed)
            controller.poolChanged()
            gate.places.store(0, ordering: .relaxed)
            guard let place = went.take(), let ticket = tickets[place] else {
                fatalError("nobody went")
            }
            ticket.began(RunningRequest(priority: 0, fairnessID: "", dispatchedAt: MonotonicInstant(nanoseconds: 0))) {}
            ticket.close(usage: TokenUsage(promptTokens: 1_000, completionTokens: 100, cachedTokens: 0))
            tickets[place] = nil
            free.append(place)
        }
    }

    private var free: [Int] = []
    private var used = 0

    private func submit() {
        let request = requests[number % requests.count]
        number += 1
        var place = used
        if let known = free.popLast() { place = known } else { used += 1 }
        tickets[place] = controller.submit(request, uncachedTokens: request.inputTokens, constraint: .none) {
            [went, place] in went.add(place)
        }
    }
}

/// Requests that find room at once, in a pool of real endpoints.
final class PassingLoad: QueueLoad {
    private let controller: FlowController
    private let requests: [InferenceRequest]
    private let store: EndpointStore
    private var number = 0

    init(endpoints: Int, detector: String) throws {
        let clock = SystemMonotonicClock()
        let registry = MetricRegistry()
        let pool = PoolID(name: "pool")
        let settings = try QueueSettings(policy: "global-strict-fairness-policy", detector: detector)
        let store = EndpointStore(pool: pool, clock: clock)
        store.replaceEndpoints(
            (0..<endpoints).map { number in
                EndpointDescription(
                    id: EndpointID(name: "engine-\(number)"),
                    address: EndpointAddress(host: "10.0.\(number / 250).\(number % 250 + 1)", port: 8_000),
                    labels: ["app": "llama"]
                )
            }
        )
        let told = EndpointMetrics(
            waitingQueueSize: 1,
            runningRequests: 32,
            kvCacheUsage: 0.4,
            cacheBlockSizeTokens: 16,
            cacheBlockCount: 20_000
        )
        // Far enough ahead to be fresh however long the run takes.
        let later = clock.now.advanced(by: .seconds(3_600))
        for snapshot in store.current.endpoints {
            store.record(metrics: told, for: EndpointLife(snapshot), at: later)
        }
        controller = FlowController(
            settings: settings.flowControl,
            rooms: PoolRooms(endpoints: store, detector: settings.detector),
            evictionGrace: .milliseconds(10),
            clock: clock,
            timer: nil,
            meter: FlowMeter(metrics: try FlowControlMetrics(registry: registry), pool: pool)
        )
        self.store = store
        requests = requestsOfFlows(100)
    }

    func serve(_ count: Int) {
        for _ in 0..<count {
            let request = requests[number % requests.count]
            number += 1
            let ticket = controller.submit(request, uncachedTokens: request.inputTokens, constraint: .none) {}
            guard ticket.decision?.outcome == .dispatched else { fatalError("a request waits") }
            ticket.began(RunningRequest(priority: 0, fairnessID: "", dispatchedAt: MonotonicInstant(nanoseconds: 0))) {}
            ticket.close(usage: nil)
        }
    }
}
