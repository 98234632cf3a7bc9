import DataLayer
import GatewayCore
import GatewayTesting
import RequestControl
import Synchronization
import Telemetry
import Testing

@testable import ExtProcServer

/// What the picker answers to Envoy's messages, mode by mode.
@Suite struct ProcessCallTests {
    private let gateway: GatewayFixture

    init() throws {
        gateway = try GatewayFixture(ports: [8000, 8001, 8002])
    }

    private func expectNothingLeft() {
        #expect(gateway.openLeases == 0)
        #expect(gateway.metric("request_running") == 0)
        #expect(gateway.metric("lease_leaks_total") == 0)
        #expect(gateway.attempts.sent.count == gateway.attempts.ended.count)
    }

    // MARK: Full duplex

    @Test(arguments: [1, 3, 17, Int.max]) func aWholeExchange(piece: Int) {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex, piece: piece)
        call.send(.requestBody(Array(completionBody[..<7]), isLast: false), piece: piece)
        #expect(call.replies.isEmpty, "nothing is answered before the body is whole")
        call.send(.requestBody(Array(completionBody[7...]), isLast: false), piece: piece)
        call.send(.requestBody([], isLast: true), piece: piece)
        let request = call.newReplies()
        #expect(request.map(\.kind) == [1, 3])
        #expect(request[0].clearsRouteCache)
        #expect(request[0].value("x-gateway-destination-endpoint") == "127.0.0.1:8000")
        #expect(request[0].destination == "127.0.0.1:8000")
        #expect(request[0].value("x-gateway-model-name") == nil, "another router's, where no route looks at it")
        #expect(request[0].value("x-request-id")?.count == 36)
        #expect(request[0].scored.isEmpty)
        #expect(request[1].isPiece && request[1].isLast && request[1].body == completionBody)
        #expect(gateway.openLeases == 1)

