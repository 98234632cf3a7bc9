import DataLayer
import GatewayCore

/// The simulation's own count of open requests, which the gateway's must equal after every step.
struct LeaseCheck {
    private struct Life {
        let life: EndpointLife
        let name: String
        let load: EndpointLoad
        var open = 0
    }

    private var lives: [Life] = []
    /// Requests that some server has.
    private(set) var openCount = 0

    /// A server has taken a request that was sent to `endpoint`.
    mutating func opened(on endpoint: EndpointSnapshot) {
        openCount += 1
        let life = EndpointLife(endpoint)
        if let index = lives.firstIndex(where: { $0.life == life }) {
            lives[index].open += 1
        } else {
            lives.append(Life(life: life, name: endpoint.id.name, load: endpoint.load, open: 1))
        }
    }

    /// The request is no longer at the endpoint.
    mutating func closed(on life: EndpointLife) {
        openCount -= 1
        guard let index = lives.firstIndex(where: { $0.life == life }) else { return }
        lives[index].open -= 1
    }

    /// What the gateway counts differently; `nil` when the counts agree.
    func difference(from store: EndpointStore) -> String? {
        let leases = store.ledger.openLeases
        if leases != openCount { return "the gateway holds \(leases) leases, and \(openCount) requests are open" }
        for life in lives {
            let load = life.load
            if load.requests != life.open {
                return "the gateway counts \(load.requests) requests on \(life.name), and \(life.open) are open there"
            }
            if life.open == 0, load.tokens != 0 {
                return "the gateway counts \(load.tokens) tokens on \(life.name), and no request is open there"
            }
        }
        for endpoint in store.current.endpoints where !lives.contains(where: { $0.life == EndpointLife(endpoint) }) {
            let requests = endpoint.load.requests
            if requests != 0 {
                return "the gateway counts \(requests) requests on \(endpoint.id.name), which never had one"
            }
        }
        return nil
    }
}
