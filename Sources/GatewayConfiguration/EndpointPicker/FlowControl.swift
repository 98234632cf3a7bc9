package import GatewayCore

extension EndpointPickerConfiguration {
    /// How requests wait when the pool is full (`flowControl`).
    package struct FlowControl: Sendable {
        /// The most bytes of all waiting requests; `nil` for no limit.
        package var maxBytes: Int64?
        /// The most waiting requests; `nil` for no limit.
        package var maxRequests: Int64?
        /// How long a request waits while the pool has endpoints; zero for ever. Default 60 s.
        package var defaultRequestTTL = Duration.seconds(60)
        /// How long a request waits while the pool has no endpoint; zero for ever. Default: ``defaultRequestTTL``.
        package var noEndpointRequestTTL = Duration.seconds(60)
        /// The template for priorities without a band of their own.
        package var defaultPriorityBand = PriorityBand(priority: 0)
        /// The template for negative priorities without a band of their own. Default: ``defaultPriorityBand``.
        package var defaultNegativePriorityBand = PriorityBand(priority: 0)
        /// The bands of single priorities, in written order; the priorities differ.
        package var priorityBands: [PriorityBand] = []
        /// The policy that bounds how full the pool may get for a priority.
        package var usageLimitPolicy = PluginReference.builtin(BuiltinPluginType.staticUsageLimit)
        /// Whether requests that run may be ended for more important ones. Default `false`.
        package var evicts = false
        /// The share of dispatches that lower priorities have while higher ones wait, 0 ... 0.9. Default 0: none.
        package var lowerPriorityShare = 0.0
        /// Where the section stands.
        package var position = SourcePosition.builtin
    }

    /// The queue of one priority.
    package struct PriorityBand: Sendable {
        /// The priority; of no meaning in a template.
        package let priority: Int
        /// The most bytes of waiting requests. Default 1 GB.
        package var maxBytes: Int64 = 1_000_000_000
        /// The most waiting requests. Default 5,000.
        package var maxRequests: Int64 = 5_000
        /// The policy that chooses whose turn it is.
        package var fairnessPolicy = PluginReference.builtin(BuiltinPluginType.globalStrictFairness)
        /// The policy that orders the requests of one flow.
        package var orderingPolicy = PluginReference.builtin(BuiltinPluginType.fcfsOrdering)
    }
}

extension EndpointPickerConfiguration.FlowControl {
    init(decoding decoder: ParameterDecoder) {
        position = decoder.position
        maxBytes = Self.limit(decoder, "maxBytes")
        maxRequests = Self.limit(decoder, "maxRequests")
        defaultRequestTTL = decoder.duration("defaultRequestTTL", default: defaultRequestTTL, in: .zero ... .maximalTTL)
        noEndpointRequestTTL = decoder.duration(
            "noEndpointRequestTTL", default: defaultRequestTTL, in: .zero ... .maximalTTL
        )
        if let template = decoder.object("defaultPriorityBand") {
            defaultPriorityBand = EndpointPickerConfiguration.PriorityBand(template: template)
        }
        defaultNegativePriorityBand =
            decoder.object("defaultNegativePriorityBand").map(EndpointPickerConfiguration.PriorityBand.init(template:))
            ?? defaultPriorityBand
        var seen: Set<Int> = []
        priorityBands = decoder.objects("priorityBands").map { entry in
            let priority = entry.requiredInt("priority", in: Int(Int32.min)...Int(Int32.max))
            let isWritten = entry.value("priority")?.content == .int(Int64(priority))
            if isWritten, !seen.insert(priority).inserted {
                entry.report("the priority \(priority) has two bands", at: "priority")
            }
            return EndpointPickerConfiguration.PriorityBand(priority: priority, decoding: entry)
        }
        if let policy = decoder.pluginReference("usageLimitPolicyPluginRef") { usageLimitPolicy = policy }
        evicts = decoder.bool("enableEviction", default: false)
        lowerPriorityShare = decoder.double("lowerPriorityShare", default: lowerPriorityShare, in: 0...0.9)
    }

    /// Zero means no limit, like an absent key.
    private static func limit(_ decoder: ParameterDecoder, _ key: String) -> Int64? {
        decoder.quantity(key).flatMap { $0 == 0 ? nil : $0 }
    }
}

extension EndpointPickerConfiguration.PriorityBand {
    /// Reads a band whose priority nobody uses.
    init(template decoder: ParameterDecoder) {
        decoder.acceptWithoutEffect("priority", because: "a template holds for many priorities")
        self.init(priority: 0, decoding: decoder)
    }

    init(priority: Int, decoding decoder: ParameterDecoder) {
        self.priority = priority
        // An explicit zero means the default here, unlike in the limits of the whole.
        if let bytes = decoder.quantity("maxBytes"), bytes != 0 { maxBytes = bytes }
        if let requests = decoder.quantity("maxRequests"), requests != 0 { maxRequests = requests }
        if let policy = decoder.pluginReference("fairnessPolicyRef") { fairnessPolicy = policy }
        if let policy = decoder.pluginReference("orderingPolicyRef") { orderingPolicy = policy }
    }
}

extension Duration {
    /// The longest time that a request may be told to wait: a day.
    fileprivate static let maximalTTL = Duration.seconds(86_400)
}
