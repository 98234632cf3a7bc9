import GatewayCore

/// The connections of a client: which are open, and which of them wait for their next use. A plain value; the client
/// guards it.
struct ConnectionShelf<Connection: AnyObject> {
    private struct Idle {
        let connection: Connection
        let since: MonotonicInstant
    }

    private var connections: [ObjectIdentifier: Connection] = [:]
    /// By address, the one that was used last at the end.
    private var idle: [EndpointAddress: [Idle]] = [:]
    private(set) var idleCount = 0
    private(set) var isShutDown = false
    private let maxIdlePerAddress: Int
    private let maxIdle: Int

    init(maxIdlePerAddress: Int, maxIdle: Int) {
        self.maxIdlePerAddress = maxIdlePerAddress
        self.maxIdle = maxIdle
    }

    /// How many connections are open, used or not.
    var openCount: Int { connections.count }

    /// The connections that are open, used or not.
    var open: [Connection] { Array(connections.values) }

    /// Notes a new connection.
    ///
    /// - Returns: whether it may be used; if not, the shelf is shut down and the caller closes it.
    mutating func opened(_ connection: Connection) -> Bool {
        if isShutDown { return false }
        connections[ObjectIdentifier(connection)] = connection
        return true
    }

    /// Takes the idle connection to `address` that was used last.
    mutating func take(_ address: EndpointAddress) -> Connection? {
        // An empty list stays for the connection that comes back in a moment.
        guard let taken = idle[address]?.popLast() else { return nil }
        idleCount -= 1
        return taken.connection
    }

    /// Keeps a connection for its next use.
    ///
    /// - Returns: whether it was kept; if not, the caller closes it.
    mutating func put(_ connection: Connection, address: EndpointAddress, at now: MonotonicInstant) -> Bool {
        guard connections[ObjectIdentifier(connection)] != nil, !isShutDown, idleCount < maxIdle,
            idle[address, default: []].count < maxIdlePerAddress
        else { return false }
        idle[address, default: []].append(Idle(connection: connection, since: now))
        idleCount += 1
        return true
    }

    /// Forgets a connection that has ended.
    mutating func closed(_ connection: Connection, address: EndpointAddress) {
        connections[ObjectIdentifier(connection)] = nil
        if let position = idle[address]?.firstIndex(where: { $0.connection === connection }) {
            idle[address]?.remove(at: position)
            idleCount -= 1
        }
        if idle[address]?.isEmpty == true { idle[address] = nil }
    }

    /// Takes the connections off that have been idle since `instant` or longer, for the caller to close.
    mutating func takeIdle(since instant: MonotonicInstant) -> [Connection] {
        var taken: [Connection] = []
        for (address, waiting) in idle {
            let kept = waiting.filter { $0.since > instant }
            taken += waiting.lazy.filter { $0.since <= instant }.map(\.connection)
            idle[address] = kept.isEmpty ? nil : kept
        }
        idleCount -= taken.count
        return taken
    }

    /// Lets no connection in any more.
    ///
    /// - Returns: all open connections, for the caller to close.
    mutating func shutDown() -> [Connection] {
        isShutDown = true
        defer {
            connections = [:]
            idle = [:]
            idleCount = 0
        }
        return Array(connections.values)
    }
}
