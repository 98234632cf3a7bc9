import GatewayCore

/// What is known of one life of one endpoint beside its snapshot.
struct EndpointRecord {
    let life: EndpointLife
    var description: EndpointDescription
    var health: EjectionStateMachine
    /// Whether an operator took it out: it gets no new request.
    var isCordoned = false

    /// Whether it is a candidate, whatever the time.
    var isPlain: Bool { health.standing == .available && !isCordoned }

    /// The same life as a source describes it now.
    func with(_ description: EndpointDescription) -> EndpointRecord {
        EndpointRecord(life: life, description: description, health: health, isCordoned: isCordoned)
    }
}

/// The endpoints of a pool as a plain value: slots, records and snapshots. ``EndpointStore`` guards it.
struct EndpointTable {
    /// In the order of the source.
    private(set) var records: [EndpointRecord] = []
    /// The snapshots, parallel to `records`; shared with the views, so a change copies it at most once per view.
    private(set) var snapshots: [EndpointSnapshot] = []
    /// The model lists, parallel to `records`; `nil` until the endpoint told. Shared with the views like `snapshots`.
    private(set) var modelLists: [[ServedModel]?] = []
    /// What was wrong with the last pages of endpoints, by type of source; endpoints and sources without faults are
    /// left out, so it is empty most of the time. Shared with the views like `snapshots`.
    private(set) var faults: [EndpointID: [String: [ScrapeFault]]] = [:]
    /// The names of all endpoints.
    private var names: Set<EndpointID> = []
    /// By slot: the position in `records`; `nil` while the slot is free or waits for its release.
    private var positions: [Int?] = []
    /// By slot: how many endpoints had it.
    private var incarnations: [Int] = []
    /// Slots that may be given out, the largest first, so that the smallest is taken from the end.
    private var freeSlots: [Int] = []
    private let ejection: EjectionConfiguration

    init(ejection: EjectionConfiguration) {
        self.ejection = ejection
    }

    /// The position of `life`; `nil` when that life is over.
    func position(of life: EndpointLife) -> Int? {
        guard positions.indices.contains(life.slot), let position = positions[life.slot] else { return nil }
        return records[position].life == life ? position : nil
    }

    /// Makes `descriptions` the whole set; of two with the same name the first counts.
    ///
    /// - Returns: the endpoints that left, whose slots stay taken until ``release(_:)``; `nil` when nothing changed.
    mutating func replace(_ descriptions: [EndpointDescription]) -> [EndpointSnapshot]? {
        let (changed, incoming) = difference(to: descriptions)
        if changed.isEmpty, incoming.isEmpty { return nil }
        var old: [EndpointID: Int] = [:]
        for position in changed { old[records[position].description.id] = position }
        var seen: Set<EndpointID> = []
        var next = Run()
        for description in incoming where seen.insert(description.id).inserted {
            if let position = old[description.id], records[position].description.address == description.address {
                old[description.id] = nil
                next.append(
                    records[position].with(description),
                    snapshots[position].updated(to: description, from: records[position].description),
                    modelLists[position]
                )
            } else {
                let life = takeSlot()
                let health = EjectionStateMachine(configuration: ejection)
                let record = EndpointRecord(life: life, description: description, health: health)
                next.append(record, EndpointSnapshot(description, life: life), nil)
            }
        }
        let left = old.values.sorted().map { snapshots[$0] }
        for snapshot in left where !faults.isEmpty { faults[snapshot.id] = nil }
        put(next, at: changed)
        return left
    }

    /// Some endpoints in a row, as the table holds them.
    private struct Run {
        var records: [EndpointRecord] = []
        var snapshots: [EndpointSnapshot] = []
        var modelLists: [[ServedModel]?] = []

        mutating func append(_ record: EndpointRecord, _ snapshot: EndpointSnapshot, _ models: [ServedModel]?) {
            records.append(record)
            snapshots.append(snapshot)
            modelLists.append(models)
        }
    }

    /// Where the table is not `descriptions`, and what should be there. A cluster tells of one pod among thousands at a
    /// time, so what is the same at both ends is left alone.
    private func difference(to descriptions: [EndpointDescription]) -> (Range<Int>, ArraySlice<EndpointDescription>) {
        let shorter = min(records.count, descriptions.count)
        var head = 0
        while head < shorter, records[head].description == descriptions[head] { head += 1 }
        var tail = 0
        while tail < shorter - head,
            records[records.count - 1 - tail].description == descriptions[descriptions.count - 1 - tail]
        { tail += 1 }
        let changed = head..<records.count - tail
        let incoming = descriptions[head..<descriptions.count - tail]
        let leaving = Set(changed.map { records[$0].description.id })
        // A name that an end has already: which of the two counts is decided over everything.
        if incoming.contains(where: { names.contains($0.id) && !leaving.contains($0.id) }) {
            return (records.indices, descriptions[...])
        }
        return (changed, incoming)
    }

    /// Puts `next` where `range` is.
    private mutating func put(_ next: Run, at range: Range<Int>) {
        for record in records[range] {
            positions[record.life.slot] = nil
            names.remove(record.description.id)
        }
        records.replaceSubrange(range, with: next.records)
        snapshots.replaceSubrange(range, with: next.snapshots)
        modelLists.replaceSubrange(range, with: next.modelLists)
        for record in next.records { names.insert(record.description.id) }
        let isShifted = next.records.count != range.count
        let end = isShifted ? records.count : range.upperBound
        for position in range.lowerBound..<end { positions[records[position].life.slot] = position }
    }

