import GatewayCore
import Scheduling
import Synchronization
import Telemetry

/// Scores with what a closure says for each candidate's position.
struct ClosureScorer: Scorer {
    static let descriptor = PluginDescriptor(type: "closure-scorer", summary: "")
    var score: @Sendable (EndpointSnapshot) -> Double = { _ in 0 }

    init(_ score: @escaping @Sendable (EndpointSnapshot) -> Double) { self.score = score }
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        for index in scores.indices { scores[index] = score(candidates[index]) }
    }
}

/// Writes nothing, so it must find zeros and leave the sums as they are.
struct SilentScorer: Scorer {
    static let descriptor = PluginDescriptor(type: "silent-scorer", summary: "")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {}
}

/// Keeps the endpoints whose names it was given.
struct NameFilter: Filter {
    static let descriptor = PluginDescriptor(type: "name-filter", summary: "Keeps endpoints by name.")
    var names: Set<String> = []
    var calls = CallLog()

    init(_ names: Set<String>, log: CallLog = CallLog()) {
        self.names = names
        calls = log
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        calls.append("filter \(names.sorted())")
        candidates.keep { names.contains($0.id.name) }
    }
}

/// Picks what a closure says; without one the first of the highest scores.
struct ClosurePicker: Picker {
    static let descriptor = PluginDescriptor(type: "closure-picker", summary: "")
    var picks: (@Sendable (Int) -> [Int])?

    init(_ picks: (@Sendable (Int) -> [Int])? = nil) { self.picks = picks }
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        if let picks { return picks(candidates.count) }
        var best = 0
        for index in scores.indices where scores[index] > scores[best] { best = index }
        return [best]
    }
}

/// Runs what a closure says and takes the first result.
struct ClosureHandler: ProfileHandler {
    static let descriptor = PluginDescriptor(type: "closure-handler", summary: "")
    var next: @Sendable ([ProfileProgress]) -> [Int] = { _ in [] }

    init(_ next: @escaping @Sendable ([ProfileProgress]) -> [Int]) { self.next = next }
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    /// Runs every profile once, all in the first round.
    static let all = ClosureHandler { progress in progress.indices.filter { !progress[$0].hasRun } }

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        next(progress)
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        let results = progress.compactMap(\.result)
        guard let primary = results.first else {
            throw Rejection(.saturated, "no endpoints available for the given request")
        }
        return SchedulingDecision(primary: primary, secondary: Array(results.dropFirst()))
    }
}

/// What was called, in order.
final class CallLog: Sendable {
    private let entries = Mutex<[String]>([])

    func append(_ entry: String) { entries.withLock { $0.append(entry) } }

    var all: [String] { entries.withLock { $0 } }
}

/// Acts in every place that has no result and logs it.
struct LoggingPlugin: DataProducer, PreRequest, ResponseObserver, EndpointObserver {
    static let descriptor = PluginDescriptor(type: "logging-plugin", summary: "")
    let name: String
    var log = CallLog()

    init(_ name: String, log: CallLog) {
        self.name = name
        self.log = log
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) { name = context.pluginName }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        log.append("\(name) produce \(candidates.count)")
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        log.append("\(name) send \(decision.endpoint.id)")
    }

    func didEnd(_ request: InferenceRequest, endpoint: EndpointSnapshot, outcome: RequestOutcome, usage: TokenUsage?) {
        log.append("\(name) end \(endpoint.id) \(outcome)")
    }

    func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        log.append("\(name) left \(endpoint.id)")
    }
}

/// A scheduler of the parts that a test names.
func makeScheduler(
    _ profiles: [SchedulingProfile],
    handler: any ProfileHandler = ClosureHandler.all,
    plugins: [any Plugin] = [],
    detector: (any SaturationDetector)? = nil,
    metrics: SchedulingMetrics? = nil
) -> Scheduler {
    Scheduler(
        pipeline: PluginPipeline(
            plugins: plugins.enumerated().map { .init(name: "p\($0)", type: "test", plugin: $1) },
            profiles: profiles,
            handler: handler,
            producers: plugins.compactMap { plugin in
                (plugin as? any DataProducer).map { .init(name: type(of: plugin).descriptor.type, plugin: $0) }
            },
            slotCount: 0,
            saturationDetector: detector
        ),
        metrics: metrics
    )
}

/// A profile of the parts that a test names.
func makeProfile(
    _ name: String = "default",
    filters: [any Filter] = [],
    scorers: [(weight: Double, scorer: any Scorer)] = [],
    picker: any Picker = ClosurePicker()
) -> SchedulingProfile {
    SchedulingProfile(
        name: name,
        filters: filters.enumerated().map { NamedFilter(name: "f\($0)", filter: $1) },
        scorers: scorers.enumerated().map { WeightedScorer(name: "s\($0)", weight: $1.weight, scorer: $1.scorer) },
        pickerName: "picker",
        picker: picker
    )
}
