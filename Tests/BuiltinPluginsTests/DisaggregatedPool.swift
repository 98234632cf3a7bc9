import GatewayCore
import GatewayTesting
import Scheduling
import Synchronization
import Testing

@testable import BuiltinPlugins

/// Two workers for each role, a profile for each role that keeps its workers, and a profile handler over them.
struct DisaggregatedPool {
    let scheduler: Scheduler
    let candidates: Candidates
    /// Which profiles ran, and near to whom.
    let log: PeerLog
    private var context: SchedulingContext

    /// Makes a pool.
    ///
    /// - Parameters:
    ///   - type: the handler's type.
    ///   - parameters: the handler's parameters.
    ///   - profiles: the names of the profiles, whose workers have the label `role` of that name.
    ///   - picks: how many workers each profile picks.
    ///   - plugins: types and parameters of further plugins, which are made first and called by their type.
    ///   - tokens: what the token producer says of the prompt.
    ///   - matches: how many blocks of ten tokens the endpoint of each slot holds; `nil` when nobody says.
    init(
        _ type: String = "disagg-profile-handler",
        _ parameters: ConfigurationValue? = nil,
        profiles: [String] = ["decode", "prefill", "encode"],
        picks: Int = 1,
        plugins: [(type: String, parameters: ConfigurationValue?)] = [],
        tokens: PromptTokens? = nil,
        matches: [Int32]? = nil,
        request: InferenceRequest = .sample()
    ) throws {
        let registry = BuiltinCatalogue.registry()
        let log = PeerLog()
        var making = PluginContext(clock: SystemMonotonicClock())
        let data = TestData(tokens: tokens, matches: matches, context: &making)
        var instances: [PluginPipeline.Instance] = []
        for (type, parameters) in plugins + [(type, parameters)] {
            let decoder = ParameterDecoder(value: parameters, path: "parameters")
            let plugin = try registry.make(type: type, name: type, parameters: decoder, context: &making)
            instances.append(.init(name: type, type: type, plugin: plugin))
        }
        let handler = try #require(instances.last?.plugin as? any ProfileHandler)
        var made: [SchedulingProfile] = []
        for name in profiles {
            let value: ConfigurationValue = ["matchLabels": ["role": ConfigurationValue(.string(name))]]
            let filter = try make(LabelSelectorFilter.self, value, context: &making)
            let peer = PeerFilter(profile: name, log: log, context: &making)
            made.append(
                SchedulingProfile(
                    name: name,
                    filters: [NamedFilter(name: "peer", filter: peer), NamedFilter(name: "role", filter: filter)],
                    pickerName: "first",
                    picker: FirstPicker(count: picks)
                )
            )
        }
        scheduler = Scheduler(
            pipeline: PluginPipeline(
                plugins: instances,
                profiles: made,
                handler: handler,
                producers: [.init(name: "data", plugin: data)]
                    + instances.compactMap { instance in
                        (instance.plugin as? any DataProducer).map { .init(name: instance.name, plugin: $0) }
                    },
                slotCount: making.slotCount
            )
        )
        candidates = Candidates(
            ["decode", "prefill", "encode"].enumerated().flatMap { index, role in
                (0..<2).map { EndpointSnapshot.sample("\(role)-\($0)", slot: 2 * index + $0, labels: ["role": role]) }
            }
        )
        context = .sample(request, slotCount: making.slotCount)
        self.log = log
    }

    /// Schedules the request without the workers called `absent`, and tells the plugins.
    mutating func schedule(without absent: [String] = []) throws -> SchedulingDecision {
        var present = candidates
        present.keep { endpoint in !absent.contains { endpoint.id.name.hasPrefix($0) } }
        context.requestHeaders = HeaderMutation()
        let decision = try scheduler.schedule(&context, candidates: present)
        scheduler.willSend(decision, context: &context)
        return decision
    }

    /// What the plugins set and remove in the request's header, by name.
    var headers: [String: String?] {
        var fields: [String: String?] = [:]
        for name in context.requestHeaders.remove { fields.updateValue(nil, forKey: name) }
        for field in context.requestHeaders.set { fields[field.name] = field.value }
        return fields
    }
}

/// The profiles that ran, each with its peer.
final class PeerLog: Sendable {
    private let state = Mutex<[String]>([])

    var lines: [String] { state.withLock { $0 } }

    func append(_ line: String) { state.withLock { $0.append(line) } }
}

/// Removes nobody, and writes down which peer the profile sees.
private struct PeerFilter: Filter {
    static let descriptor = PluginDescriptor(type: "peer-filter", summary: "")

    private let profile: String
    private let log: PeerLog
    private let peer: DataReader<EndpointSnapshot>

    init(profile: String, log: PeerLog, context: inout PluginContext) {
        self.profile = profile
        self.log = log
        peer = context.consume(PeerEndpoint.key, requirement: .optional)
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        self.init(profile: "", log: PeerLog(), context: &context)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        log.append("\(profile) near \(context.scratch[peer]?.id.name ?? "nobody")")
    }
}

private struct FirstPicker: Picker {
    static let descriptor = PluginDescriptor(type: "first-picker", summary: "")

    var count = 1

    init(count: Int) { self.count = count }
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] {
        Array(0..<min(count, candidates.count))
    }
}

/// Writes what a test says of the prompt.
struct TestData: DataProducer {
    static let descriptor = PluginDescriptor(type: "test-data", summary: "")

    private let tokens: PromptTokens?
    private let matches: [Int32]?
    private let tokenWriter: DataWriter<PromptTokens>
    private let matchWriter: DataWriter<PrefixCacheMatches>

    init(tokens: PromptTokens?, matches: [Int32]?, producer: String? = nil, context: inout PluginContext) {
        self.tokens = tokens
        self.matches = matches
        tokenWriter = context.produce(PromptTokens.key, as: PromptTokens.key.defaultProducer)
        matchWriter = context.produce(PrefixCacheMatches.key, as: producer ?? PrefixCacheMatches.key.defaultProducer)
    }

    init(parameters: ParameterDecoder, context: inout PluginContext) {
        self.init(tokens: nil, matches: nil, context: &context)
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        context.scratch[tokenWriter] = tokens
        context.scratch[matchWriter] = matches.map {
            PrefixCacheMatches(hashes: Array(repeating: 7, count: 100), blockSizeTokens: 10, matchedBlocks: $0)
        }
    }
}
