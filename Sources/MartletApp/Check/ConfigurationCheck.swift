import BuiltinPlugins
import FoundationEssentials
import GatewayConfiguration
import GatewayCore

/// `martlet check`: reads a configuration and builds everything that it describes, as a start would, up to the first
/// socket.
///
/// Documents that are all EndpointPickerConfigs are each checked by itself, as `martlet epp --config-file` takes them;
/// so they may be named after pools that are defined elsewhere. Anything else is a configuration as
/// `martlet serve --config` takes it.
package struct ConfigurationCheck: Sendable {
    /// What a configuration without mistakes says.
    package struct Report: Sendable {
        /// The EndpointPickerConfigs with all defaults filled in, one YAML document each: of a configuration of
        /// resources, that of every pool.
        package let canonical: String
        /// What has no effect or looks like a mistake, one line each.
        package let warnings: [String]
    }

    private let builder: PipelineBuilder

    /// Makes a check with the built-in plugin types.
    ///
    /// - Parameter allowsExperimental: whether plugins of alpha stability may be used.
    package init(allowsExperimental: Bool = false) {
        builder = PipelineBuilder(registry: BuiltinCatalogue.registry(), allowsExperimental: allowsExperimental)
    }

    /// Checks the file or folder at `path`, or standard input when it is `-`. Blocks while it reads.
    ///
    /// - Throws: ``ConfigurationError`` with what is wrong, or when it cannot be read; ``CommandError`` for a
    ///   certificate that cannot be used.
    package func run(path: String) throws -> Report {
        guard path == "-" else { return try run(documents: try ConfigurationSet.documents(path: path)) }
        let text = try StandardInput.read(maxBytes: ConfigurationFile.maxBytes)
        return try run(documents: try ConfigurationSet.documents(text: text, file: StandardInput.name))
    }

    /// Checks `documents`, at least one.
    ///
    /// - Throws: ``ConfigurationError`` and ``CommandError`` as ``run(path:)`` does.
    func run(documents: [ConfigurationValue]) throws -> Report {
        let isPickersOnly = documents.allSatisfy { $0["kind"]?.content == .string("EndpointPickerConfig") }
        return isPickersOnly ? try checkPickers(documents) : try checkResources(documents)
    }

    private func checkPickers(_ documents: [ConfigurationValue]) throws(ConfigurationError) -> Report {
        var pipelines = CheckedPipelines(builder: builder)
        for document in documents {
            pipelines.add { () throws(ConfigurationError) in try EndpointPickerConfiguration.decode(document: document)
            }
        }
        return try pipelines.report(warnings: [])
    }

    private func checkResources(_ documents: [ConfigurationValue]) throws -> Report {
        let set = try ConfigurationSet.decode(documents: documents)
        let plan = try GatewayPlan(set, options: ServeOptions())
        for listener in plan.listeners { _ = try listener.certificate.map(ListenerSet.context) }
        var pipelines = CheckedPipelines(builder: builder)
        for pool in set.pools {
            let id = pool.metadata.id
            pipelines.add(targetPorts: pool.targetPorts) { set.endpointPicker(for: id).named(id) }
        }
        var warnings = plan.warnings + plan.parserWarnings
        for picker in set.endpointPickers where picker.pool == nil && set.isUnused(picker) {
            // Nobody sees its canonical form, but what is wrong with it will matter to the next pool.
            pipelines.add(isShown: false) { picker }
            let text = "has no effect: every pool has an EndpointPickerConfig of its own"
            warnings.append(ConfigurationProblem(position: picker.position, path: "", message: text).description)
        }
        if set.pools.isEmpty { warnings.append("there is no InferencePool, so there is nothing to serve") }
        return try pipelines.report(warnings: warnings)
    }
}

extension ConfigurationSet {
    /// Whether no pool uses `picker`, which has no name.
    fileprivate func isUnused(_ picker: EndpointPickerConfiguration) -> Bool {
        pools.allSatisfy { endpointPicker(for: $0.metadata.id).pool != nil }
    }
}

/// The pipelines of a check: what is wrong with any of them is told together.
private struct CheckedPipelines {
    let builder: PipelineBuilder
    private var canonical: [String] = []
    private var warnings: [ConfigurationProblem] = []
    private var problems: [ConfigurationProblem] = []

    init(builder: PipelineBuilder) {
        self.builder = builder
    }

    /// Builds the pipeline of `picker` and reads the file that its endpoints come from.
    mutating func add(
        isShown: Bool = true,
        targetPorts: [Int] = [],
        _ picker: () throws(ConfigurationError) -> EndpointPickerConfiguration
    ) {
        do throws(ConfigurationError) {
            let context = PluginContext(clock: SystemMonotonicClock())
            let (completed, pipeline) = try builder.complete(try picker(), context: context)
            let settings = GatewaySettings()
            let idleInterval = IdleIntervalCheck(scrape: settings.scrape, staleness: settings.metricsStaleness)
            try idleInterval.run(pipeline, of: completed)
            try checkDiscovery(pipeline, of: completed, targetPorts: targetPorts)
            warnings += pipeline.warnings
            if isShown { canonical.append(CanonicalPrinter.print(completed)) }
        } catch {
            problems += error.problems
        }
    }

    /// A discovery file that is here must be right. One that is not here may be where the gateway will run.
    private mutating func checkDiscovery(
        _ pipeline: PluginPipeline,
        of configuration: EndpointPickerConfiguration,
        targetPorts: [Int]
    ) throws(ConfigurationError) {
        guard let path = pipeline.endpointSource?.path, let reference = configuration.dataLayer.discovery else {
            return
        }
        if FileManager.default.fileExists(atPath: path) {
            warnings += try EndpointListFile.load(path: path, targetPorts: targetPorts).warnings
        } else {
            let message = "the endpoints are not checked: there is no file \(ConfigurationProblem.quoted(path)) here"
            warnings.append(
                ConfigurationProblem(position: reference.position, path: reference.path, message: message)
            )
        }
    }

    /// The report of them all, behind `warnings` about what surrounds them.
    func report(warnings first: [String]) throws(ConfigurationError) -> ConfigurationCheck.Report {
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        var lines: [String] = []
        // Pools that share a picker share its warnings.
        for line in first + ConfigurationError.ordered(warnings).map(\.description) where !lines.contains(line) {
            lines.append(line)
        }
        return ConfigurationCheck.Report(canonical: canonical.joined(separator: "---\n"), warnings: lines)
    }
}
