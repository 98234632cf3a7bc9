import ModelServerSimulator

/// Parameters with round numbers: a prompt token takes 1 ms, a step of decoding 10 ms whatever the batch, nothing else
/// takes time, and a block holds four tokens.
func roundParameters(_ change: (inout EngineParameters) -> Void = { _ in }) -> EngineParameters {
    var parameters = EngineParameters()
    parameters.prefillTokensPerSecond = 1_000
    parameters.interTokenLatency = .milliseconds(10)
    parameters.interTokenLatencyPerSequence = .zero
    parameters.timeToFirstTokenOverhead = .zero
    parameters.adapterLoadTime = .milliseconds(100)
    parameters.blockSizeTokens = 4
    parameters.blockCount = 101
    change(&parameters)
    return parameters
}

/// A prompt of `count` tokens that shares no block with a prompt of another `family`.
func prompt(_ count: Int, family: UInt32 = 0) -> [SimulatedToken] {
    (0..<UInt32(count)).map { SimulatedToken(value: family &* 1_000_003 &+ $0) }
}

func milliseconds(_ value: Int64) -> SimulatedTime {
    SimulatedTime(nanoseconds: value * 1_000_000)
}

extension SimulatedEngine {
    /// Lets everything happen until nothing is left to happen.
    mutating func runToEnd() -> [EngineEvent] {
        var events: [EngineEvent] = []
        while let next = nextEventTime() {
            events += advance(to: next)
        }
        return events
    }
}

extension [EngineEvent] {
    /// Times of a request's tokens, in whole milliseconds.
    func tokenTimes(of id: SimulatedRequestID) -> [Int64] {
        compactMap { event in
            guard event.id == id, case .token = event.kind else {
                return nil
            }
            return event.time.nanoseconds / 1_000_000
        }
    }

    /// A request's text.
    func text(of id: SimulatedRequestID) -> String {
        compactMap { event in
            guard event.id == id, case .token(let token, _, _) = event.kind else {
                return nil
            }
            return token.text
        }.joined()
    }

    /// What a request consumed, if it ended.
    func usage(of id: SimulatedRequestID) -> SimulatedUsage? {
        firstEnd(of: id)?.0
    }

    /// Why a request ended, if it did.
    func finishReason(of id: SimulatedRequestID) -> SimulatedFinishReason? {
        firstEnd(of: id)?.1
    }

    private func firstEnd(of id: SimulatedRequestID) -> (SimulatedUsage, SimulatedFinishReason)? {
        for event in self where event.id == id {
            if case .finished(let usage, let reason) = event.kind {
                return (usage, reason)
            }
        }
        return nil
    }
}