        call.send(.answerHeaders(), piece: piece)
        #expect(call.newReplies().map(\.kind) == [2])
        for (body, isLast) in [("ab", false), ("", false), ("c", false), ("", true)] {
            call.send(.responseBody(Array(body.utf8), isLast: isLast), piece: piece)
            let answers = call.newReplies()
            #expect(answers.count == 1 && answers[0].kind == 4 && answers[0].isPiece)
            #expect(answers[0].body == Array(body.utf8) && answers[0].isLast == isLast)
        }
        #expect(gateway.openLeases == 0, "the response's end ends the request, not the stream's")
        call.close()
        #expect(gateway.attempts.ended.map(\.outcome) == [.completed])
        expectNothingLeft()
    }

    @Test func longBodiesComeBackInPieces() {
        let call = CallHarness(gateway)
        let prompt = String(repeating: "x", count: 200_000)
        let body = Array(#"{"model":"m","prompt":"\#(prompt)"}"#.utf8)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody(Array(body[..<100_000]), isLast: false), piece: 16_384)
        call.send(.requestBody(Array(body[100_000...]), isLast: true), piece: 16_384)
        let pieces = call.newReplies().dropFirst()
        #expect(pieces.allSatisfy { $0.kind == 3 && $0.isPiece && $0.body.count <= 62_000 })
        #expect(pieces.map(\.isLast) == [false, false, false, true])
        #expect(pieces.flatMap(\.body) == body)
        call.send(.responseBody(body, isLast: true))
        let back = call.newReplies()
        #expect(back.map(\.isLast) == [false, false, false, true] && back.flatMap(\.body) == body)
        call.close()
        expectNothingLeft()
    }

    @Test func theBodyIsNotKeptForTheResponse() throws {
        let filter = BodyWitness()
        let gateway = try GatewayFixture(ports: [8000], filters: [filter])
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody(completionBody, isLast: true))
        let (seen, body) = try #require(filter.witnessed.withLock { $0 })
        #expect(seen == completionBody.count && body.count == 0)
        #expect(call.replies.last?.body == completionBody)
        call.close()
    }

    @Test func trailersEndTheRequest() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody(completionBody, isLast: false))
        call.send(.requestTrailers)
        let answers = call.newReplies()
        #expect(answers.map(\.kind) == [1, 3, 5])
        #expect(!answers[1].isLast && answers[1].body == completionBody)
        call.send(.answerHeaders())
        call.send(.responseBody([1], isLast: false))
        call.send(.responseTrailers)
        #expect(call.newReplies().map(\.kind) == [2, 4, 6])
        #expect(gateway.openLeases == 0)
        call.close()
        expectNothingLeft()
    }

    @Test func aProxyThatTellsNoModesSpeaksFullDuplex() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders())
        call.send(.requestBody(completionBody, isLast: true))
        #expect(call.newReplies().map(\.kind) == [1, 3])
        call.close()
        #expect(gateway.attempts.ended.map(\.outcome) == [.clientDisconnected])
        expectNothingLeft()
    }

    @Test func aRequestWithoutBody() {
        let call = CallHarness(gateway)
        call.send(.requestHeaders([(":method", "GET"), (":path", "/metrics")], isLast: true).fullDuplex)
        #expect(call.newReplies().map(\.kind) == [1])
        call.close()
        expectNothingLeft()
    }

    // MARK: Other modes

    @Test(arguments: [2, 3] as [UInt8]) func buffered(mode: UInt8) {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().modes(request: mode, response: mode))
        let first = call.newReplies()
        #expect(first.map(\.kind) == [1] && first[0].set.isEmpty)
        call.send(.requestBody(completionBody, isLast: true))
        let second = call.newReplies()
        #expect(second.map(\.kind) == [3] && !second[0].isPiece && second[0].body.isEmpty)
        #expect(second[0].clearsRouteCache && second[0].destination == "127.0.0.1:8000")
        #expect(second[0].value("x-gateway-destination-endpoint") == "127.0.0.1:8000")
        call.send(.answerHeaders())
        call.send(.responseBody([1, 2], isLast: true))
        let third = call.newReplies()
        #expect(third.map(\.kind) == [2, 4] && !third[1].isPiece)
        call.close()
        #expect(gateway.attempts.ended.map(\.outcome) == [.completed])
        expectNothingLeft()
    }

    @Test func aPartOfABodyIsRoutedWithoutItsModel() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().modes(request: 3, response: 0))
        call.send(.requestBody(Array(completionBody[..<10]), isLast: false))
        let answers = call.newReplies()
        #expect(answers.map(\.kind) == [1, 3] && answers[1].destination != nil)
        call.close()
        expectNothingLeft()
    }

    @Test func withoutTheBody() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().modes(request: 0, response: 0))
        let answers = call.newReplies()
        #expect(answers.map(\.kind) == [1] && answers[0].destination == "127.0.0.1:8000")
        call.send(.answerHeaders())
        #expect(call.newReplies().map(\.kind) == [2])
        call.close()
        #expect(gateway.attempts.ended.map(\.outcome) == [.completed])
        expectNothingLeft()
    }

    @Test(arguments: [1, 5, 9] as [UInt8]) func modesThatCannotPickAreRefused(mode: UInt8) {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().modes(request: mode, response: 4))
        let answers = call.newReplies()
        #expect(answers.map(\.kind) == [7] && answers[0].status == 500)
        #expect(String(decoding: answers[0].body, as: UTF8.self).contains("request_body_mode"))
        #expect(call.status == .ok)
        call.close()
        expectNothingLeft()
    }

    @Test func whatIsOnlyShownIsNotAnswered() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().modes(request: 1, response: 1).observed)
        call.send(.requestBody(completionBody, isLast: true).observed)
        call.send(.answerHeaders().observed)
        call.send(.responseBody([1], isLast: true).observed)
        #expect(call.replies.isEmpty && call.status == nil)
        call.close()
        expectNothingLeft()
    }

    // MARK: Subsets, served endpoints, scores

    @Test(
        arguments: [
            (["127.0.0.1:8001"], "127.0.0.1:8001"), (["127.0.0.1"], "127.0.0.1:8000"),
            (["127.0.0.1:8002, 127.0.0.1:8001"], "127.0.0.1:8001"),
            (["10.0.0.1:1", "127.0.0.1:8002"], "127.0.0.1:8002"),
            ([], nil), (["10.0.0.1:8000"], nil),
        ] as [([String], String?)])
    func subsets(list: [String], expected: String?) {
        for isText in [false, true] {
            let call = CallHarness(gateway)
            let headers = EnvoyMessage.completionHeaders().fullDuplex
            call.send(isText ? headers.subset(text: list.joined(separator: ",")) : headers.subset(list: list))
            call.send(.requestBody(completionBody, isLast: true))
            let answer = call.replies.first
            if let expected {
                #expect(answer?.destination == expected)
            } else {
                #expect(answer?.kind == 7 && answer?.status == 503)
                #expect(answer?.value("x-llm-d-request-dropped-reason") == "rejected-no-endpoints")
            }
            call.close()
        }
        expectNothingLeft()
    }

    @Test func subsetsCanBeIgnored() {
        var configuration = ExternalProcessorConfiguration()
        configuration.ignoresSubsetHints = true
        let call = CallHarness(gateway, configuration: configuration)
        call.send(.completionHeaders().fullDuplex.subset(list: []))
        call.send(.requestBody(completionBody, isLast: true))
        #expect(call.replies.first?.destination == "127.0.0.1:8000")
        call.close()
        expectNothingLeft()
    }

    @Test(arguments: [true, false]) func theRequestCountsWhereItWasServed(byMetadata: Bool) {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody(completionBody, isLast: true))
        let head = EnvoyMessage.answerHeaders()
        call.send(byMetadata ? head.served("127.0.0.1:8002") : head.upstreamAddress("127.0.0.1:8002"))
        #expect(gateway.store.current.endpoints.map(\.load.requests) == [0, 0, 1])
        call.send(.responseBody([], isLast: true))
        call.close()
        #expect(gateway.attempts.ended.map(\.outcome) == [.servedElsewhere, .completed])
        #expect(gateway.attempts.sent == ["e0", "e2"])
        expectNothingLeft()
    }

    @Test func anUnknownServedEndpointChangesNothing() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody(completionBody, isLast: true))
        call.send(.answerHeaders().served("10.9.9.9:1"))
        call.send(.responseBody([], isLast: true))
        call.close()
        #expect(gateway.attempts.ended.map(\.outcome) == [.completed])
        expectNothingLeft()
    }

    // MARK: Refusals

    @Test func refusalsAreImmediateResponses() {
        for (body, status) in [("{", 400), (#"{"prompt":"x"}"#, 400), (#"{"model":7,"prompt":"x"}"#, 400)] {
            let call = CallHarness(gateway)
            call.send(.completionHeaders().fullDuplex)
            call.send(.requestBody(Array(body.utf8), isLast: true))
            #expect(call.replies.map(\.kind) == [7] && call.replies[0].status == status)
            #expect(call.replies[0].value("content-type") == "application/json")
            #expect(call.status == .ok)
            // Envoy may have sent more before it knew.
            call.send(.requestBody([1], isLast: true))
            #expect(call.replies.count == 1)
            call.close()
        }
        expectNothingLeft()
    }

    @Test func aBodyOverTheLimit() throws {
        var limits = GatewayLimits()
        limits.maxBodyBytes = 20
        let gateway = try GatewayFixture(
            ports: [1], configuration: RequestControlConfiguration(limits: limits, seed: 1))
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody([UInt8](repeating: 32, count: 15), isLast: false))
        call.send(.requestBody([UInt8](repeating: 32, count: 15), isLast: false))
        #expect(call.replies.map(\.status) == [413])
        call.close()
    }

    @Test func metadataIsNoHeader() {
        let call = CallHarness(gateway)
        let hint = (0..<6_000).map { "10.0.\($0 / 250).\($0 % 250):8000" } + ["127.0.0.1:8001"]
        call.send(.completionHeaders().fullDuplex.subset(list: hint))
        call.send(.requestBody(completionBody, isLast: true))
        #expect(call.replies.first?.destination == "127.0.0.1:8001")
        call.close()
        expectNothingLeft()
    }

    @Test func aFloodOfHeaders() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders((0..<200).map { ("x-\($0)", "1") }).fullDuplex)
        #expect(call.replies.map(\.status) == [431])
        call.close()
        let long = CallHarness(gateway)
        long.send(.completionHeaders([("x", String(repeating: "y", count: 70_000))]).fullDuplex)
        #expect(long.replies.map(\.status) == [431])
        long.close()
        expectNothingLeft()
    }

    // MARK: Faults of the peer

    /// The proxy answered the client itself while the request was still coming.
    @Test func aResponseBeforeTheRequestIsWhole() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.answerHeaders(408))
        call.send(.responseBody([1], isLast: true))
        call.send(.requestBody(completionBody, isLast: true))
        #expect(call.replies.map(\.kind) == [2, 4] && call.status == nil)
        call.close()
        #expect(gateway.attempts.sent.isEmpty)
        expectNothingLeft()
    }

    @Test func messagesOutOfOrder() {
        let body = EnvoyMessage.requestBody(completionBody, isLast: true)
        let sequences: [[EnvoyMessage]] = [
            [body], [.requestTrailers], [.completionHeaders(), .completionHeaders()],
            [.completionHeaders(), body, body], [.completionHeaders(), body, .answerHeaders(), .answerHeaders()],
            [.completionHeaders(), body, .responseBody([], isLast: true), .answerHeaders()],
            [.completionHeaders(), body, .responseTrailers, .responseTrailers],
        ]
        for sequence in sequences {
            let call = CallHarness(gateway)
            for message in sequence { call.send(message) }
            #expect(call.status?.code == .failedPrecondition)
            call.close()
        }
        expectNothingLeft()
    }

    @Test func valuesInFrontOfTheirNames() {
        for fields in [[("x-request-id", "mine")], [("x-empty", ""), ("x-request-id", "mine")]] {
            let call = CallHarness(gateway)
            let headers = fields.map { (name: $0.0, value: $0.1) } + [(name: ":path", value: "/v1/completions")]
            call.send(.requestHeaders(headers, isLast: true, valuesFirst: true).fullDuplex)
            #expect(call.replies.first?.kind == 1)
            #expect(call.replies.first?.value("x-request-id") == nil, "the request has one of its own")
            call.close()
        }
        expectNothingLeft()
    }

    @Test func bytesThatAreNoMessages() {
        let cases: [([UInt8], GRPCStatus.Code)] = [
            ([0, 0, 0, 0, 3, 0xFF, 0xFF, 0xFF], .invalidArgument), ([1, 0, 0, 0, 1, 0], .unimplemented),
            ([9, 0, 0, 0, 0], .internal), ([0, 0xFF, 0, 0, 0], .resourceExhausted),
        ]
        for (bytes, code) in cases {
            let call = CallHarness(gateway)
            call.send(bytes: bytes)
            #expect(call.status?.code == code)
            call.close()
        }
        expectNothingLeft()
    }

    @Test func streamsAreCountedByTheirEnd() throws {
        var configuration = ExternalProcessorConfiguration()
        configuration.streamMetrics = try StreamMetrics(registry: gateway.registry)
        let reset = CallHarness(gateway, configuration: configuration)
        reset.send(.completionHeaders().fullDuplex)
        #expect(gateway.metric("extproc_streams_inflight") == 1)
        reset.close()
        let faulty = CallHarness(gateway, configuration: configuration)
        faulty.send(.requestTrailers)
        faulty.close()
        #expect(gateway.metric("extproc_streams_inflight") == 0)
        #expect(gateway.metric("extproc_streams_total", ["code": "Canceled"]) == 1)
        #expect(gateway.metric("extproc_streams_total", ["code": "FailedPrecondition"]) == 1)
        #expect(gateway.metric("extproc_stream_duration_seconds_count") == 2)
    }

    // MARK: Flow

    @Test func theClientWaitsWhenItTakesNothing() {
        let call = CallHarness(gateway)
        call.send(.completionHeaders().fullDuplex)
        call.send(.requestBody(completionBody, isLast: true))
        call.send(.answerHeaders())
        call.connection.takesBytes = false
        let piece = EnvoyMessage.responseBody([UInt8](repeating: 7, count: 100_000), isLast: false)
        for _ in 0..<15 { call.send(piece) }
        let allowed = call.connection.allowed[1] ?? 0
        for _ in 0..<5 { call.send(piece) }
        #expect(call.connection.allowed[1] ?? 0 == allowed, "the window stays shut")
        call.connection.takesBytes = true
        #expect(call.connection.allowed[1] ?? 0 > allowed)
        call.close()
        expectNothingLeft()
    }
}

/// Remembers the body of the last request, and how long it was then.
private final class BodyWitness: Filter {
    static let descriptor = PluginDescriptor(type: "body-witness", summary: "")

    let witnessed = Mutex<(Int, any BodyBytes)?>(nil)

    init() {}

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        let body = context.request.body
        witnessed.withLock { $0 = (body.count, body) }
    }
}
