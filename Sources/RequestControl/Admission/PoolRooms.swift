package import DataLayer
package import FlowControl
package import GatewayCore

/// How much room the endpoints of one pool have, by its saturation detector.
///
/// Each endpoint is asked about by itself and counts as full at most, so that a pool is full exactly when every
/// endpoint of which something is known is. Where endpoints have parts in a request by their label, such as prefill and
/// decode, the fuller part counts.
package struct PoolRooms: PoolRoomSource {
    private let endpoints: EndpointStore
    private let detector: any SaturationDetector

    /// Makes it for the endpoints of a pool.
    package init(endpoints: EndpointStore, detector: any SaturationDetector) {
        self.endpoints = endpoints
        self.detector = detector
    }

    /// The room of the available endpoints that `constraint` leaves.
    package func room(
        for constraint: RequestConstraint,
        adding pending: PendingLoad,
        at now: MonotonicInstant
    ) -> PoolRoom {
        var view = endpoints.current.available
        if constraint != .none {
            view = constraint.subset.map { subset in view.filter { subset.contains($0.address) } } ?? view
            view = view.serving(constraint.model)
        }
        if view.isEmpty { return PoolRoom(isEmpty: true, saturation: 1) }
        return PoolRoom(isEmpty: false, saturation: saturation(of: view, adding: pending, at: now))
    }

    /// When metrics of an endpoint get too old for the detector, or an endpoint may be tried again.
    package func nextChange(after now: MonotonicInstant) -> MonotonicInstant? {
        let view = endpoints.current
        var next = view.validUntil.flatMap { $0 > now ? $0 : nil }
        if let lifetime = detector.metricsLifetime {
            for endpoint in view.available {
                // A little later, so that whoever asks then finds them too old.
                let end = endpoint.metricsUpdatedAt?.advanced(by: lifetime).advanced(by: .microseconds(1))
                if let end, end > now { next = next.map { min($0, end) } ?? end }
            }
        }
        return next
    }

    /// How full each part of the pool is, for people.
    package func stages(at now: MonotonicInstant) -> (prefill: Double?, decode: Double?, effective: Double) {
        let view = endpoints.current.available
        let prefill = share(of: view, adding: .none, at: now) { $0.prefills }
        let decode = share(of: view, adding: .none, at: now) { $0.decodes }
        return (prefill, decode, view.isEmpty ? 1 : saturation(of: view, adding: .none, at: now))
    }

    private func saturation(of view: [EndpointSnapshot], adding pending: PendingLoad, at now: MonotonicInstant)
        -> Double
    {
        let decode = share(of: view, adding: pending, at: now) { $0.decodes }
        // Most pools have one part.
        let hasPrefill = view.contains { $0.role.prefills }
        let prefill = hasPrefill ? share(of: view, adding: pending, at: now) { $0.prefills } : nil
        if decode == nil, prefill == nil { return share(of: view, adding: pending, at: now) { _ in true } ?? 0 }
        return max(decode ?? 0, prefill ?? 0)
    }

    /// The mean fullness of the endpoints that have a part, each at most 1; 0 when nothing is known of any, `nil` when
    /// there are none.
    private func share(
        of view: [EndpointSnapshot],
        adding pending: PendingLoad,
        at now: MonotonicInstant,
        where hasPart: (EndpointRole) -> Bool
    ) -> Double? {
        // What is on its way goes where there is room.
        var share = PendingLoad.none
        if pending != .none {
            let free = view.count { endpoint in
                hasPart(endpoint.role) && (detector.fullness(of: endpoint, adding: .none, now: now) ?? 0) < 1
            }
            if free > 0 {
                share = PendingLoad(requests: pending.requests / Double(free), tokens: pending.tokens / Double(free))
            }
        }
        var sum = 0.0
        var known = 0
        var count = 0
        for endpoint in view where hasPart(endpoint.role) {
            count += 1
            guard let fullness = detector.fullness(of: endpoint, adding: share, now: now) else { continue }
            known += 1
            // A comparison with NaN is false, so what a foreign detector cannot tell counts as full.
            sum += fullness < 1 ? max(0, fullness) : 1
        }
        if count == 0 { return nil }
        return known == 0 ? 0 : sum / Double(known)
    }
}