    /// Gives the slots of endpoints that left back, after everyone who keeps state by slot was told.
    mutating func release(_ left: [EndpointSnapshot]) {
        for snapshot in left { freeSlots.append(snapshot.slot) }
        freeSlots.sort(by: >)
    }

    /// Replaces the snapshot at `position`.
    mutating func setSnapshot(_ snapshot: EndpointSnapshot, at position: Int) {
        snapshots[position] = snapshot
    }

    /// Stores the models that the endpoint at `position` told.
    ///
    /// - Returns: whether their names changed.
    mutating func setModels(_ models: [ServedModel], at position: Int) -> Bool {
        let names = models.map(\.id)
        let isChanged = snapshots[position].models != names
        modelLists[position] = models
        if isChanged { snapshots[position] = snapshots[position].replacing(models: names) }
        return isChanged
    }

    /// Replaces the faults of one source.
    mutating func setFaults(_ new: [ScrapeFault], from source: String, at position: Int) {
        let id = records[position].description.id
        var ofEndpoint = faults[id] ?? [:]
        ofEndpoint[source] = new.isEmpty ? nil : new
        faults[id] = ofEndpoint.isEmpty ? nil : ofEndpoint
    }

    /// Whether the faults of one source are others than `new`. Most pages have none, which costs nothing as long as no
    /// endpoint has any.
    func wouldChangeFaults(to new: [ScrapeFault], from source: String, at position: Int) -> Bool {
        if faults.isEmpty { return !new.isEmpty }
        return (faults[records[position].description.id]?[source] ?? []) != new
    }

    /// Drops the faults of all endpoints.
    mutating func forgetFaults() {
        faults = [:]
    }

    /// The position of the endpoint called `id`; `nil` when there is none.
    func position(of id: EndpointID) -> Int? {
        names.contains(id) ? records.firstIndex { $0.description.id == id } : nil
    }

    /// Takes the endpoint at `position` out, or in again.
    mutating func setCordoned(_ isCordoned: Bool, at position: Int) {
        records[position].isCordoned = isCordoned
    }

    /// Lets `change` feed the health of the endpoint at `position`.
    ///
    /// - Returns: what changed, and whether the set of candidates may have changed.
    mutating func updateHealth<Result>(
        at position: Int,
        _ change: (inout EjectionStateMachine) -> Result
    ) -> (result: Result, standingChanged: Bool) {
        let before = records[position].health.standing
        let result = change(&records[position].health)
        return (result, records[position].health.standing != before)
    }

    private mutating func takeSlot() -> EndpointLife {
        if let slot = freeSlots.popLast() {
            incarnations[slot] += 1
            return EndpointLife(slot: slot, incarnation: incarnations[slot])
        }
        let slot = positions.count
        positions.append(nil)
        incarnations.append(0)
        return EndpointLife(slot: slot, incarnation: 0)
    }
}

extension EndpointSnapshot {
    /// The first snapshot of a life.
    convenience init(_ description: EndpointDescription, life: EndpointLife) {
        self.init(
            id: description.id,
            slot: life.slot,
            incarnation: life.incarnation,
            address: description.address,
            labels: description.labels,
            podName: description.podName
        )
    }

    /// The same life as a source describes it now; `old` is how it did before.
    func updated(to description: EndpointDescription, from old: EndpointDescription) -> EndpointSnapshot {
        if description == old { return self }
        return EndpointSnapshot(
            id: id, slot: slot, incarnation: incarnation, address: address, labels: description.labels,
            metrics: metrics, metricsUpdatedAt: metricsUpdatedAt, requestsAtMetrics: requestsAtMetrics,
            provenRequests: provenRequests, models: models, attributes: attributes, load: load,
            podName: description.podName
        )
    }

    func replacing(models: [String]) -> EndpointSnapshot {
        EndpointSnapshot(
            id: id, slot: slot, incarnation: incarnation, address: address, labels: labels, metrics: metrics,
            metricsUpdatedAt: metricsUpdatedAt, requestsAtMetrics: requestsAtMetrics, provenRequests: provenRequests,
            models: models, attributes: attributes, load: load, podName: podName
        )
    }

    func replacing(
        metrics: EndpointMetrics,
        updatedAt: MonotonicInstant,
        requests: Int,
        attributes: [String: Double]
    ) -> EndpointSnapshot {
        let running = metrics.waitingQueueSize == 0 ? metrics.runningRequests : 0
        return EndpointSnapshot(
            id: id, slot: slot, incarnation: incarnation, address: address, labels: labels, metrics: metrics,
            metricsUpdatedAt: updatedAt, requestsAtMetrics: requests, provenRequests: max(provenRequests, running),
            models: models, attributes: attributes, load: load, podName: podName
        )
    }

    func replacing(attributes: [String: Double]) -> EndpointSnapshot {
        EndpointSnapshot(
            id: id, slot: slot, incarnation: incarnation, address: address, labels: labels, metrics: metrics,
            metricsUpdatedAt: metricsUpdatedAt, requestsAtMetrics: requestsAtMetrics, provenRequests: provenRequests,
            models: models, attributes: attributes, load: load, podName: podName
        )
    }
}

extension [String: Double] {
    /// The attributes with those of `readings`; the same storage when nothing changed, which is the usual case.
    func updated(with readings: [AttributeReading]) -> Self {
        guard readings.contains(where: { self[$0.key] != $0.value }) else { return self }
        var updated = self
        for reading in readings { updated[reading.key] = reading.value }
        return updated
    }
}
