package import GatewayCore

/// What the plugin reference says of one type.
package struct PluginDescription: Sendable {
    /// Data that a plugin reads.
    package struct Need: Sendable {
        /// The data's type.
        package let data: String
        /// The plugin that writes it, when the parameters name no other.
        package let producer: String
        /// Whether the plugin cannot do without.
        package let isRequired: Bool
    }

    /// What the type says of itself.
    package let descriptor: PluginDescriptor
    /// Where its instances act, the foremost first; empty for a type that this release does not have.
    package let kinds: [PluginKind]
    /// The type that this is another name of.
    package let canonicalType: String?
    /// The parameters.
    package let parameters: ParameterSchema
    /// The types of the data that it writes.
    package let produces: [String]
    /// The data that it reads.
    package let needs: [Need]
}

extension PluginRegistry {
    /// The descriptions of all types, in the order of registration.
    package var descriptions: [PluginDescription] { entries.map(description) }

    /// The description of the type called `name`; `nil` when there is none.
    package func description(of name: String) -> PluginDescription? {
        self[name].map(description)
    }

    private func description(_ entry: Entry) -> PluginDescription {
        let descriptor = entry.descriptor
        guard descriptor.obstacle == nil, let outline = outline(of: descriptor.type) else {
            return PluginDescription(
                descriptor: descriptor, kinds: [], canonicalType: nil, parameters: ParameterSchema(fields: []),
                produces: [], needs: []
            )
        }
        let own = entry.type.descriptor.type
        return PluginDescription(
            descriptor: descriptor,
            kinds: PluginKind.kinds(of: entry.type),
            canonicalType: own == descriptor.type ? nil : own,
            parameters: outline.parameters,
            produces: outline.produced.map { $0.parts.data },
            needs: outline.consumed.map { declaration in
                let (data, producer) = declaration.parts
                return PluginDescription.Need(
                    data: data, producer: producer, isRequired: declaration.requirement == .required
                )
            }
        )
    }
}

extension PluginContext.Declaration {
    /// The two halves of the key: the data's type and its producer.
    fileprivate var parts: (data: String, producer: String) {
        let parts = key.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
}
