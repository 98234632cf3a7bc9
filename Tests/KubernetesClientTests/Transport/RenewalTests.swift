import GatewayTesting
import NIOCore
import Synchronization
import Testing

@testable import KubernetesClient

@Suite("When something is obtained anew")
struct RenewalStateTests {
    private let start = ContinuousClock.now
    private let error = APIError.unauthenticated("no")

    /// A decision in words.
    private func words(_ decision: RenewalState<String>.Decision) -> String {
        switch decision {
        case .use(let held): "use \(held.value)"
        case .renew: "renew"
        case .fail(let error): "fail: \(error)"
        }
    }

    @Test("A value is used until it is due, replaced from then on, and never used after its end")
    func ages() {
        var state = RenewalState<String>()
        #expect(words(state.next(at: start)) == "renew")
        _ = state.obtained("a", at: start, renewAt: start + .seconds(50), expiresAt: start + .seconds(60))
        #expect(words(state.next(at: start + .seconds(49))) == "use a")
        #expect(words(state.next(at: start + .seconds(50))) == "renew")
        #expect(words(state.fallback(at: start + .seconds(59), error)) == "use a")
        #expect(words(state.fallback(at: start + .seconds(60), error)) == "fail: no")
        _ = state.obtained("b", at: start + .seconds(60), renewAt: nil, expiresAt: nil)
        #expect(words(state.next(at: start + .seconds(1_000_000))) == "use b")
    }

    @Test("After a failure there is a pause, in which an old value serves and without one the failure is told")
    func pause() {
        var state = RenewalState<String>(pace: .init(retryDelay: .seconds(10)))
        state.failed(error, at: start)
        #expect(words(state.next(at: start + .seconds(9))) == "fail: no")
        #expect(words(state.next(at: start + .seconds(10))) == "renew")
        _ = state.obtained(
            "a", at: start + .seconds(10), renewAt: start + .seconds(20), expiresAt: start + .seconds(35))
        state.failed(error, at: start + .seconds(20))
        #expect(words(state.next(at: start + .seconds(29))) == "use a")
        #expect(words(state.next(at: start + .seconds(30))) == "renew")
        state.failed(error, at: start + .seconds(30))
        #expect(words(state.next(at: start + .seconds(36))) == "fail: no")
    }

    @Test("A refused value is replaced, unless it is too young or no longer the one in use")
    func refusal() {
        var state = RenewalState<String>(pace: .init(leastAge: .seconds(10)))
        let first = state.obtained("a", at: start, renewAt: nil, expiresAt: nil)
        state.refused(first.generation, at: start + .seconds(9))
        #expect(words(state.next(at: start + .seconds(9))) == "use a")
        state.refused(first.generation, at: start + .seconds(10))
        #expect(words(state.next(at: start + .seconds(10))) == "renew")
        _ = state.obtained("b", at: start + .seconds(10), renewAt: nil, expiresAt: nil)
        state.refused(first.generation, at: start + .seconds(30))
        #expect(words(state.next(at: start + .seconds(30))) == "use b")
    }
}

@Suite("One task at a time obtains a value", .timeLimit(.minutes(1)))
struct RenewedTests {
    @Test("Those who wait use what the first one got")
    func once() async throws {
        let attempts = Mutex(0)
        let gate = ScriptedGate()
        let renewed = Renewed<Int>(onStale: { _ in }) { () async throws(APIError) in
            let number = attempts.withLock { count in
                count += 1
                return count
            }
            await withCheckedContinuation { continuation in gate.whenOpen { continuation.resume() } }
            return .init(value: number)
        }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await renewed.current().value } }
            gate.open()
            for try await value in group { #expect(value == 1) }
        }
        #expect(attempts.withLock { $0 } == 1)
    }

    @Test("A task that is cancelled while it waits leaves, and the next one gets its turn")
    func cancellation() async throws {
        let gate = SerialGate()
        try await gate.enter()
        let entered = ObservedState<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await withTaskGroup(of: Void.self) { inner in
                    inner.addTask {
                        do {
                            try await gate.enter()
                            entered.update { $0.append(1) }
                        } catch { entered.update { $0.append(-1) } }
                    }
                    inner.cancelAll()
                }
            }
            try await entered.wait(for: "the cancelled one") { $0 == [-1] }
            group.addTask {
                try await gate.enter()
                entered.update { $0.append(2) }
                gate.leave()
            }
            gate.leave()
            try await entered.wait(for: "the next one") { $0 == [-1, 2] }
        }
        // Nobody holds it: this does not wait.
        try await gate.enter()
        gate.leave()
    }

    @Test("Turns of many tasks do not overlap, whichever of them are cancelled")
    func turns() async throws {
        let gate = SerialGate()
        let inside = ObservedState((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    await withTaskGroup(of: Void.self) { inner in
                        inner.addTask {
                            guard (try? await gate.enter()) != nil else { return }
                            inside.update { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                            await Task.yield()
                            inside.update { $0.now -= 1 }
                            gate.leave()
                        }
                        if number.isMultiple(of: 3) { inner.cancelAll() }
                    }
                }
            }
        }
        #expect(inside.value == (0, 1))
        try await gate.enter()
        gate.leave()
    }
}

@Suite("Silence of the other side")
struct ResponseSilenceTests {
    private func seconds(_ count: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(count) }

    @Test("The limits of head and body, and the time that the reader takes")
    func verdicts() {
        var silence = ResponseSilence(now: seconds(0), limit: .seconds(10))
        #expect(silence.verdict(at: seconds(9)) == .lookAgain(seconds(10)))
        #expect(silence.verdict(at: seconds(10)) == .tooLong)
        #expect(silence.isBeforeHead)
        silence.headCame(at: seconds(9), limit: .seconds(5))
        #expect(!silence.isBeforeHead)
        #expect(silence.verdict(at: seconds(10)) == .lookAgain(seconds(14)))
        silence.pieceCame(at: seconds(13))
        #expect(silence.verdict(at: seconds(14)) == .lookAgain(seconds(18)))
        silence.readerPaused()
        #expect(silence.verdict(at: seconds(1000)) == .nothing)
        silence.readerResumed(at: seconds(1000))
        #expect(silence.verdict(at: seconds(1004)) == .lookAgain(seconds(1005)))
        #expect(silence.verdict(at: seconds(1005)) == .tooLong)
    }
}
