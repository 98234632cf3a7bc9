public import GatewayCore

/// Checks that a plugin type keeps the promises of the extension points that it conforms to.
///
/// Every plugin, built-in or not, should pass:
///
/// ```swift
/// @Test func mineConforms() {
///     var registry = PluginRegistry()
///     registry.register(MyScorer.self)
///     #expect(PluginConformance(registry: registry, type: "my-scorer").violations() == [])
/// }
/// ```
///
/// The plugin is run on no, one and many candidates with usual and with impossible metrics, so a trap shows as a crash
/// of the test. A parser is given bodies of random bytes, and beginnings of those that it is known to read. Policies of
/// flow control are asked about few and many flows and priorities, usual and absurd ones.
public struct PluginConformance: Sendable {
    private let registry: PluginRegistry
    private let type: String
    private let parameters: ConfigurationValue?
    private let companions: [String]
    /// The names of the profiles that a profile handler is run with.
    let profiles: [String]
    /// Bodies that a parser must read.
    let bodies: [[UInt8]]

    /// Checks a plugin type.
    ///
    /// - Parameters:
    ///   - registry: where the type is registered.
    ///   - type: the type's name.
    ///   - parameters: what an instance is made from.
    ///   - companions: types of which an instance is made first, under the type's name, because the parameters refer to
    ///     it.
    ///   - profiles: the names of the profiles that a profile handler is run with, at least one.
    ///   - bodies: bodies that a ``GatewayCore/BodyParser`` must read. Without one its format is hardly tried.
    public init(
        registry: PluginRegistry,
        type: String,
        parameters: ConfigurationValue? = nil,
        companions: [String] = [],
        profiles: [String] = ["default"],
        bodies: [[UInt8]] = []
    ) {
        precondition(!profiles.isEmpty, "a pipeline has at least one profile")
        self.registry = registry
        self.type = type
        self.parameters = parameters
        self.companions = companions
        self.profiles = profiles
        self.bodies = bodies
    }

    /// What the plugin does against its contract, one sentence each; empty when it conforms.
    public func violations() -> [String] {
        var found = unknownParameterViolations()
        let subject: Subject
        do {
            subject = try make()
        } catch {
            return found + ["it cannot be made from \(parameters?.description ?? "no parameters"): \(error)"]
        }
        if let parser = subject.plugin as? any BodyParser { found += check(parser) }
        found += checkFlowControl(subject.plugin)
        for count in [0, 1, 2, 7, 100] {
            for seed: UInt64 in 1...3 {
                found += check(subject, usual(count, seed: seed), seed: seed, isUsual: true)
                found += check(subject, impossible(count, seed: seed), seed: seed, isUsual: false)
            }
        }
        return found
    }

    // MARK: - Making

    private struct Subject {
        let plugin: any Plugin
        let slotCount: Int
    }

    private func makingContext() throws -> PluginContext {
        var context = PluginContext(clock: SystemMonotonicClock())
        for type in companions {
            _ = try registry.make(
                type: type,
                name: type,
                parameters: ParameterDecoder(value: nil, path: "parameters"),
                context: &context
            )
        }
        return context
    }

    private func make() throws -> Subject {
        var context = try makingContext()
        let plugin = try registry.make(
            type: type,
            name: "under-test",
            parameters: ParameterDecoder(value: parameters, path: "parameters"),
            context: &context
        )
        return Subject(plugin: plugin, slotCount: context.slotCount)
    }

    private func unknownParameterViolations() -> [String] {
        var members: [ConfigurationValue.Member] = []
        if case .object(let own) = parameters?.content { members = own }
        members.append(.init(key: "noSuchParameter", keyPosition: .builtin, value: true))
        let decoder = ParameterDecoder(value: ConfigurationValue(.object(members)), path: "parameters")
        do {
            var context = try makingContext()
            _ = try registry.make(type: type, name: "under-test", parameters: decoder, context: &context)
        } catch {
            return "\(error)".contains("noSuchParameter") ? [] : ["it hides its unknown parameter: \(error)"]
        }
        return ["it accepts the unknown parameter 'noSuchParameter'"]
    }

    // MARK: - Inputs

    private func usual(_ count: Int, seed: UInt64) -> Candidates {
        var random = RandomSource(seed: seed)
        return .sample(
            (0..<count).map { _ in
                EndpointMetrics(
                    waitingQueueSize: .random(in: 0...50, using: &random),
                    runningRequests: .random(in: 0...50, using: &random),
                    kvCacheUsage: random.unit(),
                    activeModels: Bool.random(using: &random) ? ["model"] : [],
                    waitingModels: Bool.random(using: &random) ? ["model", "other"] : [],
                    maxActiveModels: .random(in: 0...4, using: &random),
                    cacheBlockSizeTokens: 16,
                    cacheBlockCount: 2048
                )
            }
        )
    }

