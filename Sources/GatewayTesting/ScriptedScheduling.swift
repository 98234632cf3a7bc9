package import GatewayCore
package import Scheduling
import Synchronization

/// What the plugins of a ``GatewayFixture`` are told of attempts, in order. Safe from any thread.
package final class AttemptLog: Sendable {
    /// One attempt that ended.
    package struct Ended: Hashable, Sendable {
        /// The endpoint's name.
        package let endpoint: String
        /// How it ended.
        package let outcome: RequestOutcome
    }

    private struct State {
        var sent: [String] = []
        var ended: [Ended] = []
    }

    private let state = Mutex(State())

    init() {}

    /// The endpoints of the attempts that were about to be sent.
    package var sent: [String] { state.withLock { $0.sent } }

    /// The attempts that ended.
    package var ended: [Ended] { state.withLock { $0.ended } }

    fileprivate func noteSent(_ endpoint: String) { state.withLock { $0.sent.append(endpoint) } }

    fileprivate func noteEnded(_ ended: Ended) { state.withLock { $0.ended.append(ended) } }
}

extension Scheduler {
    /// A scheduler with one profile that takes the first candidate which the filters leave, and `plugins` beside it. A
    /// filter that is also told of responses, or of anything else, is told.
    package static func firstCandidate(
        filters: [any Filter] = [],
        detector: (any SaturationDetector)? = nil,
        flowControl: FlowControlSettings? = nil,
        plugins: [any Plugin] = [],
        log: AttemptLog
    ) -> Scheduler {
        let profile = SchedulingProfile(
            name: "default",
            filters: filters.enumerated().map { NamedFilter(name: "filter-\($0)", filter: $1) },
            pickerName: "first",
            picker: FirstPicker()
        )
        let others = (filters as [any Plugin]) + plugins
        return Scheduler(
            pipeline: PluginPipeline(
                plugins: ([AttemptObserver(log: log)] + others).enumerated().map { index, plugin in
                    .init(name: "plugin-\(index)", type: type(of: plugin).descriptor.type, plugin: plugin)
                },
                profiles: [profile],
                handler: OneProfile(),
                producers: [],
                slotCount: 0,
                saturationDetector: detector,
                flowControl: flowControl,
                bodyParsers: plugins.compactMap { $0 as? any BodyParser }
            )
        )
    }
}

/// Reports the tokens of a response, `prompt` and `completion` in the namespace `envoy.lb` and `cached` in `other`.
package struct TokenReporter: ResponseReporter {
    /// What the type is called.
    package static let descriptor = PluginDescriptor(
        type: "token-reporter", summary: "Reports the tokens of a response.")

    package init() {}
    package init(parameters: ParameterDecoder, context: inout PluginContext) {}

    /// Three numbers, zeros among them.
    package func report(_ usage: TokenUsage, of request: InferenceRequest) -> [ReportedNumber] {
        [
            ReportedNumber(namespace: "envoy.lb", name: "prompt", value: usage.promptTokens),
            ReportedNumber(namespace: "other", name: "cached", value: usage.cachedTokens),
            ReportedNumber(namespace: "envoy.lb", name: "completion", value: usage.completionTokens),
        ]
    }
}

/// Takes the first candidate.
private struct FirstPicker: Picker {
    static let descriptor = PluginDescriptor(type: "first-picker", summary: "Takes the first candidate.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func pick(_ candidates: Candidates, scores: Span<Double>, context: inout SchedulingContext) -> [Int] { [0] }
}

/// Runs the only profile once.
private struct OneProfile: ProfileHandler {
    static let descriptor = PluginDescriptor(type: "one-profile", summary: "Runs the only profile once.")

    init() {}
    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func nextProfiles(_ profiles: [String], progress: [ProfileProgress], context: inout SchedulingContext) -> [Int] {
        progress[0].hasRun ? [] : [0]
    }

    func decide(
        _ profiles: [String],
        progress: [ProfileProgress],
        context: inout SchedulingContext
    ) throws(Rejection) -> SchedulingDecision {
        guard let result = progress[0].result else {
            throw Rejection(.saturated, "no endpoints available for the given request")
        }
        return SchedulingDecision(primary: result)
    }
}

/// Writes down what it is told.
private struct AttemptObserver: PreRequest, ResponseObserver {
    static let descriptor = PluginDescriptor(type: "attempt-observer", summary: "Writes down what it is told.")

    private let log: AttemptLog

    init(log: AttemptLog) { self.log = log }
    init(parameters: ParameterDecoder, context: inout PluginContext) { log = AttemptLog() }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        log.noteSent(decision.endpoint.id.name)
    }

    func didEnd(_ request: InferenceRequest, endpoint: EndpointSnapshot, outcome: RequestOutcome, usage: TokenUsage?) {
        log.noteEnded(AttemptLog.Ended(endpoint: endpoint.id.name, outcome: outcome))
    }
}
