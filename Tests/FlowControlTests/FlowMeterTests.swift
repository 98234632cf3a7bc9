import GatewayCore
import GatewayTesting
import Telemetry
import Testing

@testable import FlowControl

@Suite("Flow meter")
struct FlowMeterTests {
    private let registry = MetricRegistry()
    private let clock = ManualClock(start: MonotonicInstant(nanoseconds: 1_000_000_000))

    private func controller(_ change: (inout FlowControlSettings) -> Void) throws -> FlowController {
        let band = FlowControlSettings.Band(fairness: FirstComeFairness(), ordering: ArrivalOrder())
        var settings = FlowControlSettings(template: band, usageLimit: FixedCeilings())
        change(&settings)
        return FlowController(
            settings: settings,
            rooms: NoRoom(),
            evictionGrace: .zero,
            clock: clock,
            timer: clock,
            meter: FlowMeter(metrics: try FlowControlMetrics(registry: registry), pool: PoolID(name: "pool"))
        )
    }

    private func submit(_ controller: FlowController, flow: String, priority: Int = 0) -> AdmissionTicket {
        let request = InferenceRequest(id: "r", model: "m", priority: priority, fairnessID: flow)
        return controller.submit(request, uncachedTokens: 1, constraint: .none) {}
    }

    /// The lines of a metric on the page.
    private func series(_ name: String) -> [Substring] {
        String(decoding: registry.page(.prometheusText), as: UTF8.self).split(separator: "\n")
            .filter { $0.hasPrefix(name) }
    }

    private func sum(_ name: String) -> Double {
        series(name).reduce(0) { $0 + ($1.split(separator: " ").last.flatMap { Double($0) } ?? .nan) }
    }

    private let size = "llm_d_epp_flow_control_queue_size"
    private let folded = "martlet_flow_control_folded_requests_total"

    @Test("however many flows come, the page has a bounded number of them, and none is left when all are gone")
    func manyFlows() throws {
        let controller = try controller { settings in
            settings.maxFlows = 100
            settings.template.maxRequests = 1_000_000
        }
        var tickets = (0..<100_000).map { submit(controller, flow: "f\($0)") }
        #expect(controller.statistics().bands.map(\.flows.count) == [100])
        #expect(series(size).count == 100)
        #expect(sum(size) == 100_000)
        #expect(series("\(size){fairness_id=\"other\"").first?.hasSuffix(" 99901") ?? false)
        #expect(series(folded).count == 1 && sum(folded) == 99_901)
        for ticket in tickets { ticket.close(usage: nil) }
        tickets = []
        #expect(controller.waitingCount == 0 && sum(size) == 0)
        // The next request after the lifetime of idle flows sweeps them out.
        clock.advance(by: .seconds(301))
        submit(controller, flow: "late").close(usage: nil)
        clock.advance(by: .seconds(61))
        submit(controller, flow: "later").close(usage: nil)
        #expect(controller.statistics().bands.map(\.flows.count) == [2])
        #expect(series(size).count == 2)
    }

    @Test("a request leaves the series that it entered, though its name has become one that is told apart")
    func labelsThatBecomeKnown() throws {
        let controller = try controller { settings in
            settings.maxFlows = 2_000
            settings.requestTTL = nil
            settings.template.maxRequests = 1_000_000
        }
        let first = (0..<1_000).map { submit(controller, flow: "f\($0)") }
        let beyond = submit(controller, flow: "beyond")
        #expect(series("\(size){fairness_id=\"other\"").count == 1)
        for ticket in first { ticket.close(usage: nil) }
        for _ in 0..<2 {
            clock.advance(by: .seconds(301))
            submit(controller, flow: "sweeps").close(usage: nil)
        }
        beyond.close(usage: nil)
        #expect(series(size).allSatisfy { $0.hasSuffix(" 0") })
        #expect(series("\(size){fairness_id=\"beyond\"").isEmpty)
    }

    @Test("priorities at the limits of their type count as they are, and wait with 0 unless an objective has them")
    func extremePriorities() throws {
        let controller = try controller { _ in }
        let (least, most) = (Int(Int32.min), Int(Int32.max))
        controller.setPriorities([least, most])
        let tickets = [0, least, most].map { submit(controller, flow: "f", priority: $0) }
        #expect(controller.statistics().bands.map(\.priority) == [most, 0, least])
        #expect(controller.statistics().bands.map(\.requests) == [1, 1, 1])
        controller.setPriorities([])
        #expect(controller.statistics().bands.count == 3, "bands in which somebody waits stay")
        for ticket in tickets { ticket.close(usage: nil) }
        controller.setPriorities([])
        #expect(controller.statistics().bands.map(\.priority) == [0])
        #expect(series("\(size){").count { $0.contains("priority=\"\(least)\"") } == 1)
    }

    @Test("with no limit on the time to wait, nothing but room and the end of the gateway ends it")
    func forEver() throws {
        let controller = try controller { settings in
            settings.requestTTL = nil
            settings.noEndpointTTL = nil
        }
        let ticket = submit(controller, flow: "f")
        #expect(controller.nextWake == nil)
        clock.advance(by: .seconds(10 * 365 * 86_400))
        controller.poolChanged()
        #expect(ticket.decision == nil)
        controller.stop()
        #expect(ticket.decision?.outcome == .evictedShuttingDown)
    }

    @Test("a body that is longer than all that may wait is refused though nobody waits", arguments: [true, false])
    func bodyBeyondTheLimit(isOfBand: Bool) throws {
        let controller = try controller { settings in
            if isOfBand { settings.template.maxBytes = 10 } else { settings.maxBytes = 10 }
        }
        let tickets = [10, 11].map { count in
            let body = ArrayBody(Array(repeating: 0, count: count))
            let request = InferenceRequest(id: "r", model: "m", body: body)
            return controller.submit(request, uncachedTokens: 1, constraint: .none) {}
        }
        #expect(tickets.map(\.decision?.outcome) == [nil, .rejectedCapacity])
        tickets[0].close(usage: nil)
        #expect(controller.statistics().bytes == 0)
    }

    @Test("the end of the gateway is another outcome than a client that left")
    func outcomesOfEnds() throws {
        let controller = try controller { _ in }
        submit(controller, flow: "f").close(usage: nil)
        let waiting = submit(controller, flow: "f")
        controller.shutDown()
        waiting.close(usage: nil)
        let requests = series("llm_d_epp_flow_control_requests_total")
        #expect(requests.count == 2)
        for outcome in ["EvictedContextCancelled", "EvictedOther"] {
            #expect(requests.contains { $0.contains("outcome=\"\(outcome)\"") && $0.hasSuffix(" 1") })
        }
        #expect(sum("llm_d_epp_flow_control_dispatch_cycle_duration_seconds_count") == 3)
    }
}

/// A pool that is full for ever.
private struct NoRoom: PoolRoomSource {
    func room(for constraint: RequestConstraint, adding pending: PendingLoad, at now: MonotonicInstant) -> PoolRoom {
        PoolRoom(isEmpty: false, saturation: 1)
    }

    func nextChange(after now: MonotonicInstant) -> MonotonicInstant? { nil }
}