    /// Metrics that no engine should send and that a metrics page can nevertheless hold.
    private func impossible(_ count: Int, seed: UInt64) -> Candidates {
        var random = RandomSource(seed: seed)
        let integers = [Int.min, -1, 0, 1, Int.max]
        let shares: [Double] = [-1, 0, 2, .infinity, -.infinity, .nan]
        return .sample(
            (0..<count).map { _ in
                EndpointMetrics(
                    waitingQueueSize: integers.randomElement(using: &random) ?? 0,
                    runningRequests: integers.randomElement(using: &random) ?? 0,
                    kvCacheUsage: shares.randomElement(using: &random) ?? 0,
                    activeModels: [""],
                    maxActiveModels: integers.randomElement(using: &random) ?? 0,
                    cacheBlockSizeTokens: integers.randomElement(using: &random) ?? 0,
                    cacheBlockCount: integers.randomElement(using: &random) ?? 0
                )
            }
        )
    }

    private func context(_ subject: Subject, seed: UInt64) -> SchedulingContext {
        let prompt = String(repeating: "a prompt of some length ", count: Int(seed) * 40)
        return .sample(.sample(prompt: prompt), slotCount: subject.slotCount, seed: seed)
    }

    // MARK: - Checks

    private func check(_ subject: Subject, _ candidates: Candidates, seed: UInt64, isUsual: Bool) -> [String] {
        let plugin = subject.plugin
        let fresh = context(subject, seed: seed)
        var found: [String] = []
        if let producer = plugin as? any DataProducer {
            var context = fresh
            producer.produce(for: candidates, context: &context)
        }
        if let filter = plugin as? any Filter {
            found += checkNarrowing("filter", candidates, fresh) { filter.filter(&$0, context: &$1) }
            _ = filter.rule(in: fresh)
        }
        if let screener = plugin as? any Screener {
            found += checkNarrowing("screener", candidates, fresh) { screener.screen(&$0, context: &$1) }
            _ = screener.rule(in: fresh)
        }
        if let scorer = plugin as? any Scorer { found += check(scorer, candidates, fresh, isUsual: isUsual) }
        if let detector = plugin as? any SaturationDetector { found += check(detector, candidates, fresh) }
        if !candidates.isEmpty {
            if let picker = plugin as? any Picker { found += check(picker, candidates, fresh) }
            if let handler = plugin as? any ProfileHandler { found += check(handler, candidates, fresh) }
            if let admitter = plugin as? any Admitter { found += check(admitter, candidates, fresh) }
            found += notify(plugin, candidates, fresh)
            if let reporter = plugin as? any ResponseReporter { found += check(reporter, fresh) }
        }
        return found.map { "\($0) (\(candidates.count) candidates, seed \(seed))" }
    }

    /// Checks a filter or a screener, which is called `role`.
    private func checkNarrowing(
        _ role: String,
        _ candidates: Candidates,
        _ fresh: SchedulingContext,
        narrow: (inout Candidates, inout SchedulingContext) -> Void
    ) -> [String] {
        var (first, second) = (candidates, candidates)
        var (firstContext, secondContext) = (fresh, fresh)
        narrow(&first, &firstContext)
        narrow(&second, &secondContext)
        var found: [String] = []
        if !Set(first.positions).isSubset(of: candidates.positions) || first.all.count != candidates.all.count {
            found.append("the \(role) adds candidates")
        }
        if first.positions != second.positions { found.append("the \(role) is not deterministic for a seed") }
        return found
    }

    private func check(
        _ scorer: any Scorer,
        _ candidates: Candidates,
        _ fresh: SchedulingContext,
        isUsual: Bool
    ) -> [String] {
        let first = scores(scorer, candidates, fresh)
        let second = scores(scorer, candidates, fresh)
        var found: [String] = []
        // By bit pattern, so that NaN equals itself.
        if first.map(\.bitPattern) != second.map(\.bitPattern) { found.append("the scorer is not deterministic") }
        if isUsual, let bad = first.first(where: { !(0...1).contains($0) }) {
            found.append("the scorer gives \(bad), which is not in 0 ... 1")
        }
        return found
    }

    private func scores(_ scorer: any Scorer, _ candidates: Candidates, _ context: SchedulingContext) -> [Double] {
        var scores = [Double](repeating: 0, count: candidates.count)
        var span = scores.mutableSpan
        scorer.score(candidates, context: context, into: &span)
        return scores
    }

