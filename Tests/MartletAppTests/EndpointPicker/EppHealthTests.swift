import ExtProcProto
import Testing

@testable import MartletApp

@Suite("Health of martlet epp")
struct EppHealthTests {
    private let externalProcessor = "envoy.service.ext_proc.v3.ExternalProcessor"

    /// A process whose pool is there and filled.
    private func filled() -> Readiness {
        let readiness = Readiness()
        readiness.poolsAreFilled()
        return readiness
    }

    private func statuses(_ readiness: Readiness) -> [String: ServingStatus] {
        let health = EppHealth(readiness: readiness)
        let names = ["", "liveness", "readiness", externalProcessor, "inference-extension"]
        return Dictionary(uniqueKeysWithValues: names.map { ($0, health.status(of: $0)) })
    }

    private func same(_ status: ServingStatus, liveness: ServingStatus) -> [String: ServingStatus] {
        [
            "": status, "liveness": liveness, "readiness": status, externalProcessor: status,
            "inference-extension": status,
        ]
    }

    @Test("without an election there is one answer for all names but liveness")
    func withoutElection() {
        let readiness = Readiness()
        #expect(statuses(readiness) == same(.notServing, liveness: .serving), "not everything is known yet")
        readiness.poolsAreFilled()
        #expect(statuses(readiness) == same(.serving, liveness: .serving))
        readiness.setAbsence("there is no pool")
        #expect(statuses(readiness) == same(.notServing, liveness: .notServing))
        readiness.setAbsence(nil)
        readiness.setFault("no parser can read h2c")
        #expect(statuses(readiness) == same(.notServing, liveness: .notServing))
        readiness.setFault(nil)
        readiness.beginDraining()
        #expect(statuses(readiness) == same(.notServing, liveness: .serving), "a draining process is alive")
    }

    @Test("with an election the leader is ready, everybody is alive, and other names are not known")
    func withElection() {
        let readiness = filled()
        func expected(_ status: ServingStatus) -> [String: ServingStatus] {
            [
                "": status, "liveness": .serving, "readiness": status, externalProcessor: status,
                "inference-extension": .serviceUnknown,
            ]
        }
        readiness.setLeading(false)
        #expect(statuses(readiness) == expected(.notServing))
        readiness.setLeading(true)
        #expect(statuses(readiness) == expected(.serving))
        readiness.setAbsence("there is no pool")
        #expect(statuses(readiness) == expected(.notServing))
        readiness.setAbsence(nil)
        readiness.beginDraining()
        #expect(statuses(readiness) == expected(.notServing))
    }

    @Test("a leader that is shut down serves on after it gave its place up, and a follower serves nothing of its own")
    func traffic() {
        let readiness = filled()
        #expect(readiness.hasTraffic, "without an election everybody serves")
        readiness.setLeading(false)
        #expect(!readiness.hasTraffic)
        readiness.setLeading(true)
        #expect(readiness.hasTraffic)
        readiness.beginDraining()
        readiness.setLeading(false)
        #expect(readiness.hasTraffic)
        #expect(!readiness.isReady)
    }

    @Test("the names of a list")
    func names() {
        let readiness = filled()
        let health = EppHealth(readiness: readiness)
        #expect(health.names == [externalProcessor])
        readiness.setLeading(true)
        #expect(health.names == [externalProcessor, "liveness", "readiness"])
    }

    @Test("why it is not ready")
    func obstacles() {
        let readiness = Readiness()
        #expect(readiness.obstacle?.contains("not everything") == true)
        readiness.poolsAreFilled()
        #expect(readiness.obstacle == nil)
        readiness.setLeading(false)
        #expect(readiness.obstacle == "another replica leads")
        readiness.setFault("no parser")
        #expect(readiness.obstacle == "no parser")
        readiness.setAbsence("no pool")
        #expect(readiness.obstacle == "no pool")
    }
}
