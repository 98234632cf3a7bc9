/// The slots for LoRA adapters. A sequence can run only while its adapter is resident; an adapter nobody runs with
/// gives way to one that is wanted, the least recently used first.
struct AdapterSlots {
    /// What a request for an adapter gets.
    enum Availability: Hashable {
        /// The adapter is resident.
        case resident
        /// The adapter is being loaded.
        case loading
        /// Every slot holds an adapter that is loading or in use.
        case noSlot
    }

    private struct Slot {
        var adapter: String
        var residentAt: SimulatedTime
        var users = 0
        var lastUse: UInt64
    }

    private let capacity: Int
    private let loadNanoseconds: Int64
    private var slots: [Slot] = []
    private var uses: UInt64 = 0
    /// Adapters brought into a slot since the beginning.
    private(set) var loads = 0

    init(capacity: Int, loadTime: Duration) {
        self.capacity = capacity
        self.loadNanoseconds = loadTime.wholeNanoseconds
    }

    /// Adapters that are resident at `now`, sorted.
    func residents(at now: SimulatedTime) -> [String] {
        slots.filter { $0.residentAt <= now }.map(\.adapter).sorted()
    }

    /// The earliest end of a load that is not over at `now`.
    func nextLoadEnd(after now: SimulatedTime) -> SimulatedTime? {
        slots.lazy.map(\.residentAt).filter { $0 > now }.min()
    }

    /// Whether a sequence with this adapter could run at `now`.
    func isResident(_ adapter: String, at now: SimulatedTime) -> Bool {
        slots.contains { $0.adapter == adapter && $0.residentAt <= now }
    }

    /// Asks for an adapter and begins to load it if a slot can be had.
    mutating func request(_ adapter: String, at now: SimulatedTime) -> Availability {
        if let slot = slots.first(where: { $0.adapter == adapter }) {
            return slot.residentAt <= now ? .resident : .loading
        }
        let slot = Slot(adapter: adapter, residentAt: now.advanced(byNanoseconds: loadNanoseconds), lastUse: uses)
        if slots.count < capacity {
            slots.append(slot)
        } else if let idle = leastRecentlyUsedIdleSlot(at: now) {
            slots[idle] = slot
        } else {
            return .noSlot
        }
        loads += 1
        return loadNanoseconds == 0 ? .resident : .loading
    }

    /// Counts a sequence that begins to run with a resident adapter.
    mutating func retain(_ adapter: String) {
        guard let index = slots.firstIndex(where: { $0.adapter == adapter }) else {
            return
        }
        uses += 1
        slots[index].users += 1
        slots[index].lastUse = uses
    }

    /// Counts a sequence that no longer runs with its adapter.
    mutating func release(_ adapter: String) {
        guard let index = slots.firstIndex(where: { $0.adapter == adapter }) else {
            return
        }
        slots[index].users -= 1
    }

    /// Frees the adapter's slot unless a sequence runs with it; then it stays until another adapter wants the slot.
    mutating func remove(_ adapter: String) {
        slots.removeAll { $0.adapter == adapter && $0.users == 0 }
    }

    private func leastRecentlyUsedIdleSlot(at now: SimulatedTime) -> Int? {
        slots.indices
            .filter { slots[$0].users == 0 && slots[$0].residentAt <= now }
            .min { slots[$0].lastUse < slots[$1].lastUse }
    }
}
