import GatewayCore

extension EndpointTable {
    /// Who may be sent requests, and who may not and why.
    struct Availability {
        var available: [EndpointSnapshot] = []
        var outages: [EndpointOutage] = []
        var cordoned: Set<EndpointID> = []
        /// When time alone changes ``available``.
        var validUntil: MonotonicInstant?
    }

    /// The candidates at `now`, after the changes that time brought.
    mutating func candidates(at now: MonotonicInstant) -> Availability {
        var availability = Availability()
        var inTrial: [EndpointSnapshot] = []
        for position in records.indices {
            let (_, _) = updateHealth(at: position) { $0.tick(at: now) }
            let health = records[position].health
            switch health.standing {
            case _ where records[position].isCordoned: availability.cordoned.insert(snapshots[position].id)
            case .available, .trialFree: availability.available.append(snapshots[position])
            case .trialInFlight: inTrial.append(snapshots[position])
            case .ejected: break
            }
            if let change = health.nextChange {
                availability.validUntil = min(availability.validUntil ?? change, change)
            }
            if let ejection = health.ejection {
                availability.outages.append(
                    EndpointOutage(
                        id: snapshots[position].id,
                        reason: ejection.reason,
                        detail: ejection.detail,
                        since: ejection.since,
                        until: ejection.until
                    )
                )
            }
        }
        if availability.available.isEmpty { availability.available = inTrial }
        return availability
    }
}
