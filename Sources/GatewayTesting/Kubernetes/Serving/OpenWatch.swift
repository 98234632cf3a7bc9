import NIOCore
import Synchronization

/// A watch that a client has open. Its lines are queued from any thread, and written on the connection's event loop.
final class OpenWatch: Sendable {
    let id: Int
    let type: ScriptedResourceType
    let version: String
    let selector: ObjectSelector
    /// Changes up to this version are not told.
    let after: Int64
    let allowsBookmarks: Bool
    private let connection: NIOLoopBound<APIConnection>
    private let queued = Atomic<Int>(0)

    init(
        id: Int,
        _ target: ResourceTarget,
        selector: ObjectSelector,
        after: Int64,
        allowsBookmarks: Bool,
        connection: NIOLoopBound<APIConnection>
    ) {
        self.id = id
        type = target.type
        version = target.version
        self.selector = selector
        self.after = after
        self.allowsBookmarks = allowsBookmarks
        self.connection = connection
    }

    /// Queues a line. A watch with more than `limit` lines in its queue ends instead: the client is too slow.
    func send(_ line: [UInt8], limit: Int) {
        guard queued.wrappingAdd(1, ordering: .relaxed).newValue <= limit else { return run { $0.endWatch($1) } }
        run { connection, id in
            connection.sendLine(line, id) { self.queued.wrappingSubtract(1, ordering: .relaxed) }
        }
    }

    /// Does something on the connection, after what is queued.
    func run(_ action: @escaping @Sendable (APIConnection, Int) -> Void) {
        let id = id
        let connection = connection
        connection.eventLoop.execute { action(connection.value, id) }
    }
}
