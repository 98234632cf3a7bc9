import BuiltinPlugins
import FlowControl
import GatewayCore
import GatewayTesting
import Synchronization
import Testing

@testable import MartletApp

@Suite("Pool queues")
struct PoolQueuesTests {
    private let clock = ManualClock()
    private let pool = SwitchedPool()

    private func controller() throws -> FlowController {
        func make<Role>(_ type: String) throws -> Role {
            var context = PluginContext(clock: clock)
            let plugin = try BuiltinCatalogue.registry()
                .make(type: type, name: type, parameters: ParameterDecoder(value: nil), context: &context)
            return try #require(plugin as? Role)
        }
        let band = FlowControlSettings.Band(
            fairness: try make("global-strict-fairness-policy"),
            ordering: try make("fcfs-ordering-policy")
        )
        let settings = FlowControlSettings(template: band, usageLimit: try make("static-usage-limit-policy"))
        return FlowController(settings: settings, rooms: pool, evictionGrace: .zero, clock: clock, timer: clock)
    }

    private func submit(to controller: FlowController) -> AdmissionTicket {
        controller.submit(InferenceRequest(id: "r", model: "m"), uncachedTokens: 1, constraint: .none) {}
    }

    @Test("a request that came under an earlier configuration is let go, also if it came to wait after the change")
    func reloads() throws {
        let queues = PoolQueues()
        let (old, new) = (try controller(), try controller())
        queues.replace(with: old)
        let early = submit(to: old)
        queues.replace(with: new)
        early.close(usage: nil)
        // Nobody waits in the old one now; a request that was identified before the change still may.
        queues.poolChanged()
        let tickets = [submit(to: old), submit(to: new)]
        #expect(tickets.allSatisfy { $0.decision == nil })
        pool.hasRoom.store(true, ordering: .relaxed)
        queues.poolChanged()
        #expect(tickets.map(\.decision?.outcome) == [.dispatched, .dispatched])
    }

    @Test("a pool that is gone refuses those that wait, under whichever configuration")
    func end() throws {
        let queues = PoolQueues()
        let (old, new) = (try controller(), try controller())
        queues.replace(with: old)
        queues.replace(with: new)
        let tickets = [submit(to: old), submit(to: new)]
        queues.stop()
        #expect(tickets.map(\.decision?.outcome) == [.evictedShuttingDown, .evictedShuttingDown])
        #expect(submit(to: old).decision?.outcome == .rejectedShuttingDown)
    }

    @Test("an earlier configuration is forgotten with its last request")
    func memory() throws {
        let queues = PoolQueues()
        weak var first: FlowController?
        do {
            let controller = try controller()
            first = controller
            queues.replace(with: controller)
            let ticket = submit(to: controller)
            queues.replace(with: nil)
            #expect(first?.waitingCount == 1)
            ticket.close(usage: nil)
        }
        #expect(first == nil)
    }
}

/// A pool that is full until it is told otherwise.
private final class SwitchedPool: PoolRoomSource {
    let hasRoom = Atomic<Bool>(false)

    func room(for constraint: RequestConstraint, adding pending: PendingLoad, at now: MonotonicInstant) -> PoolRoom {
        PoolRoom(isEmpty: false, saturation: hasRoom.load(ordering: .relaxed) ? 0 : 1)
    }

    func nextChange(after now: MonotonicInstant) -> MonotonicInstant? { nil }
}
