import GatewayCore

/// A number about endpoints that a configuration chooses by its name and by the plugin that fills it.
enum EndpointAttribute: Hashable, Sendable {
    /// Requests that wait in the engine.
    case waitingRequests
    /// Requests that the engine works on.
    case runningRequests
    /// The share of the KV cache in use.
    case kvCacheUsage
    /// One that a page tells, by its key.
    case stored(key: String)

    /// The attribute called `name` that `producer`, a plugin type, fills.
    init(name: String, producer: String) {
        let isCore = producer == CoreMetricsExtractor.descriptor.type
        switch name {
        case "WaitingQueueSize" where isCore: self = .waitingRequests
        case "RunningRequestsSize" where isCore: self = .runningRequests
        case "KVCacheUsagePercent" where isCore: self = .kvCacheUsage
        default: self = .stored(key: "\(name)/\(producer)")
        }
    }

    /// Reads the attribute's name at `key` and its `producer`, by default the extractor of engine metrics, and declares
    /// that the plugin being built needs it.
    init(_ parameters: ParameterDecoder, key: String, context: inout PluginContext) {
        let name = parameters.requiredString(key)
        let producer = parameters.string("producer")
        if producer == nil, name.utf8.contains(UInt8(ascii: "/")) {
            parameters.report("'\(name)' has a '/': write the part behind it as producer", at: key)
        }
        self.init(name: name, producer: producer ?? CoreMetricsExtractor.descriptor.type)
        if case .stored(let key) = self, !name.isEmpty { context.consumeAttribute(key) }
    }

    /// Its name, with the producer of one that a page tells.
    var name: String {
        switch self {
        case .waitingRequests: "WaitingQueueSize"
        case .runningRequests: "RunningRequestsSize"
        case .kvCacheUsage: "KVCacheUsagePercent"
        case .stored(let key): key
        }
    }

    /// The finite number; `nil` when `endpoint` has not told it.
    func value(on endpoint: EndpointSnapshot) -> Double? {
        let value: Double?
        switch self {
        case .stored(let key): value = endpoint.attributes[key]
        case _ where endpoint.metricsUpdatedAt == nil: value = nil
        case .waitingRequests: value = Double(endpoint.metrics.waitingQueueSize)
        case .runningRequests: value = Double(endpoint.metrics.runningRequests)
        case .kvCacheUsage: value = endpoint.metrics.kvCacheUsage
        }
        return value.flatMap { $0.isFinite ? $0 : nil }
    }
}
