import DataLayer
import GatewayCore
import Testing

@Suite struct EngineRestartTests {
    private static func page(_ series: String...) -> [UInt8] {
        let queue = ["# TYPE vllm:num_requests_waiting gauge", "vllm:num_requests_waiting 0"]
        return Array((queue + series).map { $0 + "\n" }.joined().utf8)
    }

    private static func tokens(_ count: String, _ labels: String = "engine=\"0\"") -> String {
        "vllm:prompt_tokens_total{\(labels)} \(count)"
    }

    private static func blocks(_ count: String) -> String {
        "vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"\(count)\"} 1.0"
    }

    /// The restarts that were counted after each page.
    private func restarts(_ pages: [[UInt8]]) throws -> [Int] {
        let mapping = try #require(EngineMappings().mapping(named: "vllm"))
        var extractor = EngineMetricsExtractor(mapping: mapping)
        var metrics = EndpointMetrics()
        return pages.map { page in
            metrics = extractor.read(page.span.bytes, previous: metrics).metrics
            return metrics.engineRestarts
        }
    }

    @Test func aCounterThatFallsTellsOfARestart() throws {
        let pages = ["0", "7", "7", "9", "0", "8", "3"].map { Self.page(Self.tokens($0)) }
        #expect(try restarts(pages) == [0, 0, 0, 0, 1, 1, 2])
    }

    @Test func aCounterThatIsGoneTellsOfARestart() throws {
        let pages = [Self.page(), Self.page(Self.tokens("7")), Self.page(), Self.page(), Self.page(Self.tokens("9"))]
        #expect(try restarts(pages) == [0, 0, 1, 1, 1])
    }

    @Test func theSeriesOfAPageCountTogetherInWhateverOrder() throws {
        let (plain, streamed) = ("streaming=\"false\"", "streaming=\"true\"")
        let pages = [
            Self.page(Self.tokens("900", plain)),
            Self.page(Self.tokens("5", streamed), Self.tokens("900", plain)),
            Self.page(Self.tokens("NaN", streamed), Self.tokens("905", plain)),
        ]
        #expect(try restarts(pages) == [0, 0, 0])
    }

    @Test func anotherNumberOfCacheBlocksTellsOfARestart() throws {
        let pages = ["None", "100", "100", "120", "None", "120"].map { Self.page(Self.blocks($0)) }
        #expect(try restarts(pages) == [0, 0, 0, 1, 1, 1], "a page that cannot be read is no sign")
        let both = [Self.page(Self.blocks("9"), Self.tokens("9")), Self.page(Self.blocks("8"), Self.tokens("8"))]
        #expect(try restarts(both) == [0, 1], "two signs of one restart")
    }

    @Test func aPageThatIsSpoiltTellsNothing() throws {
        let (first, second) = (Self.tokens("900", "engine=\"0\""), Self.tokens("5", "engine=\"1\""))
        let whole = Self.page(first, second)
        let cut = Array(whole.dropLast(second.utf8.count + 1))
        let spoilt = [
            // Within the counter, and within the line before it.
            Array(whole.dropLast(3)), Array(cut.dropLast(4)),
            Self.page("vllm:prompt_tokens_total{engine=0} 900", second),
            // The family stands there twice.
            Self.page("# TYPE vllm:prompt_tokens_total counter", first, second)
                + Self.page("# TYPE vllm:prompt_tokens_total counter", first, second),
        ]
        for page in spoilt {
            #expect(try restarts([whole, page, whole]) == [0, 0, 0], "\(String(decoding: page, as: UTF8.self))")
            let restarted = Self.page(Self.tokens("3", "engine=\"0\""))
            #expect(try restarts([whole, page, restarted]) == [0, 0, 1], "what was known before is kept")
        }
    }

    @Test func apageThatIsNotTheEnginesTellsNothing() throws {
        let other = Array("up 1\n".utf8)
        let pages = [Self.page(Self.tokens("7")), other, [], Self.page(Self.tokens("7"))]
        #expect(try restarts(pages) == [0, 0, 0, 0])
    }

    @Test func realPagesCountNoRestart() throws {
        #expect(try restarts([Fixture.vllm, Fixture.vllm, Self.page(Self.tokens("7389"))]) == [0, 0, 1])
    }
}
