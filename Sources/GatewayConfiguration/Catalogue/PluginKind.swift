package import GatewayCore

/// Where a plugin acts, in the words and in the order of the plugin reference.
package enum PluginKind: String, CaseIterable, Sendable {
    /// Chooses which profiles run.
    case profileHandler = "profile handler"
    /// Says whether a stage of a request has an endpoint of its own.
    case disaggregationDecider = "disaggregation decider"
    /// Removes endpoints before anything else.
    case screener
    /// Refuses requests before profiles run.
    case admitter
    /// Tells a full pool from one with room.
    case saturationDetector = "saturation detector"
    /// Removes candidates.
    case filter
    /// Gives candidates a score.
    case scorer
    /// Chooses among the scored.
    case picker
    /// Computes data about a request.
    case dataProducer = "data producer"
    /// Says for whom a request is.
    case agentIdentifier = "agent identifier"
    /// Learns of a decision before the request is sent.
    case preRequest = "pre-request"
    /// Says what a request adds to an endpoint's load.
    case loadEstimator = "load estimator"
    /// Adds fields to a response's header.
    case responseHeaderProcessor = "response header processor"
    /// Turns token usage into metadata.
    case responseReporter = "response reporter"
    /// Learns how a request ended.
    case responseObserver = "response observer"
    /// Learns how long endpoints take.
    case serviceObserver = "service observer"
    /// Learns that an endpoint left.
    case endpointObserver = "endpoint observer"
    /// Fetches data about endpoints.
    case dataSource = "data source"
    /// Takes values out of what a source fetched.
    case extractor
    /// Says where endpoints are listed.
    case endpointSource = "endpoint source"
    /// Names a format of requests.
    case parser
    /// Chooses whose turn it is among waiting flows.
    case fairnessPolicy = "fairness policy"
    /// Orders the waiting requests of one flow.
    case orderingPolicy = "ordering policy"
    /// Bounds how full a pool may get for a priority.
    case usageLimitPolicy = "usage limit policy"
    /// Chooses which running requests end for more important ones.
    case evictionPolicy = "eviction policy"
    /// Is asked by other plugins only.
    case other = "other"

    /// Where the instances of `type` act; ``other`` when nowhere of their own.
    package static func kinds(of type: any Plugin.Type) -> [PluginKind] {
        let kinds = actingKinds(of: type)
        return kinds.isEmpty ? [.other] : kinds
    }

    /// Where the instances of `type` act of their own.
    static func actingKinds(of type: any Plugin.Type) -> [PluginKind] {
        allCases.filter { $0.includes(type) }
    }

    /// The role of such plugins in a configuration.
    var role: PluginRoles {
        switch self {
        case .profileHandler: .profileHandler
        case .saturationDetector: .saturationDetector
        case .filter: .filter
        case .scorer: .scorer
        case .picker: .picker
        case .dataSource: .dataSource
        case .extractor: .extractor
        case .endpointSource: .endpointSource
        case .parser: .parser
        case .fairnessPolicy: .fairnessPolicy
        case .orderingPolicy: .orderingPolicy
        case .usageLimitPolicy: .usageLimitPolicy
        case .evictionPolicy: .evictionPolicy
        case .dataProducer, .screener, .admitter, .agentIdentifier, .preRequest, .loadEstimator,
            .responseHeaderProcessor, .responseReporter, .responseObserver, .serviceObserver, .endpointObserver, .other:
            .other
        // Only profile handlers ask it.
        case .disaggregationDecider: []
        }
    }

    /// The kind's name for several plugins.
    package var plural: String {
        switch self {
        case .fairnessPolicy, .orderingPolicy, .usageLimitPolicy, .evictionPolicy: "\(rawValue.dropLast())ies"
        default: "\(rawValue)s"
        }
    }

    private func includes(_ type: any Plugin.Type) -> Bool {
        switch self {
        case .disaggregationDecider: type is any DisaggregationDecider.Type
        case .profileHandler: type is any ProfileHandler.Type
        case .saturationDetector: type is any SaturationDetector.Type
        case .filter: type is any Filter.Type
        case .scorer: type is any Scorer.Type
        case .picker: type is any Picker.Type
        case .dataProducer: type is any DataProducer.Type
        case .screener: type is any Screener.Type
        case .admitter: type is any Admitter.Type
        case .agentIdentifier: type is any AgentIdentifier.Type
        case .preRequest: type is any PreRequest.Type
        case .loadEstimator: type is any LoadEstimator.Type
        case .responseHeaderProcessor: type is any ResponseHeaderProcessor.Type
        case .responseReporter: type is any ResponseReporter.Type
        case .responseObserver: type is any ResponseObserver.Type
        case .serviceObserver: type is any ServiceObserver.Type
        case .endpointObserver: type is any EndpointObserver.Type
        case .dataSource: type is any DataSource.Type
        case .extractor: type is any DataExtractor.Type
        case .endpointSource: type is any EndpointSource.Type
        case .parser: type is any RequestParser.Type
        case .fairnessPolicy: type is any FairnessPolicy.Type
        case .orderingPolicy: type is any OrderingPolicy.Type
        case .usageLimitPolicy: type is any UsageLimitPolicy.Type
        case .evictionPolicy: type is any EvictionPolicy.Type
        case .other: false
        }
    }
}
