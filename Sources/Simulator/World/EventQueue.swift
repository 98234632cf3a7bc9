import GatewayCore
import HeapModule

/// What happens when, in virtual time. Events of one instant happen in the order in which they were scheduled, so that
/// a run never depends on how a heap breaks ties.
struct EventQueue<Event> {
    private struct Entry: Comparable {
        let time: MonotonicInstant
        let number: UInt64
        let event: Event

        static func < (left: Entry, right: Entry) -> Bool {
            (left.time, left.number) < (right.time, right.number)
        }

        static func == (left: Entry, right: Entry) -> Bool {
            left.number == right.number
        }
    }

    private var heap = Heap<Entry>()
    private var lastNumber: UInt64 = 0

    /// When the next event happens; `nil` when none is scheduled.
    var nextTime: MonotonicInstant? { heap.min?.time }

    /// Adds `event` behind those that are scheduled for the same instant.
    mutating func schedule(_ event: Event, at time: MonotonicInstant) {
        lastNumber += 1
        heap.insert(Entry(time: time, number: lastNumber, event: event))
    }

    /// Takes the next event.
    mutating func popNext() -> Event? {
        heap.popMin()?.event
    }
}
