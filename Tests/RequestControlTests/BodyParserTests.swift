import GatewayCore
import GatewayTesting
import RequestFormats
import Testing

@testable import RequestControl

/// Formats that plugins read.
@Suite struct BodyParserTests {
    /// Claims paths, and gives the same answer about everything.
    private struct Fixed: BodyParser {
        static let descriptor = PluginDescriptor(type: "fixed-parser", summary: "Gives one answer.")

        let pathSuffixes: [String]
        let answer: Result<ParsedRequest, Rejection>

        init(_ pathSuffixes: [String], _ answer: ParsedRequest = ParsedRequest()) {
            self.pathSuffixes = pathSuffixes
            self.answer = .success(answer)
        }

        init(refusing rejection: Rejection) {
            pathSuffixes = ["fixed"]
            answer = .failure(rejection)
        }

        init(parameters: ParameterDecoder, context: inout PluginContext) {
            self.init([])
        }

        func parse(_ body: RawSpan, headers: HeaderMap, path: Substring) throws(Rejection) -> ParsedRequest {
            try answer.get()
        }
    }

    private let body = #"fixed:"m",prompt"#

    /// What happens to a request that a parser with this answer reads: the step, and the exchange in that state.
    private func begin(
        _ parser: Fixed,
        _ method: String = "POST",
        _ path: String = "/v1/fixed?q=1",
        headers: [(String, String)] = []
    ) throws -> (step: NextStep, exchange: RequestExchange) {
        let gateway = try GatewayFixture(ports: [1], plugins: [parser])
        let exchange = RequestExchange(
            controller: gateway.controller,
            routes: .standalone,
            request: .sample(method, path, headers: headers, body: body)
        )
        return (exchange.begin(), exchange)
    }

    private func status(_ parser: Fixed) throws -> Int? {
        guard case .reply(let reply) = try begin(parser).step else { return nil }
        return reply.status
    }

    // MARK: Paths

    @Test(
        arguments: [
            ("/fixed", 0), ("/v1/fixed/", 0), ("/a/long/fixed", 1), ("/long/fixed//", 1), ("/along/fixed", 0),
            ("/unfixed", nil), ("/fixed/more", nil), ("/", nil), ("", nil), ("/v1/completions", 0),
        ] as [(String, Int?)])
    func theLongestSuffixOfWholeSegmentsCounts(path: String, index: Int?) {
        let parsers = [
            Fixed(["/fixed/", "completions"], ParsedRequest(model: "0")),
            Fixed(["long/fixed", "", "//"], ParsedRequest(model: "1")),
            Fixed(["fixed", "long/fixed"], ParsedRequest(model: "2")),
        ]
        let found = BodyParserSet(parsers).parser(forPath: path[...]) as? Fixed
        #expect(found?.pathSuffixes == index.map { parsers[$0].pathSuffixes })
    }

    @Test func aPluginGoesBeforeTheGatewaysOwnFormats() throws {
        let parser = Fixed(["completions"], ParsedRequest(model: "theirs"))
        guard case .send = try begin(parser, "POST", "/v1/completions").step else {
            Issue.record("the body was read as one of the OpenAI API")
            return
        }
    }

    @Test func onlyPostsAreRead() throws {
        let parser = Fixed(refusing: Rejection(.invalidRequest, "no"))
        guard case .send = try begin(parser, "GET").step else {
            Issue.record("a GET was read")
            return
        }
        #expect(try status(parser) == 400)
    }

    // MARK: Answers

    @Test func whatIsReadReachesTheScheduler() throws {
        var random = RandomSource(seed: 1)
        let answer = ParsedRequest(
            model: "m", isStreaming: true, promptRanges: [2..<4, 4..<4, 10..<16], maxOutputTokens: 7, cacheSalt: "s"
        )
        func request(_ answer: ParsedRequest) throws(Rejection) -> InferenceRequest {
            let incoming = IncomingRequest.sample("POST", "/fixed", body: body)
            return try RequestIdentity(
                incoming,
                parsers: .standard,
                bodyParsers: BodyParserSet([Fixed(["fixed"], answer)]),
                limits: GatewayLimits(),
                random: &random
            ).inferenceRequest(
                incoming, changedBy: [], target: "m", objectives: ObjectiveTable(), agent: nil)
        }
        let read = try request(answer)
        #expect(read.model == "m" && read.isStreaming && read.maxOutputTokens == 7 && read.cacheSalt == "s")
        #expect(read.promptRanges == [2..<4, 10..<16])
        #expect(read.inputTokens == 2)
        var counted = answer
        counted.inputTokens = 1234
        #expect(try request(counted).inputTokens == 1234)
    }

    @Test(
        arguments: [
            ParsedRequest(promptRanges: [0..<17]), ParsedRequest(promptRanges: [-1..<2]),
            ParsedRequest(promptRanges: [4..<6, 2..<3]), ParsedRequest(promptRanges: [0..<3, 2..<4]),
            ParsedRequest(promptRanges: [0..<1, 1..<2, 2..<3, 3..<4]),
            ParsedRequest(model: "m", modelRange: 14..<17), ParsedRequest(model: "m", modelRange: -3 ..< -1),
            ParsedRequest(modelRange: 1..<2), ParsedRequest(inputTokens: -1), ParsedRequest(maxOutputTokens: .min),
        ])
    func anAnswerThatDoesNotFitTheBodyIsAnInternalError(answer: ParsedRequest) throws {
        #expect(try status(Fixed(["fixed"], answer)) == 500)
    }

    @Test func aNameThatCannotBeThatOfAModelIsRefused() throws {
        #expect(try status(Fixed(["fixed"], ParsedRequest(model: "a\r\nX-Evil: 1"))) == 400)
    }

    @Test func aRangeOfTheModelMakesItReplaceable() throws {
        let parser = Fixed(["fixed"], ParsedRequest(model: "m", modelRange: 6..<9))
        let headers = [("x-llm-d-model-name-rewrite", "other")]
        let (step, exchange) = try begin(parser, headers: headers)
        guard case .send(let reply) = step else {
            Issue.record("the request was refused")
            return
        }
        #expect(reply.body?.range == 6..<9 && reply.body?.bytes == Array(#""other""#.utf8))
        // Responses in a format that nobody here reads stay as they are.
        #expect(exchange.isModelRewritten)
        #expect(!exchange.restoreModel(contentType: "application/json", contentEncoding: ""))
        let fixed = Fixed(["fixed"], ParsedRequest(model: "m"))
        guard case .send(let kept) = try begin(fixed, headers: headers).step else {
            Issue.record("the request was refused")
            return
        }
        #expect(kept.body == nil)
    }
}
