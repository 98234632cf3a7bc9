import GatewayCore
import KubernetesClient
import Testing

@testable import KubernetesDiscovery

@Suite("Which statuses are written")
struct StatusAgendaTests {
    private func status(generation: Int = 1, present: ClusterObject.Condition? = nil) -> DesiredStatus {
        DesiredStatus(
            Cluster.object("a", generation: generation, conditions: present.map { [$0] } ?? [], spec: [:]),
            ClusterResources.objectives[0],
            .accepted
        )
    }

    @Test("what is as it should be is not written")
    func nothingDue() {
        var agenda = StatusAgenda(pause: .seconds(30))
        agenda.setDesired([status(present: status().condition)])
        #expect(!agenda.hasUnwritten)
        #expect(agenda.takeDue(at: .zero).isEmpty)
    }

    @Test(
        "what differs in anything that people see is written",
        arguments: ["status", "reason", "message", "generation", "absent"]
    )
    func differences(what: String) {
        var present: ClusterObject.Condition? = status().condition
        switch what {
        case "status": present?.status = "Unknown"
        case "reason": present?.reason = "Pending"
        case "message": present?.message = "old"
        case "generation": present?.observedGeneration = 0
        default: present = nil
        }
        var agenda = StatusAgenda(pause: .seconds(30))
        agenda.setDesired([status(present: present)])
        #expect(agenda.takeDue(at: .zero).count == 1)
    }

    @Test("the time of transition stays with the status")
    func transition() {
        var present = status().condition
        present.lastTransitionTime = "2026-01-01T00:00:00Z"
        present.reason = "Other"
        #expect(status(present: present).condition.lastTransitionTime == "2026-01-01T00:00:00Z")
        present.status = "False"
        #expect(status(present: present).condition.lastTransitionTime == nil)
    }

    @Test("the same write is not repeated before its pause is over; another one is made at once")
    func pauses() {
        var agenda = StatusAgenda(pause: .seconds(30))
        agenda.setDesired([status()])
        #expect(agenda.takeDue(at: .zero).count == 1)
        #expect(agenda.takeDue(at: .seconds(29)).isEmpty)
        #expect(agenda.hasUnwritten)
        agenda.setDesired([status()])
        #expect(agenda.takeDue(at: .seconds(29)).isEmpty, "being told of it again changes nothing")
        #expect(agenda.takeDue(at: .seconds(30)).count == 1)
        agenda.setDesired([status(generation: 2)])
        #expect(agenda.takeDue(at: .seconds(31)).count == 1)
        agenda.setDesired([])
        agenda.setDesired([status(generation: 2)])
        #expect(agenda.takeDue(at: .seconds(32)).count == 1, "an object that was away is another one")
    }
}
