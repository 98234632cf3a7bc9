import GatewayConfiguration
import GatewayCore
import KubernetesClient

extension ClusterState {
    /// What the objects that belong to the pool should say of themselves, in the order of their types and names.
    package var statuses: [DesiredStatus] {
        let modelsInEffect = Set(configuration.effectiveModels.map(\.metadata.id))
        var named: Set<[String]> = []
        return (ClusterResources.objectives + ClusterResources.rewrites + [ClusterResources.models]).flatMap { type in
            entries(of: type).filter { claims($0.object, type) }.map { entry in
                let name = entry.object.metadata.id
                // One that was never right goes before nobody.
                let isShadowed = named.contains([type.kind, name.namespace, name.name])
                if entry.set != nil { named.insert([type.kind, name.namespace, name.name]) }
                return DesiredStatus(
                    entry.object, type, verdict(entry, isShadowed: isShadowed, modelsInEffect: modelsInEffect)
                )
            }
        }
    }

    private func verdict(
        _ entry: ResourceShelf.Entry,
        isShadowed: Bool,
        modelsInEffect: Set<ResourceName>
    ) -> DesiredStatus.Verdict {
        if let fault = entry.fault { return .invalid(fault, stillHolds: entry.set != nil) }
        if isShadowed { return .shadowed }
        if let model = entry.set?.models.first, !modelsInEffect.contains(model.metadata.id) {
            return .modelInUse(model.model)
        }
        return .accepted
    }

    /// Whether an object says that it belongs to the pool, right or wrong as the rest of it may be.
    private func claims(_ object: ClusterObject, _ type: APIResource) -> Bool {
        guard case .resource(let poolGroup) = scope.definition, let reference = object.fields["spec"]?["poolRef"],
            reference["name"]?.text == scope.pool.name
        else { return false }
        if type == ClusterResources.models { return true }
        return reference["group"]?.text ?? APIGroup.inference == poolGroup
    }
}

extension ConfigurationValue {
    /// The text that the value is; `nil` for anything else.
    fileprivate var text: String? {
        if case .string(let text) = content { text } else { nil }
    }
}
