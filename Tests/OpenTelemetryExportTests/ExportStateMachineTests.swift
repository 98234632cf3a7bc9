import NIOCore
import Testing

@testable import OpenTelemetryExport

/// All times are virtual.
@Suite struct ExportStateMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func after(_ milliseconds: Int64) -> NIODeadline { start + .milliseconds(milliseconds) }

    private func machine(batchSize: Int = 10) -> ExportStateMachine {
        ExportStateMachine(times: ExportStateMachine.Times(), batchSize: batchSize, now: start)
    }

    private func failed(_ after: TimeAmount? = nil) -> ExportOutcome { .retryable("no", after: after) }

    @Test func fewSpansWaitForOthers() {
        var machine = machine()
        #expect(machine.next(queued: 3, now: start) == .wait(until: after(5000)))
        #expect(machine.next(queued: 9, now: after(4999)) == .wait(until: after(5000)))
        #expect(machine.next(queued: 9, now: after(5000)) == .send(timeout: .seconds(10)))
    }

    @Test func aBatchWaitsForNothingButTheOneBeforeIt() {
        var machine = machine()
        #expect(machine.next(queued: 10, now: start) == .send(timeout: .seconds(10)))
        #expect(machine.next(queued: 30, now: after(1)) == .idle)
        #expect(machine.ended(.accepted, now: after(2), jitter: 0.5) == .done)
        #expect(machine.next(queued: 30, now: after(2)) == .send(timeout: .seconds(10)))
    }

    @Test func withoutSpansNothingIsSent() {
        var machine = machine()
        #expect(machine.next(queued: 0, now: after(5000)) == .wait(until: after(10_000)))
        #expect(machine.next(queued: 0, now: after(10_000)) == .wait(until: after(15_000)))
    }

    @Test func pausesDoubleAndThePatienceEnds() {
        var machine = machine()
        _ = machine.next(queued: 10, now: start)
        var now = start
        // Without jitter, 1 s, 2 s, 4 s and 8 s: 15 s of the 30 s. Another 16 s would be too long.
        for pause in [1000, 2000, 4000, 8000] as [Int64] {
            #expect(machine.ended(failed(), now: now, jitter: 0.5) == .keep)
            #expect(machine.next(queued: 99, now: now) == .wait(until: now + .milliseconds(pause)))
            now = now + .milliseconds(pause)
            #expect(machine.next(queued: 99, now: now) == .resend(timeout: .seconds(10)))
        }
        #expect(machine.ended(failed(), now: now, jitter: 0.5) == .drop)
        #expect(machine.next(queued: 99, now: now) == .send(timeout: .seconds(10)), "the next batch has its own time")
    }

    @Test(arguments: [(0.0, 500), (0.999, 1499)] as [(Double, Int64)])
    func pausesSpread(jitter: Double, pause: Int64) {
        var machine = machine()
        _ = machine.next(queued: 10, now: start)
        #expect(machine.ended(failed(), now: start, jitter: jitter) == .keep)
        #expect(machine.next(queued: 0, now: start) == .wait(until: after(pause)))
    }

    @Test func theCollectorsOwnTimeCounts() {
        var machine = machine()
        _ = machine.next(queued: 10, now: start)
        #expect(machine.ended(failed(.seconds(7)), now: start, jitter: 0.5) == .keep)
        #expect(machine.next(queued: 0, now: start) == .wait(until: after(7000)))
        _ = machine.next(queued: 0, now: after(7000))
        #expect(machine.ended(failed(.seconds(60)), now: after(7000), jitter: 0.5) == .drop, "that is too long")
        #expect(machine.next(queued: 99, now: after(7000)) == .wait(until: after(67_000)), "the next batch waits too")
        #expect(machine.next(queued: 99, now: after(67_000)) == .send(timeout: .seconds(10)))
    }

    @Test(arguments: [(66_999, nil), (67_001, 67_000)] as [(Int64, Int64?)])
    func theShutdownDoesNotWaitForATimeBehindItsEnd(deadline: Int64, wait: Int64?) {
        var machine = machine()
        _ = machine.next(queued: 10, now: after(7000))
        #expect(machine.ended(failed(.seconds(60)), now: after(7000), jitter: 0.5) == .drop)
        machine.shutDown(by: after(deadline))
        #expect(machine.next(queued: 99, now: after(7001)) == wait.map { .wait(until: after($0)) } ?? .finish)
    }

    @Test func whatIsRefusedIsNotSentAgain() {
        var machine = machine()
        _ = machine.next(queued: 10, now: start)
        #expect(machine.ended(.refused("no"), now: start, jitter: 0.5) == .drop)
        #expect(machine.next(queued: 0, now: start) == .wait(until: after(5000)))
    }

    @Test func theShutdownSendsWhatIsLeftAndEnds() {
        var machine = machine()
        machine.shutDown(by: after(5000))
        #expect(machine.next(queued: 12, now: start) == .send(timeout: .seconds(5)), "the try ends with the shutdown")
        #expect(machine.next(queued: 2, now: after(1)) == .wait(until: after(5000)))
        #expect(machine.ended(.accepted, now: after(1000), jitter: 0.5) == .done)
        #expect(machine.next(queued: 2, now: after(1000)) == .send(timeout: .seconds(4)))
        #expect(machine.ended(.accepted, now: after(1001), jitter: 0.5) == .done)
        #expect(machine.next(queued: 0, now: after(1001)) == .finish)
        #expect(machine.next(queued: 5, now: after(1002)) == .finish)
    }

    @Test func theShutdownEndsAtItsDeadline() {
        var sending = machine()
        _ = sending.next(queued: 10, now: start)
        sending.shutDown(by: after(100))
        #expect(sending.next(queued: 5, now: after(100)) == .finish)
        #expect(sending.ended(.accepted, now: after(101), jitter: 0.5) == .drop, "nobody waits for it any more")

        var pausing = machine()
        _ = pausing.next(queued: 10, now: start)
        _ = pausing.ended(failed(.seconds(20)), now: start, jitter: 0.5)
        pausing.shutDown(by: after(100))
        #expect(pausing.next(queued: 5, now: after(50)) == .wait(until: after(100)))
        #expect(pausing.next(queued: 5, now: after(100)) == .finish)

        var failing = machine()
        failing.shutDown(by: after(100))
        _ = failing.next(queued: 10, now: start)
        #expect(failing.ended(failed(), now: start, jitter: 0.5) == .drop, "the pause would be longer than the time")
    }

    @Test func aFaultIsToldOnceAMinute() {
        var fault = RepeatedFault()
        #expect(fault.ended() == false)
        #expect(fault.came(at: start) == 0)
        #expect(fault.came(at: after(1000)) == nil)
        #expect(fault.came(at: after(59_999)) == nil)
        #expect(fault.came(at: after(60_000)) == 2)
        #expect(fault.ended() && !fault.ended())
    }
}
