import ExtProcProto
import GatewayCore
import GatewayTesting
import Testing

@testable import ExtProcServer

/// Which message tells the proxy what reporters make of a response's token usage.
@Suite struct UsageReportTests {
    private let gateway: GatewayFixture
    private let usage =
        #"{"usage":{"prompt_tokens":7,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":3}}}"#
    private let numbers = ["envoy.lb/prompt": 7.0, "envoy.lb/completion": 10, "other/cached": 3]

    init() throws {
        gateway = try GatewayFixture(ports: [8000], plugins: [TokenReporter()])
    }

    /// A call whose response has begun.
    private func call(
        _ gateway: GatewayFixture? = nil,
        response: UInt8 = 4,
        type: String = "application/json"
    ) -> CallHarness {
        let call = CallHarness(gateway ?? self.gateway)
        call.send(.completionHeaders().modes(request: 4, response: response))
        call.send(.requestBody(completionBody, isLast: true))
        call.send(.answerHeaders(type: type))
        #expect(call.newReplies().allSatisfy { $0.numbers.isEmpty })
        return call
    }

    private func expectCountedOnce(_ gateway: GatewayFixture) {
        #expect(gateway.metric("request_input_tokens_sum") == 7)
        #expect(gateway.metric("request_input_tokens_count") == 1)
        #expect(gateway.openLeases == 0)
    }

    @Test(arguments: [1, 20, 4_096]) func theLastPieceHasThem(chunk: Int) {
        let call = call()
        var rest = Array(usage.utf8)[...]
        while !rest.isEmpty {
            call.send(.responseBody(Array(rest.prefix(chunk)), isLast: rest.count <= chunk))
            rest = rest.dropFirst(chunk)
        }
        let replies = call.newReplies()
        #expect(replies.last?.numbers == numbers && replies.last?.isLast == true)
        #expect(replies.dropLast().allSatisfy { $0.numbers.isEmpty })
        #expect(replies.flatMap(\.body) == Array(usage.utf8))
        call.close()
        expectCountedOnce(gateway)
    }

    @Test func anEmptyLastPieceHasThem() {
        let call = call(type: "text/event-stream")
        call.send(.responseBody(Array("data: \(usage)\n\ndata: [DONE]\n\n".utf8), isLast: false))
        call.send(.responseBody([], isLast: true))
        let replies = call.newReplies()
        #expect(replies.map(\.numbers) == [[:], numbers])
        #expect(replies.map(\.body.isEmpty) == [false, true] && replies.map(\.isLast) == [false, true])
        call.close()
        expectCountedOnce(gateway)
    }

    @Test func ofALongMessageTheLastPieceHasThem() {
        let call = call()
        let body = Array((#"{"text":""# + String(repeating: "x", count: 150_000) + #"","# + usage.dropFirst()).utf8)
        call.send(.responseBody(body, isLast: true))
        let replies = call.newReplies()
        #expect(replies.map(\.numbers) == [[:], [:], numbers])
        #expect(replies.allSatisfy(\.isPiece) && replies.map(\.isLast) == [false, false, true])
        #expect(replies.flatMap(\.body) == body)
        call.close()
    }

    @Test func trailersHaveThemWhenTheyEndTheBody() {
        let call = call()
        call.send(.responseBody(Array(usage.utf8), isLast: false))
        call.send(.responseTrailers)
        let replies = call.newReplies()
        #expect(replies.map(\.kind) == [4, 6] && replies.map(\.numbers) == [[:], numbers])
        call.close()
        expectCountedOnce(gateway)
    }

    @Test(arguments: [true, false]) func aBufferedBodyHasThemWithAndWithoutTrailers(hasTrailers: Bool) {
        let call = call(response: 2)
        call.send(.responseBody(Array(usage.utf8), isLast: !hasTrailers))
        if hasTrailers { call.send(.responseTrailers) }
        let replies = call.newReplies()
        #expect(replies.map(\.kind) == (hasTrailers ? [4, 6] : [4]))
        #expect(replies.map(\.numbers) == (hasTrailers ? [numbers, [:]] : [numbers]))
        #expect(!replies[0].isPiece && replies[0].body.isEmpty)
        call.close()
        expectCountedOnce(gateway)
    }

    @Test func aStreamedBodyHasThemWithItsLastPiece() {
        let call = call(response: 1)
        call.send(.responseBody(Array(usage.utf8), isLast: false))
        call.send(.responseBody([], isLast: true))
        #expect(call.newReplies().map(\.numbers) == [[:], numbers])
        call.close()
        expectCountedOnce(gateway)
    }

    @Test func withoutUsageNothingIsReported() {
        for body in ["no healthy upstream", "{}", ""] {
            let call = call()
            call.send(.responseBody(Array(body.utf8), isLast: true))
            #expect(call.newReplies().map(\.numbers) == [[:]])
            call.close()
        }
    }

    @Test func withoutAReporterNothingIsReported() throws {
        let gateway = try GatewayFixture(ports: [8000])
        let call = call(gateway)
        call.send(.responseBody(Array(usage.utf8), isLast: true))
        #expect(call.newReplies().map(\.numbers) == [[:]])
        call.close()
        expectCountedOnce(gateway)
    }

    @Test func aResponseWithoutARequestIsPassed() {
        let call = CallHarness(gateway)
        call.send(.answerHeaders().fullDuplex)
        call.send(.responseBody(Array(usage.utf8), isLast: true))
        #expect(call.newReplies().map(\.numbers) == [[:], [:]])
        call.close()
    }

    @Test func namesAreWrittenOnce() {
        let both = ProtobufStruct([
            ReportedNumber(namespace: "a", name: "x", value: 1), ReportedNumber(namespace: "b", name: "x", value: 2),
            ReportedNumber(namespace: "a", name: "x", value: 3), ReportedNumber(namespace: "a", name: "y", value: 4),
        ])
        #expect(both == ["a": .structure(["x": .number(3), "y": .number(4)]), "b": .structure(["x": .number(2)])])
        #expect(ProtobufStruct([]) == nil)
    }
}
