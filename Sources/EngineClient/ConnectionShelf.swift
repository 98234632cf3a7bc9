import GatewayCore

/// The connections of a client: which are open, and which of them wait for their next use. A plain value; the client
/// guards it.
///
/// Each address has a place, so that a connection that comes back does not look its address up again.
struct ConnectionShelf<Connection: AnyObject> {
    private struct Idle {
        let connection: Connection
        let since: MonotonicInstant
    }

    /// What belongs to one address.
    private struct Place {
        let address: EndpointAddress
        /// How many connections are open; without any the place is free.
        var users = 1
        /// The one that was used last at the end.
        var idle: [Idle] = []
    }

    private var connections: [ObjectIdentifier: Connection] = [:]
    private var numbers: [EndpointAddress: Int] = [:]
    /// By number.
    private var places: [Place] = []
    private var freeNumbers: [Int] = []
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

    /// Notes a new connection to `address`, which `make` makes with the number of its place.
    ///
    /// - Returns: the connection; `nil` when the shelf is shut down, and nothing was made.
    mutating func add(_ address: EndpointAddress, _ make: (_ place: Int) -> Connection) -> Connection? {
        if isShutDown { return nil }
        let number = enter(address)
        let connection = make(number)
        connections[ObjectIdentifier(connection)] = connection
        return connection
    }

    /// Takes the idle connection to `address` that was used last.
    mutating func take(_ address: EndpointAddress) -> Connection? {
        guard let number = numbers[address], let taken = places[number].idle.popLast() else { return nil }
        idleCount -= 1
        return taken.connection
    }

    /// Keeps an open connection for its next use.
    ///
    /// - Parameter place: the number that the connection was made with.
    /// - Returns: whether it was kept; if not, the caller closes it.
    mutating func put(_ connection: Connection, place: Int, at now: MonotonicInstant) -> Bool {
        guard !isShutDown, idleCount < maxIdle, places[place].idle.count < maxIdlePerAddress else { return false }
        places[place].idle.append(Idle(connection: connection, since: now))
        idleCount += 1
        return true
    }

    /// Forgets a connection that has ended.
    ///
    /// - Parameter place: the number that the connection was made with.
    mutating func closed(_ connection: Connection, place: Int) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        if let position = places[place].idle.firstIndex(where: { $0.connection === connection }) {
            places[place].idle.remove(at: position)
            idleCount -= 1
        }
        leave(place)
    }

    /// Takes the connections off that have been idle since `instant` or longer, for the caller to close.
    mutating func takeIdle(since instant: MonotonicInstant) -> [Connection] {
        var taken: [Connection] = []
        for number in places.indices {
            guard places[number].idle.contains(where: { $0.since <= instant }) else { continue }
            taken += places[number].idle.lazy.filter { $0.since <= instant }.map(\.connection)
            places[number].idle.removeAll { $0.since <= instant }
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
            numbers = [:]
            places = []
            idleCount = 0
        }
        return Array(connections.values)
    }

    private mutating func enter(_ address: EndpointAddress) -> Int {
        if let number = numbers[address] {
            places[number].users += 1
            return number
        }
        let place = Place(address: address)
        let number = freeNumbers.popLast() ?? places.count
        if number < places.count { places[number] = place } else { places.append(place) }
        numbers[address] = number
        return number
    }

    private mutating func leave(_ number: Int) {
        places[number].users -= 1
        guard places[number].users == 0 else { return }
        numbers[places[number].address] = nil
        freeNumbers.append(number)
    }
}