    private func check(
        _ detector: any SaturationDetector,
        _ candidates: Candidates,
        _ fresh: SchedulingContext
    ) -> [String] {
        let saturation = detector.saturation(of: candidates, now: fresh.now)
        if candidates.isEmpty, saturation != 1 { return ["the detector says \(saturation) of no endpoint, not 1"] }
        let found = saturation >= 0 ? [] : ["the detector says \(saturation), which is not 0 or more"]
        return found + candidates.all.flatMap { checkFullness(detector, $0) }
    }

    private func check(_ admitter: any Admitter, _ candidates: Candidates, _ fresh: SchedulingContext) -> [String] {
        let outcomes = (0..<2).map { _ -> Rejection? in
            var context = fresh
            do throws(Rejection) {
                try admitter.admit(candidates, context: &context)
                return nil
            } catch {
                return error
            }
        }
        return outcomes[0] == outcomes[1] ? [] : ["the admitter is not deterministic for a seed"]
    }

    private func check(_ picker: any Picker, _ candidates: Candidates, _ fresh: SchedulingContext) -> [String] {
        var found: [String] = []
        var random = fresh.random
        let spread = (0..<candidates.count).map { _ in random.unit() }
        let oddScores: [Double] = [0, -1, 1e300, 1e-300, .infinity, .nan]
        let odd = (0..<candidates.count).map { oddScores[$0 % oddScores.count] }
        for scores in [spread, odd, spread.map { _ in 0 }] {
            var (first, second) = (fresh, fresh)
            let picks = picker.pick(candidates, scores: scores.span, context: &first)
            if picks != picker.pick(candidates, scores: scores.span, context: &second) {
                found.append("the picker is not deterministic for a seed")
            }
            if picks.isEmpty { found.append("the picker picks nobody") }
            if Set(picks).count != picks.count { found.append("the picker picks a candidate twice") }
            if let bad = picks.first(where: { !(0..<candidates.count).contains($0) }) {
                found.append("the picker picks candidate \(bad), which does not exist")
            }
        }
        return found
    }

    private func check(_ reporter: any ResponseReporter, _ fresh: SchedulingContext) -> [String] {
        for count in [0, 1, 1_000, .max, .min] {
            let usage = TokenUsage(promptTokens: count, completionTokens: count, cachedTokens: count)
            if reporter.report(usage, of: fresh.request) != reporter.report(usage, of: fresh.request) {
                return ["the reporter is not deterministic"]
            }
        }
        return []
    }

    private func check(
        _ producer: any PrefixCacheProducer,
        _ context: SchedulingContext,
        on endpoint: EndpointSnapshot
    ) -> [String] {
        _ = producer.holdsPrefix(of: context, on: endpoint)
        var found: [String] = []
        let total = producer.lookedUpTokens(of: context)
        if total < 0 { found.append("looked up \(total) tokens") }
        if total > 0, !(0...total).contains(producer.cachedTokens(of: context, on: endpoint)) {
            found.append("more tokens are held than were looked up")
        }
        if let blocks = producer.rememberedBlocks, blocks < 0 { found.append("remembers \(blocks) blocks") }
        return found
    }

    private func notify(_ plugin: any Plugin, _ candidates: Candidates, _ fresh: SchedulingContext) -> [String] {
        var found: [String] = []
        var context = fresh
        let endpoint = candidates[candidates.count - 1]
        if let producer = plugin as? any DataProducer { producer.produce(for: candidates, context: &context) }
        if let producer = plugin as? any PrefixCacheProducer { found += check(producer, context, on: endpoint) }
        if let producer = plugin as? any MediaCacheProducer {
            let lookUps = producer.lookUps(of: context, on: endpoint)
            if lookUps.contains(where: \.modality.isEmpty) { found.append("the modality of a medium is empty") }
        }
        if let preRequest = plugin as? any PreRequest {
            let results = profiles.map { ProfileResult(profile: $0, endpoints: [endpoint]) }
            for helpers in [[], Array(results.dropFirst())] {
                context.requestHeaders = HeaderMutation()
                preRequest.willSend(SchedulingDecision(primary: results[0], secondary: helpers), context: &context)
                found += check(context.requestHeaders)
            }
        }
        found += checkEdges(plugin, endpoint, context)
        if let observer = plugin as? any ResponseObserver {
            for outcome in RequestOutcome.allCases {
                observer.didEnd(fresh.request, endpoint: endpoint, outcome: outcome, usage: nil)
            }
        }
        if let observer = plugin as? any ServiceObserver { serve(observer, endpoint) }
        if let observer = plugin as? any EndpointObserver { observer.endpointDidLeave(endpoint) }
        return found
    }

    /// Finds names that are both set and removed: which of the two counts is not the same at every front door.
    private func check(_ headers: HeaderMutation) -> [String] {
        (headers.set + headers.add).map(\.name)
            .filter { name in headers.remove.contains { $0.equalsIgnoringASCIICase(name) } }
            .map { "it both sets and removes the header '\($0)'" }
    }
}
