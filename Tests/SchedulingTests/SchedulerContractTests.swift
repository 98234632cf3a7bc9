import GatewayCore
import GatewayTesting
import Scheduling
import Testing

/// Plugins may be foreign code: one that breaks its contract costs its request, never the process.
@Suite struct SchedulerContractTests {
    private func rejection(_ scheduler: Scheduler, candidates: Int = 3) -> Rejection? {
        var context = SchedulingContext.sample()
        do throws(Rejection) {
            _ = try scheduler.schedule(&context, candidates: .sample(count: candidates))
            return nil
        } catch {
            return error
        }
    }

    @Test func anEndlessHandlerIsStopped() {
        let scheduler = makeScheduler([makeProfile()], handler: ClosureHandler { _ in [0] })
        #expect(
            rejection(scheduler)
                == Rejection(.internalError, "the profile handler asked for profile 'default' twice")
        )
    }

    @Test func anEndlessHandlerIsStoppedWhenItsProfileFindsNobody() {
        let scheduler = makeScheduler(
            [makeProfile(filters: [NameFilter([])])],
            handler: ClosureHandler { _ in [0] }
        )
        #expect(rejection(scheduler)?.reason == .internalError)
    }

    @Test func aProfileTwiceInOneRoundIsAnError() {
        let scheduler = makeScheduler([makeProfile()], handler: ClosureHandler { _ in [0, 0] })
        #expect(rejection(scheduler)?.reason == .internalError)
    }

    @Test(arguments: [-1, 1, Int.max, Int.min])
    func aProfileThatDoesNotExistIsAnError(index: Int) {
        let scheduler = makeScheduler([makeProfile()], handler: ClosureHandler { _ in [index] })
        #expect(
            rejection(scheduler)
                == Rejection(.internalError, "the profile handler asked for profile \(index) of 1")
        )
    }

    @Test func aHandlerThatRunsNothingFindsNobody() {
        let scheduler = makeScheduler([makeProfile()], handler: ClosureHandler { _ in [] })
        #expect(rejection(scheduler)?.reason == .saturated)
    }

    @Test(arguments: [-1, 3, Int.max, Int.min])
    func aPickThatDoesNotExistIsAnError(pick: Int) {
        let scheduler = makeScheduler([makeProfile(picker: ClosurePicker { _ in [0, pick] })])
        #expect(rejection(scheduler) == Rejection(.internalError, "picker 'picker' picked candidate \(pick) of 3"))
    }

    @Test func noPickIsAnError() {
        let scheduler = makeScheduler([makeProfile(picker: ClosurePicker { _ in [] })])
        #expect(rejection(scheduler) == Rejection(.internalError, "picker 'picker' picked none of 3 candidates"))
    }

    @Test func noCandidatesNeverReachThePicker() {
        let scheduler = makeScheduler([makeProfile(picker: ClosurePicker { _ in [0] })])
        #expect(rejection(scheduler, candidates: 0)?.reason == .saturated)
    }
}
