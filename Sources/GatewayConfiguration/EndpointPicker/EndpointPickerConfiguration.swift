package import GatewayCore

/// An EndpointPickerConfig (`llm-d.ai/v1alpha1`): the pipeline of one pool.
///
/// As decoded it holds what the file says; ``applyingDefaults(knownPlugins:)`` completes and checks it against the
/// registered plugin types.
package struct EndpointPickerConfiguration: Sendable {
    /// An instance of a plugin type.
    package struct Plugin: Sendable {
        /// The instance's name, unique in the configuration; the type when the file gives none.
        package let name: String
        /// The registered type.
        package let type: String
        /// The parameters as they stand, for the plugin itself to decode; `nil` when there are none.
        package let parameters: ConfigurationValue?
        /// Where the plugin stands.
        package let position: SourcePosition
        /// Its path in the document; the parameters are at `path.parameters`.
        package let path: String
    }

    /// A reference to a plugin instance.
    package struct PluginReference: Sendable {
        /// The instance's name.
        package let name: String
        /// Where the reference stands.
        package let position: SourcePosition
        /// Its path in the document.
        package let path: String
    }

    /// A plugin of a scheduling profile.
    package struct ProfilePlugin: Sendable {
        /// The plugin.
        package let plugin: PluginReference
        /// What a scorer's scores are multiplied by; `nil` for plugins that do not score, and before defaults are
        /// applied when the file says nothing.
        package var weight: Double?
    }

    /// A named way to choose an endpoint.
    package struct SchedulingProfile: Sendable {
        /// The name, unique in the configuration.
        package let name: String
        /// The plugins in the order in which filters run and scores are added.
        package var plugins: [ProfilePlugin]
        /// Where the profile stands.
        package let position: SourcePosition
        /// Its path in the document.
        package let path: String
    }

    /// A switch for a feature that is not everybody's.
    package struct FeatureGate: Sendable {
        /// The gate's name.
        package let name: String
        /// Whether the file turns it on.
        package let isEnabled: Bool
        /// Where it stands.
        package let position: SourcePosition
    }

    /// A source of what is known of endpoints, and what is taken from it.
    package struct DataSource: Sendable {
        /// The source.
        package let source: PluginReference
        /// The extractors in the order in which they run.
        package let extractors: [PluginReference]
    }

    /// How the data about endpoints is gathered (`dataLayer`).
    package struct DataLayer: Sendable {
        /// Whether the default metrics source is added when none is listed. Default `true`.
        package var injectsDefaults = true
        /// The sources in written order.
        package var sources: [DataSource] = []
        /// The plugin that finds endpoints in place of a cluster.
        package var discovery: PluginReference?
        /// The plugin that finds other replicas.
        package var peerDiscovery: PluginReference?
        /// The plugin that shares state with other replicas.
        package var crossReplicaSyncer: PluginReference?
        /// How often state is shared; `nil` leaves it to the plugin.
        package var crossReplicaSyncInterval: Duration?
    }

    /// The name of the document (`metadata.name`), which is the pool's; `nil` for the default of all pools.
    package internal(set) var pool: ResourceName?
    /// Where the document stands.
    package let position: SourcePosition
    /// The gates that the file sets, in written order.
    package var featureGates: [FeatureGate]
    /// The plugin instances in written order.
    package var plugins: [Plugin]
    /// The scheduling profiles in written order.
    package var schedulingProfiles: [SchedulingProfile]
    /// The data layer.
    package var dataLayer: DataLayer
    /// The queues; used only with the gate `flowControl`. `nil` when the file says nothing of them.
    package var flowControl: FlowControl?
    /// What tells a full pool from one with room; honoured also without flow control.
    package var saturationDetector: PluginReference?
    /// The request parsers in the order in which they are asked.
    package var parsers: [PluginReference]
    /// What is suspicious or of no effect.
    package var warnings: [ConfigurationProblem]

    /// The feature gates that exist, with their defaults. Others are errors.
    package static let knownFeatureGates: [(name: String, isEnabledByDefault: Bool)] = [
        ("flowControl", false), ("haPopulateNonLeaderDatastore", true),
    ]

    /// Whether replicas that do not lead know the pool's endpoints as well, so that a request that reaches them anyway
    /// is served.
    package var populatesFollowers: Bool {
        featureGates.last { $0.name == "haPopulateNonLeaderDatastore" }?.isEnabled ?? true
    }

    /// The same configuration as that of `pool`.
    package func named(_ pool: ResourceName) -> EndpointPickerConfiguration {
        var copy = self
        copy.pool = pool
        return copy
    }

    /// Whether `gate` is on: what the file says last, or the gate's default.
    package func isEnabled(_ gate: String) -> Bool {
        featureGates.last { $0.name == gate }?.isEnabled
            ?? Self.knownFeatureGates.first { $0.name == gate }?.isEnabledByDefault ?? false
    }

    /// What a gateway without a configuration does: scores of queue depth (2), KV-cache use (2) and cached prefixes
    /// (3), from metrics that are scraped. No other default is applied yet.
    package static let builtinDefault: EndpointPickerConfiguration = {
        let scorers = [
            ("queue-scorer", 2.0), ("kv-cache-utilization-scorer", 2.0), ("prefix-cache-scorer", 3.0),
        ]
        let types = scorers.map(\.0) + [BuiltinPluginType.metricsDataSource, BuiltinPluginType.coreMetricsExtractor]
        return EndpointPickerConfiguration(
            pool: nil,
            position: .builtin,
            featureGates: [],
            plugins: types.map(Plugin.builtin),
            schedulingProfiles: [
                SchedulingProfile(
                    name: "default",
                    plugins: scorers.map { ProfilePlugin(plugin: .builtin($0.0), weight: $0.1) },
                    position: .builtin,
                    path: "schedulingProfiles[0]"
                )
            ],
            dataLayer: DataLayer(sources: [.defaultMetrics]),
            flowControl: nil,
            saturationDetector: nil,
            parsers: [],
            warnings: []
        )
    }()
}

extension EndpointPickerConfiguration.Plugin {
    /// The instance of `type` that a default makes: without parameters, its name is its type.
    static func builtin(_ type: String) -> Self {
        Self(name: type, type: type, parameters: nil, position: .builtin, path: "plugins")
    }
}

extension EndpointPickerConfiguration.PluginReference {
    /// The reference that a default makes.
    static func builtin(_ name: String) -> Self {
        Self(name: name, position: .builtin, path: "")
    }
}

extension EndpointPickerConfiguration.DataSource {
    /// The metrics of model servers with the extractor of the known engines.
    static let defaultMetrics = Self(
        source: .builtin(BuiltinPluginType.metricsDataSource),
        extractors: [.builtin(BuiltinPluginType.coreMetricsExtractor)]
    )
}

/// The plugin types that defaults refer to.
enum BuiltinPluginType {
    static let metricsDataSource = "metrics-data-source"
    static let coreMetricsExtractor = "core-metrics-extractor"
    static let singleProfileHandler = "single-profile-handler"
    static let maxScorePicker = "max-score-picker"
    static let utilizationDetector = "utilization-detector"
    static let globalStrictFairness = "global-strict-fairness-policy"
    static let fcfsOrdering = "fcfs-ordering-policy"
    static let staticUsageLimit = "static-usage-limit-policy"
    static let sheddableEviction = "sheddable-eviction-filter"
    static let evictionOrder = "priority-then-time-eviction-order-policy"
    static let parsers = ["openai-parser", "anthropic-parser", "vllmhttp-parser", "passthrough-parser"]
}
