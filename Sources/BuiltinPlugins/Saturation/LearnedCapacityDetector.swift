import GatewayCore
import Synchronization

/// Tells a full pool by how many requests each endpoint was seen to take at once without making them wait. It needs no
/// threshold and no metrics.
///
/// Each life of an endpoint has a limit L, learned by ``LearnedCapacity``, and its fullness is the requests that are
/// open there and on their way, divided by L. The saturation of a pool is the mean over its endpoints.
///
/// As a filter it keeps the endpoints with less than `L · (1 + headroom)` requests open; when there is none, all: what
/// was learned is an estimate.
final class LearnedCapacityDetector: SaturationDetector, Filter, ServiceObserver, EndpointObserver {
    static let descriptor = PluginDescriptor(
        type: "learned-capacity-detector",
        stability: .alpha,
        summary: "Tells a full pool by how many requests its endpoints were seen to take at once; as a filter, keeps "
            + "endpoints with room."
    )

    /// Endpoints have lower slots.
    private static let mostSlots = 1 << 20

    /// What is known of one life of an endpoint.
    private struct Endpoint {
        let incarnation: Int
        var capacity = LearnedCapacity()
    }

    private let headroom: Double
    /// By slot.
    private let endpoints = Mutex<[Endpoint?]>([])

    /// Reads `headroom` (default 0).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        headroom = parameters.headroom()
    }

    func saturation(of candidates: Candidates, now: MonotonicInstant) -> Double {
        if candidates.isEmpty { return 1 }
        return endpoints.withLock { endpoints in
            var sum = 0.0
            for position in candidates.positions {
                sum += Self.share(of: candidates.all[position], adding: 0, in: &endpoints, now)
            }
            return sum / Double(candidates.count)
        }
    }

    func fullness(of endpoint: EndpointSnapshot, adding pending: PendingLoad, now: MonotonicInstant) -> Double? {
        endpoints.withLock { Self.share(of: endpoint, adding: pending.requests, in: &$0, now) }
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        let now = context.now
        var free = candidates
        endpoints.withLock { endpoints in
            free.keep { Self.share(of: $0, adding: 0, in: &endpoints, now) < 1 + headroom }
        }
        if !free.isEmpty { candidates = free }
    }

    func served(_ request: ServedRequest) {
        let (slot, incarnation) = (request.endpoint.slot, request.endpoint.incarnation)
        guard (0..<Self.mostSlots).contains(slot) else { return }
        endpoints.withLock { endpoints in
            while endpoints.count <= slot { endpoints.append(nil) }
            // A request of an earlier life may end after the next has begun.
            if let known = endpoints[slot]?.incarnation, known > incarnation { return }
            if endpoints[slot]?.incarnation != incarnation { endpoints[slot] = Endpoint(incarnation: incarnation) }
            endpoints[slot]?.capacity.observe(request)
        }
    }

    func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        endpoints.withLock { endpoints in
            guard endpoints.indices.contains(endpoint.slot),
                endpoints[endpoint.slot]?.incarnation == endpoint.incarnation
            else { return }
            endpoints[endpoint.slot] = nil
        }
    }

    /// The share of an endpoint's limit that is in use.
    private static func share(
        of endpoint: EndpointSnapshot,
        adding pending: Double,
        in endpoints: inout [Endpoint?],
        _ now: MonotonicInstant
    ) -> Double {
        let requests = max(0, endpoint.load.requests)
        var limit = LearnedCapacity.initialLimit
        if endpoints.indices.contains(endpoint.slot), endpoints[endpoint.slot]?.incarnation == endpoint.incarnation {
            limit = endpoints[endpoint.slot]?.capacity.limit(open: requests, at: now) ?? limit
        }
        return (Double(requests) + pending) / limit
    }
}
