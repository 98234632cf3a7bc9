import GatewayConfiguration
package import GatewayCore
package import KubernetesClient

/// The pods of a pool and the endpoints that they are, in the order of their names.
///
/// An endpoint is called after its pod and its place among the pool's ports (`-rank-0`, also where there is one port):
/// so the endpoint picker of llm-d calls them.
package struct PodShelf: Sendable {
    /// A pod with the endpoints that it is now.
    private struct Entry {
        var pod: Pod
        var endpoints: [EndpointDescription]
    }

    /// By name, ascending.
    private var entries: [Entry] = []
    /// The ports of each pod, which are its ranks.
    private var ports: [Int]

    /// An empty shelf of pods with `ports`.
    package init(ports: [Int] = []) {
        self.ports = ports
    }

    /// The endpoints of all pods.
    package var endpoints: [EndpointDescription] { entries.flatMap(\.endpoints) }

    /// How many pods there are, ready or not.
    package var count: Int { entries.count }

    /// Takes what a reflector tells.
    ///
    /// - Returns: whether the endpoints are others now.
    package mutating func apply(_ event: ReflectorEvent<Pod>) -> Bool {
        switch event {
        case .replaced(let pods):
            let before = endpoints
            entries = pods.sorted { $0.metadata.id < $1.metadata.id }.map(entry)
            return endpoints != before
        case .changed(let pod):
            let new = entry(pod)
            let index = insertionIndex(of: pod.metadata.id)
            guard index < entries.count, entries[index].pod.metadata.id == pod.metadata.id else {
                entries.insert(new, at: index)
                return !new.endpoints.isEmpty
            }
            defer { entries[index] = new }
            return entries[index].endpoints != new.endpoints
        case .removed(let name):
            let index = insertionIndex(of: name)
            guard index < entries.count, entries[index].pod.metadata.id == name else { return false }
            return !entries.remove(at: index).endpoints.isEmpty
        case .malformed, .waiting, .resumed:
            return false
        }
    }

    /// Gives every pod other ports.
    ///
    /// - Returns: whether the endpoints are others now.
    package mutating func setPorts(_ new: [Int]) -> Bool {
        guard new != ports else { return false }
        ports = new
        let before = endpoints
        for index in entries.indices { entries[index] = entry(entries[index].pod) }
        return endpoints != before
    }

    /// Drops every pod.
    ///
    /// - Returns: whether there was an endpoint.
    package mutating func removeAll() -> Bool {
        defer { entries = [] }
        return entries.contains { !$0.endpoints.isEmpty }
    }

    /// Where a pod called `name` is, or would be.
    private func insertionIndex(of name: ObjectName) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].pod.metadata.id < name { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func entry(_ pod: Pod) -> Entry {
        guard pod.isEligible else { return Entry(pod: pod, endpoints: []) }
        let active = ActivePorts(annotations: pod.metadata.annotations, mayHave: ports.contains)
        let endpoints: [EndpointDescription] = ports.enumerated().compactMap { rank, port in
            if let active, !active.ports.contains(port) { return nil }
            return EndpointDescription(
                id: EndpointID(namespace: pod.metadata.namespace, name: "\(pod.metadata.name)-rank-\(rank)"),
                address: EndpointAddress(host: pod.address, port: port, isSecure: false),
                labels: pod.metadata.labels,
                podName: pod.metadata.name
            )
        }
        return Entry(pod: pod, endpoints: endpoints)
    }
}
