package import GatewayCore

extension EndpointPickerConfiguration {
    /// The configuration with everything in it that the file left to the gateway, and checked against the plugin types
    /// that exist.
    ///
    /// The steps and their order are those of the llm-d endpoint picker: scheduling, flow control, parsers, saturation
    /// detector, data layer. Unlike there, plugins keep the order of the file. Applying defaults twice changes nothing.
    ///
    /// - Parameter knownPlugins: the roles of every registered type. A default of a type that is not registered is left
    ///   out.
    /// - Throws: ``ConfigurationError`` with every plugin, profile and reference that is wrong.
    package func applyingDefaults(
        knownPlugins: [String: PluginRoles]
    ) throws(ConfigurationError) -> EndpointPickerConfiguration {
        var completion = PipelineCompletion(configuration: self, knownPlugins: knownPlugins)
        completion.checkPlugins()
        completion.completeScheduling()
        completion.completeFlowControl()
        completion.completeParsers()
        completion.completeSaturationDetector()
        completion.completeDataLayer()
        completion.checkProfiles()
        completion.checkReferences()
        guard completion.problems.isEmpty else { throw ConfigurationError(completion.problems) }
        return completion.configuration
    }
}

/// One run of ``EndpointPickerConfiguration/applyingDefaults(knownPlugins:)``.
private struct PipelineCompletion {
    private typealias Configuration = EndpointPickerConfiguration

    var configuration: EndpointPickerConfiguration
    let knownPlugins: [String: PluginRoles]
    var problems: [ConfigurationProblem] = []

    init(configuration: EndpointPickerConfiguration, knownPlugins: [String: PluginRoles]) {
        self.configuration = configuration
        self.knownPlugins = knownPlugins
    }

    // MARK: - Plugins

    mutating func checkPlugins() {
        var seen: Set<String> = []
        for plugin in configuration.plugins {
            if !seen.insert(plugin.name).inserted {
                let message = "two plugins are called \(ConfigurationProblem.quoted(plugin.name))"
                report(message, plugin.position, plugin.path + ".name")
            }
            if knownPlugins[plugin.type] == nil {
                report(
                    "plugin type \(ConfigurationProblem.quoted(plugin.type)) is not registered", plugin.position,
                    plugin.path + ".type", near: plugin.type, among: knownPlugins.keys.sorted()
                )
            }
        }
    }

    /// Adds the instance of `type` that has the type's name, if the type is registered and no plugin has that name.
    private mutating func ensureBuiltin(_ type: String) {
        guard knownPlugins[type] != nil, plugin(named: type) == nil else { return }
        configuration.plugins.append(.builtin(type))
    }

    private func plugin(named name: String) -> EndpointPickerConfiguration.Plugin? {
        configuration.plugins.first { $0.name == name }
    }

    private func roles(of plugin: EndpointPickerConfiguration.Plugin) -> PluginRoles {
        knownPlugins[plugin.type] ?? []
    }

    private func roles(of reference: EndpointPickerConfiguration.PluginReference) -> PluginRoles {
        plugin(named: reference.name).map(roles(of:)) ?? []
    }

    // MARK: - Defaults

    mutating func completeScheduling() {
        if configuration.schedulingProfiles.isEmpty {
            let members = configuration.plugins.filter { !roles(of: $0).isDisjoint(with: .scheduling) }
            configuration.schedulingProfiles = [
                Configuration.SchedulingProfile(
                    name: "default",
                    plugins: members.map { Configuration.ProfilePlugin(plugin: .builtin($0.name), weight: nil) },
                    position: configuration.position,
                    path: "schedulingProfiles"
                )
            ]
        }
        let hasHandler = configuration.plugins.contains { roles(of: $0).contains(.profileHandler) }
        if !hasHandler, configuration.schedulingProfiles.count == 1 {
            ensureBuiltin(BuiltinPluginType.singleProfileHandler)
        }
        if !configuration.plugins.contains(where: { roles(of: $0).contains(.picker) }) {
            ensureBuiltin(BuiltinPluginType.maxScorePicker)
        }
        let picker = configuration.plugins.first { roles(of: $0).contains(.picker) }
        for index in configuration.schedulingProfiles.indices {
            complete(&configuration.schedulingProfiles[index], picker: picker)
        }
    }

    private func complete(
        _ profile: inout EndpointPickerConfiguration.SchedulingProfile,
        picker: EndpointPickerConfiguration.Plugin?
    ) {
        for index in profile.plugins.indices where roles(of: profile.plugins[index].plugin).contains(.scorer) {
            profile.plugins[index].weight = profile.plugins[index].weight ?? 1
        }
        guard let picker, !profile.plugins.contains(where: { roles(of: $0.plugin).contains(.picker) }) else { return }
        profile.plugins.append(Configuration.ProfilePlugin(plugin: .builtin(picker.name), weight: nil))
    }

