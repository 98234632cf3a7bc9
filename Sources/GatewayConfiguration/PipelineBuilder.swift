package import GatewayCore

/// Makes the plugins of a configuration and puts them into the order in which they run.
///
/// What the configuration leaves out is filled in first
/// (``EndpointPickerConfiguration/applyingDefaults(knownPlugins:)``); then come the default producers of required data
/// that nothing produces. Order comes from the configuration only, so two builds of one configuration give the same
/// pipeline.
package struct PipelineBuilder: Sendable {
    private let registry: PluginRegistry
    private let allowsExperimental: Bool

    /// Makes a builder.
    ///
    /// - Parameters:
    ///   - registry: the plugin types that can be made.
    ///   - allowsExperimental: whether plugins of alpha stability may be used.
    package init(registry: PluginRegistry, allowsExperimental: Bool = false) {
        self.registry = registry
        self.allowsExperimental = allowsExperimental
    }

    /// Makes the pipeline of `configuration`.
    ///
    /// - Parameters:
    ///   - configuration: the configuration, with or without its defaults applied.
    ///   - context: a fresh context; every plugin is made from it.
    /// - Throws: ``ConfigurationError`` with everything that is wrong in the first of these steps that fails: plugin
    ///   types, names and references; the plugins' parameters; the profiles; the data between the plugins.
    package func build(
        _ configuration: EndpointPickerConfiguration,
        context: PluginContext
    ) throws(ConfigurationError) -> PluginPipeline {
        try complete(configuration, context: context).pipeline
    }

    /// Makes the pipeline of `configuration` like ``build(_:context:)``, and tells the configuration that says all of
    /// it: with its defaults, and with the producers that were added for data that nothing produced.
    ///
    /// - Throws: ``ConfigurationError`` like ``build(_:context:)``.
    package func complete(
        _ configuration: EndpointPickerConfiguration,
        context: PluginContext
    ) throws(ConfigurationError) -> (configuration: EndpointPickerConfiguration, pipeline: PluginPipeline) {
        try checkTypes(configuration)
        var completed = try configuration.applyingDefaults(knownPlugins: registry.roles)
        var assembly = PipelineAssembly(registry: registry, configuration: completed, context: context)
        assembly.makePlugins(listed: Set(configuration.plugins.map(\.name)))
        try assembly.problems.throwIfAny()
        let endpointSource = assembly.endpointSource()
        assembly.warnOfUnusedPolicies()
        let dataSources = assembly.bindDataSources()
        let profiles = assembly.makeProfiles()
        let handler = assembly.profileHandler()
        assembly.warnOfUnknownProfiles()
        try assembly.problems.throwIfAny()
        assembly.makeMissingProducers()
        assembly.checkAttributes(readFrom: dataSources)
        try assembly.problems.throwIfAny()
        let producers = assembly.orderProducers()
        try assembly.problems.throwIfAny()
        guard let handler else { preconditionFailure("a missing handler was reported") }
        completed.plugins += assembly.instances.dropFirst(completed.plugins.count).map { .builtin($0.type) }
        let pipeline = PluginPipeline(
            plugins: assembly.instances,
            profiles: profiles,
            handler: handler,
            producers: producers,
            slotCount: assembly.context.slotCount,
            saturationDetector: assembly.saturationDetector,
            flowControl: assembly.flowControlSettings(),
            bodyParsers: assembly.bodyParsers,
            endpointSource: endpointSource,
            dataSources: dataSources,
            warnings: completed.warnings + assembly.warnings
        )
        return (completed, pipeline)
    }

    /// Checks that every type that the configuration names can be made.
    private func checkTypes(_ configuration: EndpointPickerConfiguration) throws(ConfigurationError) {
        var problems = ProblemList()
        for plugin in configuration.plugins {
            let place = Place(position: plugin.position, path: plugin.path + ".type")
            guard let entry = registry[plugin.type]?.descriptor else {
                problems.report(
                    "plugin type '\(plugin.type)' is not registered",
                    at: place,
                    suggestion: NearestName.find(plugin.type, in: registry.typeNames)
                )
                continue
            }
            if let obstacle = entry.obstacle {
                problems.report("plugin type '\(plugin.type)' cannot be used: \(obstacle)", at: place)
            } else if entry.stability == .alpha, !allowsExperimental {
                problems.report(
                    "plugin type '\(plugin.type)' has alpha stability, which needs --allow-experimental-plugins",
                    at: place
                )
            }
        }
        try problems.throwIfAny()
    }
}

extension PluginRegistry {
    /// What the instances of each type that can be used are good for.
    package var roles: [String: PluginRoles] {
        let usable = entries.lazy.filter { $0.descriptor.obstacle == nil }
        return Dictionary(uniqueKeysWithValues: usable.map { ($0.descriptor.type, PluginRoles(of: $0.type)) })
    }
}

/// Where something stands in a configuration.
struct Place {
    let position: SourcePosition
    let path: String
}

/// What was found wrong so far.
struct ProblemList {
    private var problems: [ConfigurationProblem] = []

    mutating func report(_ message: String, at place: Place, suggestion: String? = nil) {
        problems.append(
            ConfigurationProblem(
                position: place.position,
                path: place.path,
                message: message,
                suggestion: suggestion
            )
        )
    }

    mutating func add(_ error: ConfigurationError) {
        problems += error.problems
    }

    func throwIfAny() throws(ConfigurationError) {
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }
}
