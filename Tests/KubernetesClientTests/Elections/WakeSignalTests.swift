import Testing

@testable import KubernetesClient

@Suite("Signals", .timeLimit(.minutes(1)))
struct WakeSignalTests {
    @Test("Signals before the wait count, as one")
    func before() async {
        let signal = WakeSignal()
        signal.raise()
        signal.raise()
        await signal.wait()
        let clock = ContinuousClock()
        let time = await clock.measure { await signal.wait(atMost: .milliseconds(20), by: clock) }
        #expect(time >= .milliseconds(20))
    }

    @Test("A signal ends a wait")
    func during() async {
        let signal = WakeSignal()
        async let waiter: Void = signal.wait(atMost: .seconds(3600), by: .continuous)
        signal.raise()
        await waiter
    }

    @Test("The end of the task ends a wait")
    func cancelled() async {
        let signal = WakeSignal()
        let task = Task {
            await signal.wait(atMost: nil, by: .continuous)
            await signal.wait(atMost: .seconds(3600), by: .continuous)
        }
        task.cancel()
        await task.value
    }

    @Test("A time that is over is not waited for")
    func over() async {
        await WakeSignal().wait(atMost: .seconds(-1), by: .continuous)
    }
}
