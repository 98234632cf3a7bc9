import KubernetesClient
import KubernetesDiscovery
import Telemetry

extension ClusterMetrics {
    /// Counts what was learned of the objects of `resource`.
    func note(_ observation: ClusterWatch.Observation, of resource: APIResource) {
        let name = "\(resource)"
        switch observation {
        case .listed:
            lists.child(name).increment()
            synced.child(name).set(1)
        case .event: events.child(name).increment()
        case .malformed: malformed.child(name).increment()
        case .waiting: synced.child(name).set(0)
        case .resumed: synced.child(name).set(1)
        }
    }
}
