import GatewayCore

/// Names a request that waits, or waited.
package struct WaitingID: Hashable, Sendable {
    let place: Int
    let generation: UInt64
}

/// The requests that wait, by name.
struct WaitingTable {
    /// A request with the queue that it stands in.
    struct Entry {
        let request: QueuedRequest
        let band: Int
        let flow: Int
        let constraint: ConstraintID
    }

    private struct Place {
        var generation: UInt64 = 0
        var entry: Entry?
    }

    private var places: [Place] = []
    private var free: [Int] = []

    /// How many requests wait.
    var count: Int { places.count - free.count }

    /// The request called `id`; `nil` when it does not wait any more.
    subscript(id: WaitingID) -> Entry? {
        places.indices.contains(id.place) && places[id.place].generation == id.generation
            ? places[id.place].entry : nil
    }

    func isWaiting(_ id: WaitingID) -> Bool {
        places.indices.contains(id.place) && places[id.place].generation == id.generation
            && places[id.place].entry != nil
    }

    mutating func insert(_ entry: Entry) -> WaitingID {
        if let place = free.popLast() {
            places[place].entry = entry
            return WaitingID(place: place, generation: places[place].generation)
        }
        places.append(Place(entry: entry))
        return WaitingID(place: places.count - 1, generation: 0)
    }

    /// Takes a request out; `nil` when it does not wait any more.
    mutating func remove(_ id: WaitingID) -> Entry? {
        guard isWaiting(id) else { return nil }
        places[id.place].generation += 1
        free.append(id.place)
        return places[id.place].entry.take()
    }
}
