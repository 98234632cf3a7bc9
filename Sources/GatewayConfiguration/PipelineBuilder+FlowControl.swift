import GatewayCore

// Flow control: which policies the queues have.
extension PipelineAssembly {
    /// The saturation detector that the configuration refers to.
    var saturationDetector: (any SaturationDetector)? {
        configuration.saturationDetector.flatMap { instance($0.name)?.plugin as? any SaturationDetector }
    }

    /// How requests wait; `nil` without the feature gate, or in a build that lacks a policy that is needed.
    func flowControlSettings() -> FlowControlSettings? {
        guard configuration.isEnabled("flowControl") else { return nil }
        let flow = configuration.flowControl ?? EndpointPickerConfiguration.FlowControl()
        guard let template = band(flow.defaultPriorityBand),
            let negativeTemplate = band(flow.defaultNegativePriorityBand),
            let usageLimit = instance(flow.usageLimitPolicy.name)?.plugin as? any UsageLimitPolicy
        else { return nil }
        var settings = FlowControlSettings(template: template, usageLimit: usageLimit)
        settings.negativeTemplate = negativeTemplate
        settings.maxBytes = flow.maxBytes.map { Int($0) }
        settings.maxRequests = flow.maxRequests.map { Int($0) }
        settings.requestTTL = flow.defaultRequestTTL == .zero ? nil : flow.defaultRequestTTL
        settings.noEndpointTTL = flow.noEndpointRequestTTL == .zero ? nil : flow.noEndpointRequestTTL
        settings.lowerPriorityShare = flow.lowerPriorityShare
        for entry in flow.priorityBands { settings.bands[entry.priority] = band(entry) }
        if flow.evicts { settings.eviction = instances.compactMap { $0.plugin as? any EvictionPolicy } }
        return settings
    }

    private func band(_ band: EndpointPickerConfiguration.PriorityBand) -> FlowControlSettings.Band? {
        guard let fairness = instance(band.fairnessPolicy.name)?.plugin as? any FairnessPolicy,
            let ordering = instance(band.orderingPolicy.name)?.plugin as? any OrderingPolicy
        else { return nil }
        return FlowControlSettings.Band(
            maxBytes: Int(band.maxBytes),
            maxRequests: Int(band.maxRequests),
            fairness: fairness,
            ordering: ordering
        )
    }

    /// Warns of policies and detectors that are only listed.
    mutating func warnOfUnusedPolicies() {
        let flow = configuration.flowControl ?? EndpointPickerConfiguration.FlowControl()
        let evicts = flow.evicts && configuration.isEnabled("flowControl")
        var used = Set(flow.references.map(\.name))
        used.formUnion(configuration.schedulingProfiles.flatMap { $0.plugins.map(\.plugin.name) })
        if let detector = configuration.saturationDetector { used.insert(detector.name) }
        for instance in instances where !used.contains(instance.name) {
            let roles = PluginRoles(of: type(of: instance.plugin))
            let place = place(ofPlugin: instance.name)
            if !roles.isDisjoint(with: .flowControl) {
                warn("has no effect: flowControl does not refer to '\(instance.name)'", at: place)
            } else if roles.contains(.evictionPolicy), !evicts {
                warn("has no effect: flowControl.enableEviction is not on", at: place)
            } else if roles.contains(.saturationDetector) {
                let places = "flowControl.saturationDetector nor a profile"
                warn("has no effect: neither \(places) refers to '\(instance.name)'", at: place)
            }
        }
    }
}
