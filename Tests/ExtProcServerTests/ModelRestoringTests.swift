import GatewayCore
import GatewayTesting
import RequestControl
import Testing

@testable import ExtProcServer

/// The client's name of a rewritten model in the response, mode by mode.
@Suite struct ModelRestoringTests {
    private let gateway: GatewayFixture
    private let answer = Array(#"{"model":"target-of-it","x":1}"#.utf8)
    private let restored = Array(#"{"model":"m","x":1}"#.utf8)

    init() throws {
        let target = ModelRewriteRule.Target(model: "target-of-it")
        gateway = try GatewayFixture(
            ports: [8000],
            rewrites: [ModelRewriteRule(rewrite: "r", models: ["m"], targets: [target])]
        )
    }

    /// A call whose request was answered, in modes by their numbers.
    private func call(request: UInt8 = 4, response: UInt8) -> CallHarness {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().modes(request: request, response: response))
        call.send(.requestBody(completionBody, isLast: true))
        _ = call.newReplies()
        return call
    }

    private func expectNothingLeft(_ call: CallHarness) {
        #expect(call.status == nil)
        call.close()
        #expect(gateway.openLeases == 0)
    }

    @Test func aChangedRequestKeepsItsLengthWhereTheProxyAnnouncesOne() {
        for (mode, hasLength) in [(2, true), (3, false)] as [(UInt8, Bool)] {
            let call = CallHarness(gateway)
            call.send(.completionHeaders().modes(request: mode, response: 0))
            call.send(.requestBody(completionBody, isLast: true))
            let reply = call.replies.last
            #expect(reply?.body == Array(#"{"model":"target-of-it","prompt":"hello"}"#.utf8))
            #expect(reply?.value("content-length") == (hasLength ? "\(reply?.body.count ?? 0)" : nil))
            expectNothingLeft(call)
        }
    }

    @Test func aStreamedBodyIsSentBackChangedWhereverItIsCut() {
        for cut in 0...answer.count {
            let call = call(response: 4)
            call.send(.answerHeaders())
            call.send(.responseBody(Array(answer[..<cut]), isLast: false))
            call.send(.responseBody(Array(answer[cut...]), isLast: true))
            let pieces = call.newReplies().dropFirst()
            #expect(pieces.flatMap(\.body) == restored && pieces.map(\.isLast) == [false, true])
            expectNothingLeft(call)
        }
    }

    @Test func whatIsHeldComesInFrontOfTrailersAndOfTheEnd() {
        let cut = Array(#"{"model":"target"#.utf8)
        let call = call(response: 4)
        call.send(.answerHeaders())
        call.send(.responseBody(cut, isLast: false))
        #expect(call.newReplies().last?.body == Array(#"{"model":"#.utf8))
        call.send(.responseTrailers)
        let rest = call.newReplies()
        #expect(rest.map(\.kind) == [4, 6] && rest[0].body == Array(#""target"#.utf8) && !rest[0].isLast)
        expectNothingLeft(call)
        for mode in [1, 2, 3, 4] as [UInt8] {
            let call = self.call(response: mode)
            call.send(.answerHeaders())
            call.send(.responseBody(cut, isLast: true))
            #expect(call.newReplies().last?.body == cut)
            expectNothingLeft(call)
        }
    }

    @Test func aBufferedBodyIsReplacedWithItsLength() {
        for (mode, hasLength) in [(2, true), (3, false)] as [(UInt8, Bool)] {
            let call = call(response: mode)
            call.send(.answerHeaders())
            call.send(.responseBody(answer, isLast: mode == 2))
            let reply = call.newReplies().last
            #expect(reply?.kind == 4 && reply?.isPiece == false && reply?.body == restored)
            #expect(reply?.value("content-length") == (hasLength ? "\(restored.count)" : nil))
            expectNothingLeft(call)
        }
    }

    @Test func piecesOfStreamedModeAreReplacedOneByOne() {
        let call = call(response: 1)
        call.send(.answerHeaders())
        var given: [UInt8] = []
        for byte in answer {
            call.send(.responseBody([byte], isLast: false))
            let reply = call.newReplies().last
            #expect(reply?.kind == 4 && reply?.isPiece == false)
            // Without a replacement the proxy keeps what it has; an empty one takes it away.
            given += reply?.changesBody == true ? reply?.body ?? [] : [byte]
        }
        call.send(.responseBody([], isLast: true))
        #expect(given == restored)
        expectNothingLeft(call)
    }

    @Test func ofABodyWithAnnouncedTrailersNothingIsLost() {
        let cut = Array(#"{"model":"target"#.utf8)
        for mode in [1, 4] as [UInt8] {
            let call = call(response: mode)
            call.send(.answerHeaders(trailer: "x-checksum"))
            call.send(.responseBody(cut, isLast: false))
            call.send(.responseTrailers)
            // Without a replacement the proxy keeps what it has.
            let pieces = call.newReplies().dropFirst().filter { $0.kind == 4 }
            #expect(pieces.flatMap { $0.changesBody || $0.isPiece ? $0.body : cut } == cut)
            expectNothingLeft(call)
        }
    }

    @Test func withoutAPlaceForItNothingIsRestored() {
        let shown = call(response: 0)
        shown.send(.answerHeaders())
        expectNothingLeft(shown)
        // The filter does not send the response's headers: nobody knows what the body is.
        let headless = call(response: 4)
        headless.send(.responseBody(answer, isLast: true))
        #expect(headless.newReplies().map(\.body) == [answer])
        expectNothingLeft(headless)
        for type in ["text/plain", "application/octet-stream", ""] {
            let other = call(response: 4)
            other.send(.answerHeaders(type: type))
            other.send(.responseBody(answer, isLast: true))
            #expect(other.newReplies().last?.body == answer)
            expectNothingLeft(other)
        }
    }
}
