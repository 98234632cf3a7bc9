import GatewayCore
import GatewayTesting
import Testing

@testable import BuiltinPlugins

@Suite struct SessionBindingsTests {
    private let a = EndpointSnapshot.sample("a", slot: 0)
    private let b = EndpointSnapshot.sample("b", slot: 1)

    private func at(_ seconds: Double) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
    }

    private func bindings(maxCount: Int = 100) -> SessionBindings {
        SessionBindings(timeToLive: 300, sweepInterval: 10, maxCount: maxCount)
    }

    @Test func theFirstRequestBinds() {
        let bindings = bindings()
        #expect(bindings.endpoint(of: "s", at: at(0)) == nil)
        #expect(bindings.bind("s", to: a, replacing: nil, at: at(0)))
        #expect(bindings.endpoint(of: "s", at: at(1)) == a.id)
        #expect(bindings.endpoint(of: "t", at: at(1)) == nil)
        // Another request of the session that was on its way at the same time changes nothing.
        #expect(!bindings.bind("s", to: b, replacing: nil, at: at(1)))
        #expect(bindings.endpoint(of: "s", at: at(1)) == a.id)
    }

    @Test func onlyTheSeenBindingIsReplaced() {
        let bindings = bindings()
        _ = bindings.bind("s", to: a, replacing: nil, at: at(0))
        #expect(!bindings.bind("s", to: b, replacing: b.id, at: at(1)))
        #expect(bindings.bind("s", to: b, replacing: a.id, at: at(1)))
        #expect(bindings.endpoint(of: "s", at: at(1)) == b.id)
        #expect(!bindings.bind("s", to: a, replacing: a.id, at: at(1)))
        #expect(bindings.endpoint(of: "s", at: at(1)) == b.id)
    }

    @Test func bindingsExpireAfterTheirLastUse() {
        let bindings = bindings()
        _ = bindings.bind("s", to: a, replacing: nil, at: at(0))
        #expect(bindings.endpoint(of: "s", at: at(299)) == a.id)
        #expect(!bindings.bind("s", to: a, replacing: nil, at: at(299)))
        // Looking is no use.
        #expect(bindings.endpoint(of: "s", at: at(598)) == a.id)
        #expect(bindings.endpoint(of: "s", at: at(599)) == a.id)
        #expect(bindings.endpoint(of: "s", at: at(599.5)) == nil)
        // An expired binding does not hold a session back.
        _ = bindings.bind("s", to: a, replacing: nil, at: at(600))
        #expect(bindings.bind("s", to: b, replacing: nil, at: at(901)))
    }

    @Test func expiredBindingsAreSweptInTurns() {
        let bindings = bindings(maxCount: 1000)
        for number in 0..<150 { _ = bindings.bind("s\(number)", to: a, replacing: nil, at: at(0)) }
        _ = bindings.bind("young", to: a, replacing: nil, at: at(299))
        // The sweep is due ten seconds after the last one.
        _ = bindings.endpoint(of: "-", at: at(310))
        #expect(bindings.count == 87)
        _ = bindings.endpoint(of: "-", at: at(310))
        _ = bindings.endpoint(of: "-", at: at(310))
        #expect(bindings.count == 1)
        _ = bindings.endpoint(of: "-", at: at(600))
        #expect(bindings.count == 0)
    }

    @Test func sweepsKeepTheirInterval() {
        let bindings = SessionBindings(timeToLive: 1, sweepInterval: 10)
        _ = bindings.endpoint(of: "-", at: at(0))
        _ = bindings.bind("s", to: a, replacing: nil, at: at(1))
        _ = bindings.endpoint(of: "-", at: at(9))
        #expect(bindings.count == 1)
        _ = bindings.endpoint(of: "-", at: at(10))
        #expect(bindings.count == 0)
    }

    @Test func theLeastRecentlySeenMakesRoom() {
        let bindings = bindings(maxCount: 3)
        for name in ["s", "t", "u"] { _ = bindings.bind(name, to: a, replacing: nil, at: at(0)) }
        _ = bindings.bind("s", to: a, replacing: nil, at: at(1))
        _ = bindings.bind("v", to: b, replacing: nil, at: at(2))
        let found = ["s", "t", "u", "v"].map { bindings.endpoint(of: $0, at: at(2))?.name }
        #expect(found == ["a", nil, "a", "b"])
        #expect(bindings.count == 3)
    }

    @Test func anEndpointThatLeftTakesItsBindingsAlong() {
        let bindings = bindings()
        _ = bindings.bind("s", to: a, replacing: nil, at: at(0))
        _ = bindings.bind("t", to: b, replacing: nil, at: at(0))
        bindings.forget(a)
        #expect(bindings.endpoint(of: "s", at: at(1)) == nil)
        #expect(bindings.endpoint(of: "t", at: at(1)) == b.id)
        // A request that was on its way to it binds nothing that holds.
        _ = bindings.bind("s", to: a, replacing: nil, at: at(2))
        #expect(bindings.endpoint(of: "s", at: at(2)) == nil)
        // One that comes back under the same name starts anew.
        let again = EndpointSnapshot.sample("a", slot: 0, incarnation: 1)
        #expect(bindings.bind("s", to: again, replacing: nil, at: at(3)))
        #expect(bindings.endpoint(of: "s", at: at(3)) == a.id)
        bindings.forget(a)
        #expect(bindings.endpoint(of: "s", at: at(3)) == a.id)
    }

    @Test func timeDoesNotRunBackwards() {
        let bindings = bindings()
        _ = bindings.bind("s", to: a, replacing: nil, at: at(1000))
        _ = bindings.bind("t", to: a, replacing: nil, at: at(500))
        #expect(bindings.endpoint(of: "t", at: at(1001)) == a.id)
        _ = bindings.bind("u", to: a, replacing: nil, at: MonotonicInstant(nanoseconds: .min))
        _ = bindings.bind("v", to: a, replacing: nil, at: MonotonicInstant(nanoseconds: .max))
        #expect(bindings.count >= 1)
    }

    /// The list and the dictionary must agree after any sequence of steps: a model that searches is the judge.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func agreesWithASimpleModel(seed: UInt64) {
        var random = RandomSource(seed: seed)
        let bindings = SessionBindings(timeToLive: 50, sweepInterval: 5, maxCount: 8)
        var model: [(session: String, endpoint: EndpointID, seen: Double)] = []
        var now = 0.0
        for _ in 0..<500 {
            now += Double(Int.random(in: 0...12, using: &random))
            model.removeAll { now - $0.seen > 50 }
            let session = "s\(Int.random(in: 0..<12, using: &random))"
            let known = model.firstIndex { $0.session == session }
            #expect(bindings.endpoint(of: session, at: at(now)) == known.map { model[$0].endpoint })
            let target = Bool.random(using: &random) ? a : b
            let replaceable = Bool.random(using: &random) ? known.map { model[$0].endpoint } : nil
            _ = bindings.bind(session, to: target, replacing: replaceable, at: at(now))
            if let known {
                guard model[known].endpoint == target.id || model[known].endpoint == replaceable else { continue }
                model.remove(at: known)
            } else if model.count == 8 {
                model.removeFirst()
            }
            model.append((session, target.id, now))
        }
        #expect(bindings.count <= 8)
    }
}
