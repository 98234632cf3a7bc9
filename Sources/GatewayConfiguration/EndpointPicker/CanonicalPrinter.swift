import GatewayCore

/// Prints an endpoint picker's configuration in its one canonical form: block-style YAML with a fixed order of keys,
/// whole numbers for amounts, Go's form for durations, and nothing that has no value. Equal configurations print equal
/// text, and the text decodes to an equal configuration.
package enum CanonicalPrinter {
    /// The canonical text of `configuration`, ending in a line break.
    package static func print(_ configuration: EndpointPickerConfiguration) -> String {
        YAMLPrinter.print(tree(configuration))
    }

    private static func tree(_ configuration: EndpointPickerConfiguration) -> ConfigurationValue {
        object([
            ("apiVersion", .string(EndpointPickerConfiguration.apiVersions[0])),
            ("kind", .string("EndpointPickerConfig")),
            ("metadata", configuration.pool.map(metadata)),
            (
                "featureGates",
                list(configuration.featureGates.map { value(.string("\($0.name)=\($0.isEnabled)")) })
            ),
            ("plugins", list(configuration.plugins.map(plugin))),
            ("schedulingProfiles", list(configuration.schedulingProfiles.map(profile))),
            ("dataLayer", dataLayer(configuration.dataLayer)),
            ("flowControl", flowControl(configuration)),
            ("requestHandler", list(configuration.parsers.map(reference)).map { object([("parsers", $0)]).content }),
        ])
    }

    private static func metadata(_ pool: ResourceName) -> ConfigurationValue.Content {
        object([("name", .string(pool.name)), ("namespace", .string(pool.namespace))]).content
    }

    private static func plugin(_ plugin: EndpointPickerConfiguration.Plugin) -> ConfigurationValue {
        object([
            ("name", .string(plugin.name)), ("type", .string(plugin.type)), ("parameters", plugin.parameters?.content),
        ])
    }

    private static func profile(_ profile: EndpointPickerConfiguration.SchedulingProfile) -> ConfigurationValue {
        let plugins = profile.plugins.map { member in
            object([("pluginRef", .string(member.plugin.name)), ("weight", member.weight.map(number))])
        }
        return object([("name", .string(profile.name)), ("plugins", list(plugins))])
    }

    private static func dataLayer(_ data: EndpointPickerConfiguration.DataLayer) -> ConfigurationValue.Content? {
        let sources = data.sources.map { source in
            object([
                ("pluginRef", .string(source.source.name)), ("extractors", list(source.extractors.map(reference))),
            ])
        }
        return object([
            ("injectDefaults", data.injectsDefaults ? nil : .bool(false)),
            ("sources", list(sources)),
            ("discovery", data.discovery.map { reference($0).content }),
            ("peerDiscovery", data.peerDiscovery.map { reference($0).content }),
            ("crossReplicaSyncerPluginRef", data.crossReplicaSyncer.map { .string($0.name) }),
            ("crossReplicaSyncInterval", data.crossReplicaSyncInterval.map(duration)),
        ]).contentUnlessEmpty
    }

    private static func flowControl(_ configuration: EndpointPickerConfiguration) -> ConfigurationValue.Content? {
        let flow = configuration.flowControl
        return object([
            ("maxBytes", flow?.maxBytes.map { .int($0) }),
            ("maxRequests", flow?.maxRequests.map { .int($0) }),
            ("defaultRequestTTL", flow.map { duration($0.defaultRequestTTL) }),
            ("noEndpointRequestTTL", flow.map { duration($0.noEndpointRequestTTL) }),
            ("defaultPriorityBand", flow.map { object(template($0.defaultPriorityBand)).content }),
            ("defaultNegativePriorityBand", flow.map { object(template($0.defaultNegativePriorityBand)).content }),
            ("priorityBands", list(flow?.priorityBands.map(band) ?? [])),
            ("usageLimitPolicyPluginRef", flow.map { .string($0.usageLimitPolicy.name) }),
            ("saturationDetector", configuration.saturationDetector.map { reference($0).content }),
            ("enableEviction", flow.map { .bool($0.evicts) }),
            ("lowerPriorityShare", flow.flatMap { $0.lowerPriorityShare > 0 ? .double($0.lowerPriorityShare) : nil }),
        ]).contentUnlessEmpty
    }

    private static func band(_ band: EndpointPickerConfiguration.PriorityBand) -> ConfigurationValue {
        object([("priority", .int(Int64(band.priority)))] + template(band))
    }

    private static func template(
        _ band: EndpointPickerConfiguration.PriorityBand
    ) -> [(String, ConfigurationValue.Content?)] {
        [
            ("maxBytes", .int(band.maxBytes)),
            ("maxRequests", .int(band.maxRequests)),
            ("fairnessPolicyRef", .string(band.fairnessPolicy.name)),
            ("orderingPolicyRef", .string(band.orderingPolicy.name)),
        ]
    }

    // MARK: - Values

    private static func object(_ members: [(String, ConfigurationValue.Content?)]) -> ConfigurationValue {
        value(
            .object(
                members.compactMap { key, content in
                    content.map {
                        ConfigurationValue.Member(key: key, keyPosition: .builtin, value: value($0))
                    }
                }
            )
        )
    }

    /// A list; `nil` when it is empty.
    private static func list(_ elements: [ConfigurationValue]) -> ConfigurationValue.Content? {
        elements.isEmpty ? nil : .array(elements)
    }

    private static func reference(_ reference: EndpointPickerConfiguration.PluginReference) -> ConfigurationValue {
        object([("pluginRef", .string(reference.name))])
    }

    private static func duration(_ duration: Duration) -> ConfigurationValue.Content {
        .string(GoDuration.format(duration))
    }

    /// A whole number without a point where it is one.
    private static func number(_ number: Double) -> ConfigurationValue.Content {
        Int64(exactly: number).map { .int($0) } ?? .double(number)
    }

    private static func value(_ content: ConfigurationValue.Content) -> ConfigurationValue {
        ConfigurationValue(content)
    }
}

extension ConfigurationValue {
    /// The content; `nil` for an object without members.
    fileprivate var contentUnlessEmpty: Content? {
        content == .object([]) ? nil : content
    }
}
