import Testing

@testable import ReverseProxy

@Suite struct ClientSessionStateTests {
    private enum Event: CaseIterable {
        case head, headThatCloses, complete, refused, mustClose, ended, endedWhileDraining, closed
    }

    private func apply(_ event: Event, to state: inout ClientSessionState) -> ClientSessionState.AfterResponse? {
        switch event {
        case .head: state.headReceived(keepAlive: true)
        case .headThatCloses: state.headReceived(keepAlive: false)
        case .complete: state.requestComplete()
        case .refused: state.requestRefused()
        case .mustClose: state.mustClose()
        case .ended: return state.responseEnded(isDraining: false)
        case .endedWhileDraining: return state.responseEnded(isDraining: true)
        case .closed: state.closed()
        }
        return nil
    }

    @Test func aKeptAliveConnectionTakesRequestAfterRequest() {
        var state = ClientSessionState()
        for _ in 0..<3 {
            #expect(state.phase == .idle && state.takesInput)
            state.headReceived(keepAlive: true)
            #expect(state.isReceiving && state.takesInput)
            state.requestComplete()
            #expect(state.isResponding && !state.takesInput && !state.discardsInput)
            #expect(!state.willClose(isDraining: false) && state.willClose(isDraining: true))
            #expect(state.responseEnded(isDraining: false) == .nextRequest)
        }
    }

    @Test func reasonsToClose() {
        for (keepAlive, mustClose, isDraining) in [(false, false, false), (true, true, false), (true, false, true)] {
            var state = ClientSessionState()
            state.headReceived(keepAlive: keepAlive)
            state.requestComplete()
            if mustClose { state.mustClose() }
            #expect(state.willClose(isDraining: isDraining))
            #expect(state.responseEnded(isDraining: isDraining) == .close)
            #expect(state.phase == .closed && state.discardsInput)
        }
    }

    @Test func anEarlyAnswerThrowsTheRestAway() {
        for hasHead in [false, true] {
            var state = ClientSessionState()
            if hasHead { state.headReceived(keepAlive: true) }
            state.requestRefused()
            #expect(state.isResponding && state.discardsInput && state.willClose(isDraining: false))
            state.requestComplete()
            #expect(state.phase == .responding(isRequestComplete: false))
            #expect(state.responseEnded(isDraining: false) == .linger)
            #expect(state.phase == .discarding && state.discardsInput)
        }
    }

    /// Every event in every reachable state: closed stays closed, and only a complete answer leads to a next request.
    @Test func transitionsAreTotal() {
        var reached: [[Event]] = [[]]
        var seen: Set<String> = []
        while let path = reached.popLast() {
            for event in Event.allCases {
                var state = ClientSessionState()
                for earlier in path { _ = apply(earlier, to: &state) }
                let before = state
                let after = apply(event, to: &state)
                if before.phase == .closed { #expect(state.phase == .closed) }
                if event == .closed { #expect(state.phase == .closed) }
                if after == .nextRequest { #expect(before.phase == .responding(isRequestComplete: true)) }
                #expect(!(state.takesInput && state.discardsInput))
                if before.phase == .discarding { #expect(state.phase == .discarding || state.phase == .closed) }
                if seen.insert("\(state)").inserted { reached.append(path + [event]) }
            }
        }
        #expect(seen.count >= 8)
    }
}
