import GatewayCore

/// The state of one build: the plugins made so far and everything that is wrong.
///
/// The configuration has its defaults applied, so every reference in it resolves.
struct PipelineAssembly {
    let registry: PluginRegistry
    let configuration: EndpointPickerConfiguration
    private(set) var context: PluginContext
    private(set) var instances: [PluginPipeline.Instance] = []
    private(set) var warnings: [ConfigurationProblem] = []
    var problems = ProblemList()

    init(registry: PluginRegistry, configuration: EndpointPickerConfiguration, context: PluginContext) {
        self.registry = registry
        self.configuration = configuration
        self.context = context
    }

    // MARK: - Places

    /// The configuration as a whole.
    var wholeConfiguration: Place { Place(position: configuration.position, path: "") }

    /// Where the plugin called `name` is configured; the whole configuration for one that a default made.
    func place(ofPlugin name: String) -> Place {
        guard let plugin = configuration.plugins.first(where: { $0.name == name }), plugin.position != .builtin else {
            return wholeConfiguration
        }
        return Place(position: plugin.position, path: plugin.path)
    }

    mutating func warn(_ message: String, at place: Place) {
        warnings.append(ConfigurationProblem(position: place.position, path: place.path, message: message))
    }

    // MARK: - Plugins

    /// Makes the plugins of the configuration, each behind those that it refers to, and keeps them in the order of the
    /// configuration. Those that are not `listed` are marked as implicit.
    mutating func makePlugins(listed: Set<String>) {
        for plugin in configuration.plugins.orderedByReference(registry: registry, problems: &problems) {
            make(plugin.type, name: plugin.name, plugin.parameters, isImplicit: !listed.contains(plugin.name))
        }
        let places = Dictionary(configuration.plugins.enumerated().map { ($1.name, $0) }) { first, _ in first }
        instances.sort { places[$0.name, default: .max] < places[$1.name, default: .max] }
    }

    private mutating func make(_ type: String, name: String, _ parameters: ConfigurationValue?, isImplicit: Bool) {
        let place = place(ofPlugin: name)
        let path = place.path.isEmpty ? name : place.path
        let decoder = ParameterDecoder(value: parameters, path: "\(path).parameters", position: place.position)
        do {
            let plugin = try registry.make(type: type, name: name, parameters: decoder, context: &context)
            instances.append(.init(name: name, type: type, isImplicit: isImplicit, plugin: plugin))
            if let advice = registry[type]?.descriptor.deprecation {
                warn("plugin type '\(type)' is deprecated: \(advice)", at: place)
            }
            warnings += decoder.warnings
        } catch let error as ConfigurationError {
            problems.add(error)
        } catch {
            problems.report("plugin '\(name)' cannot be made: \(error)", at: place)
        }
    }

    func instance(_ name: String) -> PluginPipeline.Instance? {
        instances.first { $0.name == name }
    }

    /// The endpoint source that the configuration refers to; warns of those that it only lists.
    mutating func endpointSource() -> (any EndpointSource)? {
        let name = configuration.dataLayer.discovery?.name
        for instance in instances where instance.name != name && instance.plugin is any EndpointSource {
            let message = "has no effect: dataLayer.discovery.pluginRef does not name '\(instance.name)'"
            warn(message, at: place(ofPlugin: instance.name))
        }
        return name.flatMap { instance($0)?.plugin as? any EndpointSource }
    }

    /// What reads formats of others, as `requestHandler.parsers` lists it; each once.
    var bodyParsers: [any BodyParser] {
        var seen: Set<String> = []
        return configuration.parsers.compactMap { reference in
            seen.insert(reference.name).inserted ? instance(reference.name)?.plugin as? any BodyParser : nil
        }
    }

    /// The profile handler, which may object to the profiles.
    mutating func profileHandler() -> (any ProfileHandler)? {
        for instance in instances {
            guard let handler = instance.plugin as? any ProfileHandler else { continue }
            let place = place(ofPlugin: instance.name)
            for objection in handler.objections(to: configuration.schedulingProfiles.map(\.name)) {
                switch objection {
                case .error(let message): problems.report(message, at: place)
                case .warning(let message): warn(message, at: place)
                }
            }
            return handler
        }
        problems.report("no profile handler configured", at: wholeConfiguration)
        return nil
    }

    // MARK: - Profiles

    /// Weights beyond this are refused, so that no sum of scores can overflow.
    private static let maxWeight = 1e9

    /// Puts the profiles together.
    mutating func makeProfiles() -> [SchedulingProfile] {
        var used: Set<String> = []
        let profiles = configuration.schedulingProfiles.compactMap { makeProfile($0, used: &used) }
        for instance in instances where !used.contains(instance.name) && actsOnlyInProfiles(instance.plugin) {
            warn("has no effect: no profile refers to '\(instance.name)'", at: place(ofPlugin: instance.name))
        }
        return profiles
    }

