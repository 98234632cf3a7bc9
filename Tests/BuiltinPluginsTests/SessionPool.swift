import GatewayCore
import GatewayTesting
import Scheduling
import Testing

@testable import BuiltinPlugins

/// A pool of three endpoints, `e0`, `e1` and `e2`, with session plugins and a test's own hand in what is picked.
struct SessionPool {
    let filter: SessionAffinityFilter?
    let scorer: SessionAffinityScorer?
    let scheduler: Scheduler
    var endpoints: [EndpointSnapshot] = (0..<3).map { .sample("e\($0)", slot: $0) }
    /// The seconds that the next request is at.
    var now = 0.0
    private var seed: UInt64 = 0

    /// Makes a pool.
    ///
    /// - Parameters:
    ///   - filter: the filter's parameters; without them there is no filter.
    ///   - scorer: the scorer's parameters; without them there is no scorer.
    ///   - others: further plugins, with their parameters.
    init(
        filter filterParameters: ConfigurationValue? = nil,
        scorer scorerParameters: ConfigurationValue? = nil,
        others: [(any DataProducer.Type, ConfigurationValue)] = []
    ) throws {
        var context = PluginContext(clock: ManualClock())
        var plugins: [any Plugin] = []
        for (type, parameters) in others { plugins.append(try produce(type, parameters, context: &context)) }
        var filters = [
            NamedFilter(name: "busy", filter: BusyFilter(parameters: ParameterDecoder(value: nil), context: &context))
        ]
        var scorers: [WeightedScorer] = []
        if let filterParameters {
            let plugin = try make(SessionAffinityFilter.self, filterParameters, context: &context)
            filters.append(NamedFilter(name: "session", filter: plugin))
            plugins.append(plugin)
            filter = plugin
        } else {
            filter = nil
        }
        if let scorerParameters {
            let plugin = try make(SessionAffinityScorer.self, scorerParameters, context: &context)
            scorers.append(WeightedScorer(name: "session", scorer: plugin))
            plugins.append(plugin)
            scorer = plugin
        } else {
            scorer = nil
        }
        let profile = SchedulingProfile(
            name: "default",
            filters: filters,
            scorers: scorers,
            pickerName: "max",
            picker: try make(MaxScorePicker.self, context: &context)
        )
        scheduler = Scheduler(
            pipeline: PluginPipeline(
                plugins: plugins.map { .init(name: type(of: $0).descriptor.type, type: "", plugin: $0) },
                profiles: [profile],
                handler: try make(SingleProfileHandler.self, context: &context),
                producers: plugins.compactMap { plugin in
                    (plugin as? any DataProducer).map { .init(name: "producer", plugin: $0) }
                },
                slotCount: context.slotCount
            )
        )
    }

    /// One decision, with the candidates of `among` or all endpoints.
    mutating func decide(
        _ headers: [(String, String)] = [],
        among names: [String]? = nil
    ) throws -> (decision: SchedulingDecision, context: SchedulingContext) {
        seed += 1
        var context = SchedulingContext(
            request: .with(headers: headers),
            now: MonotonicInstant(nanoseconds: Int64(now * 1e9)),
            scratch: RequestScratch(slotCount: scheduler.slotCount),
            random: RandomSource(seed: seed)
        )
        let decision = try decide(&context, among: names)
        return (decision, context)
    }

    /// Another decision for the same request, as for a retry.
    func decide(_ context: inout SchedulingContext, among names: [String]? = nil) throws -> SchedulingDecision {
        var candidates = Candidates(endpoints)
        if let names { candidates.keep { names.contains($0.id.name) } }
        return try scheduler.schedule(&context, candidates: candidates)
    }

    /// Sends one request where the plugins want it; `nil` when all endpoints are equal to them. `pick` overrules them.
    @discardableResult
    mutating func send(
        _ headers: [(String, String)] = [],
        among names: [String]? = nil,
        pick: Int? = nil
    ) throws -> String? {
        var (decision, context) = try decide(headers, among: names)
        let result = decision.primary
        var wanted: String?
        if filter != nil, result.candidates.count == 1, names?.count != 1 { wanted = decision.endpoint.id.name }
        if let best = result.scores.first(where: { $0.score > 0 }) { wanted = best.endpoint.id.name }
        if let pick {
            let other = ProfileResult(
                profile: result.profile,
                endpoints: [endpoints[pick]],
                candidates: result.candidates
            )
            decision = SchedulingDecision(primary: other)
        }
        scheduler.willSend(decision, context: &context)
        return wanted
    }
}

/// Removes the endpoints with the label `busy`.
private struct BusyFilter: Filter {
    static let descriptor = PluginDescriptor(type: "busy-filter", summary: "Removes endpoints with a label.")

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        candidates.keep { $0.labels["busy"] == nil }
    }
}

private func produce(
    _ type: any DataProducer.Type,
    _ parameters: ConfigurationValue,
    context: inout PluginContext
) throws -> any Plugin {
    try BuiltinCatalogue.registry().make(
        type: type.descriptor.type,
        name: type.descriptor.type,
        parameters: ParameterDecoder(value: parameters),
        context: &context
    )
}
