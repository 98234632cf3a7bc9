import GatewayCore
import Testing

@testable import EngineClient

@Suite struct ConnectionShelfTests {
    private final class Connection {
        let place: Int

        init(place: Int) {
            self.place = place
        }
    }

    private static let first = EndpointAddress(host: "a", port: 1)
    private static let second = EndpointAddress(host: "a", port: 2)

    private func shelf(maxIdlePerAddress: Int = 2, maxIdle: Int = 10) -> ConnectionShelf<Connection> {
        ConnectionShelf(maxIdlePerAddress: maxIdlePerAddress, maxIdle: maxIdle)
    }

    private func instant(_ nanoseconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: nanoseconds) }

    private func connection(_ address: EndpointAddress, in shelf: inout ConnectionShelf<Connection>) -> Connection {
        guard let connection = shelf.add(address, { Connection(place: $0) }) else {
            preconditionFailure("the shelf is not shut down")
        }
        return connection
    }

    private func keep(
        _ connection: Connection,
        at nanoseconds: Int64 = 1,
        in shelf: inout ConnectionShelf<Connection>
    ) {
        let isKept = shelf.put(connection, place: connection.place, at: instant(nanoseconds))
        #expect(isKept)
    }

    @Test func theConnectionThatWasUsedLastIsTakenFirst() {
        var shelf = shelf()
        let one = connection(Self.first, in: &shelf)
        let other = connection(Self.first, in: &shelf)
        let elsewhere = connection(Self.second, in: &shelf)
        #expect(one.place == other.place && one.place != elsewhere.place)
        for connection in [one, other, elsewhere] { keep(connection, in: &shelf) }
        #expect(shelf.openCount == 3 && shelf.idleCount == 3)
        let taken = [Self.first, Self.first, Self.first, Self.second].map { shelf.take($0) }
        #expect(taken[0] === other && taken[1] === one && taken[2] == nil && taken[3] === elsewhere)
        #expect(shelf.idleCount == 0)
    }

    @Test func whatIsTooMuchIsNotKept() {
        var shelf = shelf(maxIdlePerAddress: 1, maxIdle: 1)
        let connections = [Self.first, Self.first, Self.second].map { connection($0, in: &shelf) }
        let kept = connections.map { shelf.put($0, place: $0.place, at: instant(1)) }
        #expect(kept == [true, false, false])
    }

    @Test func aPlaceServesAnotherAddressWhenItsLastConnectionHasEnded() {
        var shelf = shelf()
        let one = connection(Self.first, in: &shelf)
        let other = connection(Self.first, in: &shelf)
        keep(one, in: &shelf)
        shelf.closed(one, place: one.place)
        let ended = shelf.take(Self.first)
        #expect(shelf.idleCount == 0 && ended == nil)
        shelf.closed(other, place: other.place)
        shelf.closed(other, place: other.place)
        let new = connection(Self.second, in: &shelf)
        #expect(new.place == one.place && shelf.openCount == 1)
        keep(new, in: &shelf)
        let taken = [shelf.take(Self.first), shelf.take(Self.second)]
        #expect(taken[0] == nil && taken[1] === new)
    }

    @Test func theLongestUnusedLeave() {
        var shelf = shelf()
        let old = connection(Self.first, in: &shelf)
        let young = connection(Self.first, in: &shelf)
        keep(old, at: 1, in: &shelf)
        keep(young, at: 5, in: &shelf)
        let left = shelf.takeIdle(since: instant(3))
        #expect(left.count == 1 && left.first === old && shelf.idleCount == 1)
        let stayed = shelf.take(Self.first)
        #expect(stayed === young)
    }

    @Test func nothingComesInAfterTheShutdown() {
        var shelf = shelf()
        let one = connection(Self.first, in: &shelf)
        let open = shelf.shutDown()
        let isKept = shelf.put(one, place: one.place, at: instant(1))
        shelf.closed(one, place: one.place)
        let new = shelf.add(Self.first) { Connection(place: $0) }
        #expect(open.count == 1 && !isKept && new == nil)
        #expect(shelf.openCount == 0 && shelf.idleCount == 0)
    }
}
