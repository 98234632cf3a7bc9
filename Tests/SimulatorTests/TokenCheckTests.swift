import Testing

@testable import Simulator

/// The simulation's own account of what flows were charged.
@Suite("The check of tokens")
struct TokenCheckTests {
    private let quiet = TokenCheck.Flow(priority: 0, id: "quiet")
    private let busy = TokenCheck.Flow(priority: 0, id: "busy")

    private func check(_ promise: TokenPromise) -> TokenCheck {
        var check = TokenCheck(promise: promise)
        check.began(quiet)
        check.began(busy)
        return check
    }

    @Test("a turn of the flow with the least is fair")
    func turnsAreFair() {
        var check = check(.leastFirst(mostOutput: 10))
        for number in 0..<100 {
            let fault = check.dispatched(number, of: number.isMultiple(of: 2) ? quiet : busy, tokens: 100...100)
            #expect(fault == nil)
            check.ends(number, cost: 110)
            check.ended(number)
        }
    }

    @Test("a flow that was charged more than one that waits is found")
    func findsAFavourite() {
        var check = check(.leastFirst(mostOutput: 10))
        #expect(check.dispatched(1, of: quiet, tokens: 100...100) == nil)
        #expect(check.dispatched(2, of: busy, tokens: 100...100) == nil)
        #expect(
            check.dispatched(3, of: busy, tokens: 100...100) == nil, "the first may have been charged 20 for output")
        let fault = check.dispatched(4, of: busy, tokens: 100...100)
        #expect(fault?.contains("'busy' was charged") ?? false, "\(fault ?? "nothing was found")")
    }

    @Test("what is given back counts, and a pause of the other flow ends the comparison")
    func corrections() {
        var check = check(.leastFirst(mostOutput: 10))
        #expect(check.dispatched(1, of: quiet, tokens: 100...100) == nil)
        #expect(check.dispatched(2, of: busy, tokens: 100...100) == nil)
        check.ends(2, cost: 0)
        check.ended(2)
        #expect(check.dispatched(3, of: busy, tokens: 100...100) == nil)
        check.stopped(quiet)
        #expect(check.dispatched(4, of: busy, tokens: 1_000...1_000) == nil)
        check.began(quiet)
        #expect(check.dispatched(5, of: busy, tokens: 1_000...1_000) == nil)
    }

    @Test("more than the quanta of a round is found")
    func findsMoreThanARound() {
        var check = check(.rounds(quantum: 50, mostOutput: 10))
        var found: [Int] = []
        for number in 0..<20 {
            if check.dispatched(number, of: busy, tokens: 100...100) != nil { found.append(number) }
            check.ends(number, cost: 120)
            check.ended(number)
        }
        #expect(found.first == 4, "three quanta, and three times the largest request, which is 124")
    }
}