    mutating func completeFlowControl() {
        ensureBuiltin(BuiltinPluginType.fcfsOrdering)
        ensureBuiltin(BuiltinPluginType.globalStrictFairness)
        ensureBuiltin(BuiltinPluginType.staticUsageLimit)
        if configuration.isEnabled("flowControl"), configuration.flowControl?.evicts ?? false,
            !configuration.plugins.contains(where: { roles(of: $0).contains(.evictionPolicy) })
        {
            ensureBuiltin(BuiltinPluginType.sheddableEviction)
            ensureBuiltin(BuiltinPluginType.evictionOrder)
        }
        if let flow = configuration.flowControl, !configuration.isEnabled("flowControl") {
            let problem = ConfigurationProblem(
                position: flow.position,
                path: "flowControl",
                message: "has no effect without the feature gate \"flowControl\""
            )
            if !configuration.warnings.contains(problem) { configuration.warnings.append(problem) }
        }
    }

    mutating func completeParsers() {
        if configuration.parsers.isEmpty {
            configuration.parsers = BuiltinPluginType.parsers
                .filter { knownPlugins[$0] != nil || plugin(named: $0) != nil }
                .map { .builtin($0) }
        }
        for parser in configuration.parsers { ensureBuiltin(parser.name) }
    }

    mutating func completeSaturationDetector() {
        let detector = BuiltinPluginType.utilizationDetector
        if configuration.saturationDetector == nil, knownPlugins[detector] != nil {
            configuration.saturationDetector = .builtin(detector)
        }
        if configuration.saturationDetector?.name == detector { ensureBuiltin(detector) }
    }

    mutating func completeDataLayer() {
        let source = BuiltinPluginType.metricsDataSource
        let isListed = configuration.dataLayer.sources.contains { $0.source.name == source }
        guard configuration.dataLayer.injectsDefaults, !isListed, knownPlugins[source] != nil else { return }
        ensureBuiltin(source)
        ensureBuiltin(BuiltinPluginType.coreMetricsExtractor)
        configuration.dataLayer.sources.append(.defaultMetrics)
    }

    // MARK: - Checks

    mutating func checkProfiles() {
        var seen: Set<String> = []
        for profile in configuration.schedulingProfiles {
            if !seen.insert(profile.name).inserted {
                let message = "two scheduling profiles are called \(ConfigurationProblem.quoted(profile.name))"
                report(message, profile.position, profile.path + ".name")
            }
            let pickers = profile.plugins.filter { roles(of: $0.plugin).contains(.picker) }
            for extra in pickers.dropFirst() {
                let message =
                    "the profile already has the picker \(ConfigurationProblem.quoted(pickers[0].plugin.name))"
                // A profile that is made of the listed plugins has no place of its own.
                let listed = extra.plugin.isBuiltin ? plugin(named: extra.plugin.name) : nil
                report(message, listed?.position ?? extra.plugin.position, listed?.path ?? extra.plugin.path)
            }
            for member in profile.plugins { check(member) }
        }
        let handlers = configuration.plugins.filter { roles(of: $0).contains(.profileHandler) }
        for extra in handlers.dropFirst() {
            let message = "there is already the profile handler \(ConfigurationProblem.quoted(handlers[0].name))"
            report(message, extra.position, extra.path)
        }
        if handlers.first?.type == BuiltinPluginType.singleProfileHandler, configuration.schedulingProfiles.count > 1 {
            let message = "single-profile-handler runs one profile, there are \(configuration.schedulingProfiles.count)"
            report(message, handlers[0].position, handlers[0].path)
        }
        if handlers.isEmpty, configuration.schedulingProfiles.count > 1 {
            let message = "\(configuration.schedulingProfiles.count) profiles need a profile handler among the plugins"
            report(message, configuration.schedulingProfiles[1].position, "schedulingProfiles")
        }
    }

    private mutating func check(_ member: EndpointPickerConfiguration.ProfilePlugin) {
        guard check(member.plugin), let plugin = plugin(named: member.plugin.name) else { return }
        let roles = roles(of: plugin)
        guard !roles.isEmpty else { return }
        if roles.isDisjoint(with: .scheduling) {
            warn(
                "\(plugin.type) is neither a filter, a scorer nor a picker: it does nothing in a profile", member.plugin
            )
        } else if member.weight != nil, !roles.contains(.scorer) {
            warn("the weight has no effect: \(plugin.type) is not a scorer", member.plugin)
        }
    }