    private mutating func makeProfile(
        _ profile: EndpointPickerConfiguration.SchedulingProfile,
        used: inout Set<String>
    ) -> SchedulingProfile? {
        var filters: [NamedFilter] = []
        var scorers: [WeightedScorer] = []
        var picker: (name: String, picker: any Picker)?
        var mentioned: Set<String> = []
        for member in profile.plugins {
            let place = Place(position: member.plugin.position, path: member.plugin.path)
            let name = member.plugin.name
            guard mentioned.insert(name).inserted else {
                problems.report("the profile refers to '\(name)' twice", at: place)
                continue
            }
            used.insert(name)
            guard let plugin = instance(name)?.plugin else { continue }
            if let filter = plugin as? any Filter { filters.append(NamedFilter(name: name, filter: filter)) }
            if let scorer = plugin as? any Scorer {
                let weight = member.weight ?? 1
                if abs(weight) <= Self.maxWeight {
                    scorers.append(WeightedScorer(name: name, weight: weight, scorer: scorer))
                } else {
                    problems.report("the weight \(weight) is not in -1e9 to 1e9", at: place)
                }
            }
            if let found = plugin as? any Picker { picker = (name, found) }
        }
        guard let picker else {
            let place = Place(position: profile.position, path: profile.path)
            problems.report("profile '\(profile.name)' has no picker", at: place)
            return nil
        }
        return SchedulingProfile(
            name: profile.name,
            filters: filters,
            scorers: scorers,
            pickerName: picker.name,
            picker: picker.picker
        )
    }

    /// Warns of parameters that name a profile that is not there.
    mutating func warnOfUnknownProfiles() {
        let names = configuration.schedulingProfiles.map(\.name)
        for reference in context.profileReferences where !names.contains(reference.profile) {
            let place = place(ofPlugin: reference.plugin)
            let quoted = ConfigurationProblem.quoted(reference.profile)
            warnings.append(
                ConfigurationProblem(
                    position: place.position,
                    path: "\(place.path).parameters.\(reference.parameter)",
                    message: "there is no scheduling profile \(quoted)",
                    suggestion: NearestName.find(reference.profile, in: names)
                )
            )
        }
    }

    private func actsOnlyInProfiles(_ plugin: any Plugin) -> Bool {
        let roles = PluginRoles(of: type(of: plugin))
        return !roles.isEmpty && roles.isSubset(of: .scheduling)
    }

    // MARK: - Data

    /// Makes the default producer of every required key that nothing produces, until none is missing: a producer may
    /// itself require data.
    mutating func makeMissingProducers() {
        var checked = 0
        while checked < context.consumed.count {
            let need = context.consumed[checked]
            checked += 1
            if need.requirement == .required, !isProduced(need.key) { makeProducer(of: need) }
        }
        for wish in context.consumed where wish.requirement == .optional && !isProduced(wish.key) {
            let message = "plugin '\(wish.plugin)' does without the data '\(wish.key)', which nothing produces"
            warn(message, at: place(ofPlugin: wish.plugin))
        }
    }

    private mutating func makeProducer(of need: PluginContext.Declaration) {
        let place = place(ofPlugin: need.plugin)
        let missing = "missing data key '\(need.key)', which plugin '\(need.plugin)' requires"
        guard let type = need.defaultProducer, registry[type] != nil else {
            let dataType = need.key.prefix { $0 != "/" }
            let candidates = context.produced.map(\.key).filter { $0.prefix { $0 != "/" } == dataType }
            problems.report(
                "no default producer found for \(missing)",
                at: place,
                suggestion: NearestName.find(need.key, in: candidates)
            )
            return
        }
        if let obstacle = registry[type]?.descriptor.obstacle {
            problems.report(
                "plugin '\(need.plugin)' requires the data '\(need.key)', and its default producer '\(type)' cannot be "
                    + "used: \(obstacle)",
                at: place
            )
            return
        }
        if let other = instance(type) {
            problems.report(
                "the plugin '\(type)' of type '\(other.type)' does not produce the \(missing)",
                at: self.place(ofPlugin: type)
            )
            return
        }
        make(type, name: type, nil, isImplicit: true)
        if instance(type) != nil, !isProduced(need.key) {
            problems.report("the default producer '\(type)' does not produce the \(missing)", at: place)
        }
    }

    private func isProduced(_ key: String) -> Bool {
        context.produced.contains { $0.key == key }
    }

    /// The producers, each behind those whose data it reads; among those that are free to go, in configuration order.
    mutating func orderProducers() -> [PluginPipeline.Named<any DataProducer>] {
        var waiting = instances.filter { $0.plugin is any DataProducer }
        var ordered: [PluginPipeline.Named<any DataProducer>] = []
        while !waiting.isEmpty {
            let ready = waiting.firstIndex { candidate in
                !waiting.contains { isReader(candidate.name, ofDataFrom: $0.name) }
            }
            guard let ready else {
                let names = waiting.map { "'\($0.name)'" }.joined(separator: ", ")
                problems.report(
                    "the data producers \(names) wait for each other's data",
                    at: place(ofPlugin: waiting[0].name)
                )
                return []
            }
            let next = waiting.remove(at: ready)
            if let producer = next.plugin as? any DataProducer {
                ordered.append(PluginPipeline.Named(name: next.name, plugin: producer))
            }
        }
        return ordered
    }

    private func isReader(_ reader: String, ofDataFrom producer: String) -> Bool {
        context.consumed.contains { need in
            need.plugin == reader && context.produced.contains { $0.plugin == producer && $0.key == need.key }
        }
    }
}
