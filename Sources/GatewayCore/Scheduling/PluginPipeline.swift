/// The plugins of one pool, built, checked and in the order in which they run.
///
/// Two pipelines built from the same configuration are equal in every order: order comes from the configuration and
/// from declared data dependencies, never from a dictionary.
package struct PluginPipeline: Sendable {
    /// One plugin instance.
    package struct Instance: Sendable {
        /// The instance's name, unique in the pipeline.
        package let name: String
        /// The type's name.
        package let type: String
        /// Whether the builder added it, as a default or as the producer of required data.
        package let isImplicit: Bool
        /// The plugin.
        package let plugin: any Plugin

        /// Makes an instance.
        package init(name: String, type: String, isImplicit: Bool = false, plugin: any Plugin) {
            self.name = name
            self.type = type
            self.isImplicit = isImplicit
            self.plugin = plugin
        }
    }

    /// A plugin in one of its roles.
    package struct Named<Role: Sendable>: Sendable {
        /// The instance's name.
        package let name: String
        /// The plugin.
        package let plugin: Role

        /// Makes a named plugin.
        package init(name: String, plugin: Role) {
            self.name = name
            self.plugin = plugin
        }
    }

    /// A data source with the extractors that the configuration lists for it.
    package struct BoundSource: Sendable {
        /// The source's type.
        package let type: String
        /// The source.
        package let source: any DataSource
        /// The plugins that read what it gives, in the order of the configuration.
        package let extractors: [any Plugin]

        /// Makes a source with its extractors.
        package init(type: String, source: any DataSource, extractors: [any Plugin]) {
            self.type = type
            self.source = source
            self.extractors = extractors
        }
    }

    /// All plugins in configuration order, with those that the builder added behind them.
    package let plugins: [Instance]
    /// The profiles in configuration order; at least one.
    package let profiles: [SchedulingProfile]
    /// Decides which profiles run.
    package let handler: any ProfileHandler
    /// The producers, each behind those whose data it reads, else in the order of ``plugins``.
    package let producers: [Named<any DataProducer>]
    /// What removes endpoints before anything else, in the order of ``plugins``.
    package let screeners: [Named<any Screener>]
    /// What may refuse a request behind the producers, in the order of ``plugins``.
    package let admitters: [Named<any Admitter>]
    /// What says for whom a request is, in the order of ``plugins``.
    package let agentIdentifiers: [any AgentIdentifier]
    /// What reports token usage to a proxy, in the order of ``plugins``.
    package let responseReporters: [any ResponseReporter]
    /// Says what a request adds to an endpoint's load; `nil` for its prompt tokens.
    package let loadEstimator: (any LoadEstimator)?
    /// The name of ``loadEstimator``; empty when there is none.
    package let loadEstimatorName: String
    /// What knows which endpoints hold a prompt in their cache, in the order of ``plugins``.
    package let prefixCacheProducers: [any PrefixCacheProducer]
    /// What learns of a decision before the request is sent, in the order of ``plugins``.
    package let preRequests: [any PreRequest]
    /// What adds fields to responses, in the order of ``plugins``.
    package let responseHeaderProcessors: [any ResponseHeaderProcessor]
    /// What learns how a request ended, in the order of ``plugins``.
    package let responseObservers: [any ResponseObserver]
    /// What learns that an endpoint left, in the order of ``plugins``.
    package let endpointObservers: [any EndpointObserver]
    /// How many slots a request's scratch needs.
    package let slotCount: Int
    /// Says how full the pool is; `nil` when nobody knows, and then it never is.
    package let saturationDetector: (any SaturationDetector)?
    /// How requests wait for their turn; `nil` where they do not wait, and those of negative priority are refused while
    /// the pool is full.
    package let flowControl: FlowControlSettings?
    /// What learns how long endpoints take, in the order of ``plugins``.
    package let serviceObservers: [any ServiceObserver]
    /// What reads formats of others, in the order in which the configuration lists them as parsers.
    package let bodyParsers: [any BodyParser]
    /// Where the endpoints come from when neither a cluster nor the configuration lists them.
    package let endpointSource: (any EndpointSource)?
    /// Where data about endpoints comes from, in the order of the configuration.
    package let dataSources: [BoundSource]
    /// What the configuration says that has no effect or looks like a mistake, in order.
    package let warnings: [ConfigurationProblem]

    /// Makes a pipeline. The lists of hooks follow from `plugins`; `profiles` is not empty.
    ///
    /// - Parameters:
    ///   - plugins: all plugins in configuration order.
    ///   - profiles: the profiles in configuration order.
    ///   - handler: decides which profiles run.
    ///   - producers: the producers in an order that satisfies their dependencies.
    ///   - slotCount: what the ``PluginContext`` that built the plugins counted.
    ///   - saturationDetector: says how full the pool is; `nil` when nobody knows.
    ///   - flowControl: how requests wait; `nil` when they do not.
    ///   - bodyParsers: what reads formats of others.
    ///   - endpointSource: where the endpoints come from; `nil` when others list them.
    ///   - dataSources: where data about endpoints comes from.
    ///   - warnings: what to tell the user.
    package init(
        plugins: [Instance],
        profiles: [SchedulingProfile],
        handler: any ProfileHandler,
        producers: [Named<any DataProducer>],
        slotCount: Int,
        saturationDetector: (any SaturationDetector)? = nil,
        flowControl: FlowControlSettings? = nil,
        bodyParsers: [any BodyParser] = [],
        endpointSource: (any EndpointSource)? = nil,
        dataSources: [BoundSource] = [],
        warnings: [ConfigurationProblem] = []
    ) {
        precondition(!profiles.isEmpty, "a pipeline has at least one profile")
        self.plugins = plugins
        self.profiles = profiles
        self.handler = handler
        self.producers = producers
        screeners = plugins.compactMap { instance in
            (instance.plugin as? any Screener).map { Named(name: instance.name, plugin: $0) }
        }
        admitters = plugins.compactMap { instance in
            (instance.plugin as? any Admitter).map { Named(name: instance.name, plugin: $0) }
        }
        agentIdentifiers = plugins.compactMap { $0.plugin as? any AgentIdentifier }
        responseReporters = plugins.compactMap { $0.plugin as? any ResponseReporter }
        let estimator = plugins.first { $0.plugin is any LoadEstimator }
        loadEstimator = estimator?.plugin as? any LoadEstimator
        loadEstimatorName = estimator?.name ?? ""
        prefixCacheProducers = plugins.compactMap { $0.plugin as? any PrefixCacheProducer }
        preRequests = plugins.compactMap { $0.plugin as? any PreRequest }
        responseHeaderProcessors = plugins.compactMap { $0.plugin as? any ResponseHeaderProcessor }
        responseObservers = plugins.compactMap { $0.plugin as? any ResponseObserver }
        endpointObservers = plugins.compactMap { $0.plugin as? any EndpointObserver }
        self.slotCount = slotCount
        self.saturationDetector = saturationDetector
        self.flowControl = flowControl
        serviceObservers = plugins.compactMap { $0.plugin as? any ServiceObserver }
        self.bodyParsers = bodyParsers
        self.endpointSource = endpointSource
        self.dataSources = dataSources
        self.warnings = warnings
    }
}
