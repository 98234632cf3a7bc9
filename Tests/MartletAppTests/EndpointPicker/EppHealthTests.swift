import ExtProcProto
import Testing

@testable import MartletApp

@Suite("Health of martlet epp")
struct EppHealthTests {
    @Test("alive at once, ready when filled, not ready when draining")
    func states() {
        let readiness = Readiness()
        let health = EppHealth(readiness: readiness)
        let others = EppHealth.names.filter { $0 != "liveness" }
        #expect(others.count == 4)
        for (prepare, expected) in [
            ({}, false), ({ readiness.poolsAreFilled() }, true), ({ readiness.beginDraining() }, false),
        ] as [(() -> Void, Bool)] {
            prepare()
            #expect(health.status(of: "liveness") == .serving)
            for name in others { #expect(health.status(of: name) == (expected ? .serving : .notServing)) }
            #expect(health.status(of: "envoy") == nil)
        }
    }
}
