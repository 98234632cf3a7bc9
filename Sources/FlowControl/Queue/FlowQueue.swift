import GatewayCore
import HeapModule

/// The requests of one flow that may go to the same endpoints, first come by their rank.
///
/// One that leaves from the middle leaves a dead node behind; dead nodes never stand first, and are swept out when they
/// are more than the live ones.
struct FlowQueue {
    /// One request.
    struct Node: Comparable {
        let rank: OrderingRank
        /// Counts the requests of all queues, so that equal ranks go as they came.
        let number: UInt64
        let id: WaitingID
        let enqueuedAt: MonotonicInstant
        let uncachedTokens: Int

        static func < (left: Node, right: Node) -> Bool {
            left.rank != right.rank ? left.rank < right.rank : left.number < right.number
        }

        static func == (left: Node, right: Node) -> Bool { left.number == right.number }
    }

    /// Fewer dead nodes than this are not worth a sweep.
    private static let fewestToSweep = 64

    /// The endpoints that its requests may go to.
    let constraint: ConstraintID
    private var heap = Heap<Node>()
    /// How many requests wait.
    private(set) var count = 0

    init(constraint: ConstraintID) {
        self.constraint = constraint
    }

    /// The first request; `nil` when none waits.
    var first: Node? { heap.min }

    mutating func insert(_ node: Node) {
        heap.insert(node)
        count += 1
    }

    /// Takes out a request that does not wait any more by `table`.
    mutating func remove(notIn table: WaitingTable) {
        count -= 1
        while let first = heap.min, !table.isWaiting(first.id) { heap.removeMin() }
        if heap.count - count > max(Self.fewestToSweep, count) {
            heap = Heap(heap.unordered.filter { table.isWaiting($0.id) })
        }
    }
}
