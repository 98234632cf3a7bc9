public import GatewayCore
import Synchronization

/// Answers outbound requests from a function, and remembers them.
///
/// Answers come inside the call, unless a delay is set. The function can be replaced while requests are under way;
/// those keep the answer that they began with.
public final class FakeOutboundHTTP: OutboundHTTP {
    /// Answers one request.
    public typealias Answer = @Sendable (OutboundRequest) throws(OutboundFailure) -> OutboundResponse

    private struct State {
        var answer: Answer
        var delay: (duration: Duration, clock: ManualClock, isDelayed: @Sendable (OutboundRequest) -> Bool)?
        var requests: [OutboundRequest] = []
        var cancelledCount = 0
        /// By request number: what calls the delayed answer off.
        var waiting: [Int: any Cancellable] = [:]
    }

    private struct Call: Cancellable {
        let http: FakeOutboundHTTP
        let number: Int

        func cancel() {
            http.cancel(number)
        }
    }

    private let state: Mutex<State>

    /// Makes a fake that answers with `answer`.
    public init(_ answer: @escaping Answer) {
        state = Mutex(State(answer: answer))
    }

    /// All requests so far, in the order in which they began.
    public var requests: [OutboundRequest] { state.withLock { $0.requests } }

    /// Requests whose answers are still to come.
    public var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Requests that were called off before their answers came.
    public var cancelledCount: Int { state.withLock { $0.cancelledCount } }

    /// Answers requests that begin from now on with `answer`.
    public func answer(with answer: @escaping Answer) {
        state.withLock { $0.answer = answer }
    }

    /// Lets answers to requests that begin from now on, or to those of them that `isDelayed` tells, come `duration`
    /// later by `clock`.
    public func delay(
        by duration: Duration,
        on clock: ManualClock,
        where isDelayed: @escaping @Sendable (OutboundRequest) -> Bool = { _ in true }
    ) {
        state.withLock { $0.delay = (duration, clock, isDelayed) }
    }

    /// Remembers `request` and gives what the function answers.
    public func get(
        _ request: OutboundRequest,
        _ completion: @escaping @Sendable (Result<OutboundResponse, OutboundFailure>) -> Void
    ) -> any Cancellable {
        let (answer, delay, number) = state.withLock { state in
            state.requests.append(request)
            return (state.answer, state.delay, state.requests.count)
        }
        let result = Result { () throws(OutboundFailure) in try answer(request) }
        guard let (duration, clock, isDelayed) = delay, isDelayed(request) else {
            completion(result)
            return Call(http: self, number: number)
        }
        let place = clock.schedule(at: clock.now.advanced(by: duration)) {
            self.state.withLock { $0.waiting[number] = nil }
            completion(result)
        }
        state.withLock { $0.waiting[number] = place }
        return Call(http: self, number: number)
    }

    private func cancel(_ number: Int) {
        let place = state.withLock { state in
            let place = state.waiting.removeValue(forKey: number)
            if place != nil { state.cancelledCount += 1 }
            return place
        }
        place?.cancel()
    }
}

extension OutboundResponse {
    /// A response whose body is the UTF-8 of `text`.
    public static func text(_ text: String, status: Int = 200) -> OutboundResponse {
        OutboundResponse(status: status, body: ArrayBody(Array(text.utf8)))
    }
}
