import GatewayConfiguration
package import GatewayCore
package import KubernetesClient
package import Logging
import Synchronization

/// Follows the ConfigMaps that say which base model an adapter belongs to. Safe from any thread.
///
/// What the mapping is follows from all maps that are there now, so a map that is renamed, deleted or given another
/// base leaves nothing behind.
package final class ModelMapWatch: Sendable {
    private let reflector: @Sendable (ModelMapWatch) -> Reflector<ClusterObject>
    private let logger: Logger
    private let onChange: @Sendable (ModelMapping) -> Void
    private let onSettled: @Sendable () -> Void
    private let shelf = Mutex(ResourceShelf(ClusterResources.configMaps))

    /// Follows the maps of `namespace`, `nil` for those of all, once ``run()`` is called.
    ///
    /// - Parameters:
    ///   - client: asks the cluster.
    ///   - logger: is told what people should know.
    ///   - onChange: is told the mapping whenever it is another one, one call after the other.
    ///   - onSettled: is called when the mapping is known, or when the maps may not be read; more than once.
    package init(
        namespace: String?,
        client: APIClient,
        configuration: ReflectorConfiguration = ReflectorConfiguration(),
        logger: Logger,
        onChange: @escaping @Sendable (ModelMapping) -> Void,
        onSettled: @escaping @Sendable () -> Void
    ) {
        self.logger = logger
        self.onChange = onChange
        self.onSettled = onSettled
        var query = ResourceQuery(ClusterResources.configMaps, namespace: namespace)
        query.labelSelector = "\(ConfigMapResource.label.name)=\(ConfigMapResource.label.value)"
        reflector = { [query] watch in
            Reflector(client: client, query: query, configuration: configuration, logger: logger) { event in
                watch.take(event)
            }
        }
    }

    /// Follows until the task is cancelled.
    package func run() async {
        await reflector(self).run()
    }

    private func take(_ event: ReflectorEvent<ClusterObject>) {
        let (mapping, notes): (ModelMapping?, [ClusterNote]) = shelf.withLock { shelf in
            let (isChanged, notes) = shelf.apply(event)
            return (isChanged ? shelf.mapping : nil, notes)
        }
        for note in notes { logger.log(level: note.level, "\(note.text)") }
        if let mapping {
            for warning in mapping.warnings { logger.warning("\(warning)") }
            onChange(mapping)
        }
        if event.settles { onSettled() }
    }
}

extension ResourceShelf {
    /// The base models of adapters that the maps say together, in the order of their names.
    fileprivate var mapping: ModelMapping {
        ModelMapping(names.compactMap { entries[$0]?.set }.flatMap(\.modelMaps).map(\.entry))
    }
}