    mutating func checkReferences() {
        for parser in configuration.parsers { check(parser, is: .parser, "a parser") }
        if let detector = configuration.saturationDetector {
            check(detector, is: .saturationDetector, "a saturation detector")
        }
        let data = configuration.dataLayer
        for source in data.sources {
            check(source.source, is: .dataSource, "a data source")
            // Plugins that act on requests may learn of endpoints by being listed as extractors.
            for extractor in source.extractors { check(extractor, is: [.extractor, .other], "an extractor") }
        }
        if let discovery = data.discovery { check(discovery, is: .endpointSource, "an endpoint source") }
        for reference in [data.peerDiscovery, data.crossReplicaSyncer] {
            if let reference { check(reference) }
        }
        guard let flow = configuration.flowControl else { return }
        check(policy: flow.usageLimitPolicy, is: .usageLimitPolicy, "a usage limit policy")
        for band in flow.bands {
            check(policy: band.fairnessPolicy, is: .fairnessPolicy, "a fairness policy")
            check(policy: band.orderingPolicy, is: .orderingPolicy, "an ordering policy")
        }
    }

    /// Checks a reference to a policy; a default whose type the build does not have is left alone.
    private mutating func check(
        policy reference: EndpointPickerConfiguration.PluginReference,
        is role: PluginRoles,
        _ what: String
    ) {
        if reference.isBuiltin, plugin(named: reference.name) == nil { return }
        check(reference, is: role, what)
    }

    /// Reports a reference to a plugin that does not exist, of which those of `types` would be made; returns whether it
    /// exists.
    @discardableResult
    private mutating func check(
        _ reference: EndpointPickerConfiguration.PluginReference,
        orOneOf types: [String] = []
    ) -> Bool {
        guard !reference.name.isEmpty, plugin(named: reference.name) == nil else { return true }
        report(
            "no plugin is called \(ConfigurationProblem.quoted(reference.name))", reference.position, reference.path,
            near: reference.name, among: configuration.plugins.map(\.name) + types
        )
        return false
    }

    /// Reports a reference to a plugin that does not exist or has none of the roles `wanted`.
    private mutating func check(
        _ reference: EndpointPickerConfiguration.PluginReference,
        is wanted: PluginRoles,
        _ what: String
    ) {
        // What a whole build cannot do is no fault of the configuration, which must work in other builds as well.
        guard knownPlugins.values.contains(where: { !$0.isDisjoint(with: wanted) }) else {
            warn("has no effect: there is no plugin type that is \(what)", reference)
            return
        }
        let types = wanted == .parser ? knownPlugins.filter { $0.value.contains(wanted) }.map(\.key).sorted() : []
        guard check(reference, orOneOf: types), let plugin = plugin(named: reference.name),
            knownPlugins[plugin.type] != nil, roles(of: plugin).isDisjoint(with: wanted)
        else { return }
        let message = "the plugin \(ConfigurationProblem.quoted(plugin.name)) of type \(plugin.type) is not \(what)"
        report(message, reference.position, reference.path)
    }

    private mutating func report(
        _ message: String,
        _ position: SourcePosition,
        _ path: String,
        near name: String? = nil,
        among candidates: [String] = []
    ) {
        let problem = ConfigurationProblem(
            position: position == .builtin ? configuration.position : position,
            path: path,
            message: message,
            suggestion: name.flatMap { NearestName.find($0, in: candidates) }
        )
        // A template is used for several bands; what is wrong with it is said once.
        if !problems.contains(problem) { problems.append(problem) }
    }

    private mutating func warn(_ message: String, _ reference: EndpointPickerConfiguration.PluginReference) {
        let problem = ConfigurationProblem(position: reference.position, path: reference.path, message: message)
        if !configuration.warnings.contains(problem) { configuration.warnings.append(problem) }
    }
}

extension EndpointPickerConfiguration.PluginReference {
    /// Whether a default made the reference.
    var isBuiltin: Bool { position == .builtin }
}

extension EndpointPickerConfiguration.FlowControl {
    /// The templates and the bands of single priorities.
    var bands: [EndpointPickerConfiguration.PriorityBand] {
        [defaultPriorityBand, defaultNegativePriorityBand] + priorityBands
    }

    /// Every reference to a policy.
    var references: [EndpointPickerConfiguration.PluginReference] {
        [usageLimitPolicy] + bands.flatMap { [$0.fairnessPolicy, $0.orderingPolicy] }
    }
}
