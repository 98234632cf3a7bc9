import DataLayer
import GatewayCore
import GatewayTesting
import Telemetry
import Testing

/// Pages that an engine should not send: whatever one endpoint sends, the other gets what its own page says.
@Suite struct BadPageTests {
    private static let good = """
        # TYPE vllm:num_requests_waiting gauge
        vllm:num_requests_waiting 3
        # TYPE vllm:num_requests_running gauge
        vllm:num_requests_running 5
        # TYPE vllm:kv_cache_usage_perc gauge
        vllm:kv_cache_usage_perc 0.25
        # TYPE vllm:cache_config_info gauge
        vllm:cache_config_info{block_size="16",num_gpu_blocks="100"} 1

        """
    private static let metrics = EndpointMetrics(
        waitingQueueSize: 3, runningRequests: 5, kvCacheUsage: 0.25, cacheBlockSizeTokens: 16, cacheBlockCount: 100
    )

    /// The rig of two endpoints with good pages, after the first scrape; the first endpoint's answers can be replaced.
    private func rig() throws -> ScrapeRig {
        let rig = try ScrapeRig([.made("bad"), .made("good", port: 1)]) { Self.goodAnswer($0) }
        rig.run(for: .zero)
        #expect(rig.store.current.endpoints.map(\.metrics) == [Self.metrics, Self.metrics])
        #expect(rig.faults(0).isEmpty && rig.faults(1).isEmpty)
        return rig
    }

    private static func goodAnswer(_ request: OutboundRequest) -> OutboundResponse {
        request.path == "/metrics" ? .text(good) : .text(#"{"data":[{"id":"m"}]}"#)
    }

    /// Lets the first endpoint answer with `answer` once more, and checks that the second gets its own.
    private func scrape(_ rig: ScrapeRig, _ answer: @escaping FakeOutboundHTTP.Answer) {
        rig.http.answer { request throws(OutboundFailure) in
            if request.path == "/metrics", request.address.port == 8_000 { return try answer(request) }
            return Self.goodAnswer(request)
        }
        rig.run(for: .milliseconds(50))
        let other = rig.store.current.endpoints[1]
        #expect(other.metrics == Self.metrics && other.metricsUpdatedAt == rig.clock.now)
        #expect(rig.faults(1).isEmpty)
    }

    @Test(arguments: [
        // In the place of the waiting requests: what they become, and what is told.
        ("NaN", 0, ["queued_requests/not_a_number"]),
        ("-7", 0, ["queued_requests/out_of_range"]),
        ("+Inf", 1 << 53, ["queued_requests/out_of_range"]),
        ("-Inf", 0, ["queued_requests/out_of_range"]),
        ("1e300", 1 << 53, ["queued_requests/out_of_range"]),
        ("many", 3, ["page/unreadable", "queued_requests/missing"]),
        ("", 3, ["page/unreadable", "queued_requests/missing"]),
    ])
    func aBadNumberChangesItsOwnFieldOnly(text: String, expected: Int, faults: [String]) throws {
        let rig = try rig()
        scrape(rig) { _ in
            .text(Self.good.replacing("num_requests_waiting 3", with: "num_requests_waiting \(text)"))
        }
        var metrics = Self.metrics
        metrics.waitingQueueSize = expected
        #expect(rig.store.current.endpoints[0].metrics == metrics)
        #expect(rig.faults(0) == faults)
    }

    @Test func aShareAboveOneIsOne() throws {
        let rig = try rig()
        scrape(rig) { _ in .text(Self.good.replacing("perc 0.25", with: "perc 25")) }
        #expect(rig.store.current.endpoints[0].metrics.kvCacheUsage == 1)
        #expect(rig.faults(0) == ["kv_cache_usage/out_of_range"])
    }

    @Test(arguments: ["histogram", "untyped", "info"])
    func aWrongTypeIsTold(type: String) throws {
        let rig = try rig()
        scrape(rig) { _ in .text(Self.good.replacing("waiting gauge", with: "waiting \(type)")) }
        #expect(rig.store.current.endpoints[0].metrics.waitingQueueSize == 0)
        #expect(rig.faults(0) == ["queued_requests/wrong_type"])
    }

    @Test func ofADuplicateFamilyTheFirstCounts() throws {
        let rig = try rig()
        let again = "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 900\n"
        scrape(rig) { _ in .text(Self.good + again) }
        #expect(rig.store.current.endpoints[0].metrics == Self.metrics)
        #expect(rig.faults(0) == ["queued_requests/duplicate"])
    }

    @Test func aPageThatIsCutGivesWhatIsWhole() throws {
        let rig = try rig()
        // Behind "running 5" of what should be 57.
        let whole = Self.good.replacing("running 5", with: "running 57").replacing("waiting 3", with: "waiting 4")
        let end = try #require(whole.firstRange(of: "running 57")).upperBound
        scrape(rig) { _ in .text(String(whole[..<end].dropLast())) }
        var metrics = Self.metrics
        metrics.waitingQueueSize = 4
        #expect(rig.store.current.endpoints[0].metrics == metrics, "half a number is no number")
        #expect(
            rig.faults(0) == [
                "page/truncated", "running_requests/missing", "kv_cache_usage/missing", "cache_info/missing",
            ]
        )
    }

    @Test func noCutOfAPageInventsANumber() throws {
        let bytes = Array(Self.good.utf8)
        var extractor = EngineMetricsExtractor(mapping: EngineMetricMapping.builtin[0])
        let before = EndpointMetrics(waitingQueueSize: 70, runningRequests: 80, kvCacheUsage: 0.5)
        for length in 0..<bytes.count {
            let reading = extractor.read(bytes.span.bytes.extracting(0..<length), previous: before)
            #expect([3, 70].contains(reading.metrics.waitingQueueSize))
            #expect([5, 80].contains(reading.metrics.runningRequests))
            #expect([0.25, 0.5].contains(reading.metrics.kvCacheUsage))
            #expect([0, 100].contains(reading.metrics.cacheBlockCount))
            #expect(!reading.faults.isEmpty, "what is cut off is told, at \(length)")
        }
    }

    @Test(arguments: ["<html><body>Not here</body></html>\n", #"{"status":"ok"}"#, "\u{0}\u{1F}\u{8B}\n\n", ""])
    func aPageOfAnotherContentTypeChangesNothing(text: String) throws {
        let rig = try rig()
        let updatedAt = rig.store.current.endpoints[0].metricsUpdatedAt
        scrape(rig) { _ in .text(text) }
        let endpoint = rig.store.current.endpoints[0]
        #expect(endpoint.metrics == Self.metrics && endpoint.metricsUpdatedAt == updatedAt, "its age goes on")
        #expect(rig.faults(0).contains("queued_requests/missing"))
        #expect(rig.metrics.scrapes(.page).value == 1)
    }

    @Test(arguments: [
        (OutboundFailure.overLimit("9 MB"), "page/too_large", DataLayerMetrics.ScrapeResult.page),
        (.badResponse("it broke off"), "page/unreadable", .connection),
        (.timedOut, "page/timed_out", .timeout),
        (.connect("refused"), "page/unreachable", .connection),
    ])
    func aPageThatDoesNotComeWholeChangesNothing(
        failure: OutboundFailure,
        fault: String,
        result: DataLayerMetrics.ScrapeResult
    ) throws {
        let rig = try rig()
        scrape(rig) { _ throws(OutboundFailure) in throw failure }
        #expect(rig.store.current.endpoints[0].metrics == Self.metrics)
        #expect(rig.faults(0) == [fault])
        #expect(rig.metrics.scrapes(result).value == 1)
        #expect(rig.metrics.pollErrors.child("metrics-data-source").value == 1)
    }

    @Test(arguments: [(404, "missing", 0), (500, "status", 1), (302, "status", 1)])
    func anAnswerThatIsNoPageIsAFault(status: Int, reason: String, pollErrors: Int64) throws {
        let rig = try rig()
        scrape(rig) { _ in OutboundResponse(status: status, body: ArrayBody([])) }
        #expect(rig.store.current.endpoints[0].metrics == Self.metrics)
        #expect(rig.faults(0) == ["page/\(reason)"])
        #expect(rig.metrics.pollErrors.child("metrics-data-source").value == pollErrors)
    }

    /// A view without faults shares nothing with later ones that have some, and stays what it was.
    @Test func aChangeOfFaultsIsSeenByTheNextView() throws {
        let rig = try rig()
        let good = rig.store.current
        scrape(rig) { _ throws(OutboundFailure) in throw .timedOut }
        let bad = rig.store.current
        #expect(good.faults.isEmpty && bad.generation > good.generation)
        #expect(
            bad.faults.values.map { $0["metrics-data-source"] }.allSatisfy { $0 == [ScrapeFault(.page, .timedOut)] })
        rig.replaceEndpoints([])
        #expect(rig.store.current.faults.isEmpty && !bad.faults.isEmpty)
    }

    @Test func everyFaultIsCountedByFieldAndReason() throws {
        let rig = try rig()
        let bad = Self.good.replacing("waiting 3", with: "waiting NaN").replacing("100", with: "None")
        for _ in 0..<3 { scrape(rig) { _ in .text(bad) } }
        #expect(rig.metrics.faults(.queuedRequests, .notANumber).value == 3)
        #expect(rig.metrics.faults(.cacheInfo, .unreadable).value == 3)
        let page = String(decoding: rig.registry.page(.prometheusText), as: UTF8.self)
        let series = page.split(separator: "\n").filter { $0.hasPrefix("martlet_scrape_faults_total{") }
        #expect(
            series.sorted() == [
                #"martlet_scrape_faults_total{field="cache_info",reason="unreadable"} 3"#,
                #"martlet_scrape_faults_total{field="queued_requests",reason="not_a_number"} 3"#,
            ]
        )
        let errors = rig.metrics.extractErrors.child("metrics-data-source", "core-metrics-extractor")
        #expect(errors.value == 3, "an answer counts once, however much is wrong in it")
        scrape(rig) { _ throws(OutboundFailure) in throw .timedOut }
        #expect(errors.value == 3, "of an answer that did not come nothing was extracted")
        scrape(rig) { Self.goodAnswer($0) }
        #expect(errors.value == 3)
        #expect(rig.faults(0).isEmpty, "the next good page clears what is told")
        #expect(rig.store.current.endpoints[0].metrics == Self.metrics)
    }

    @Test func aModelListThatIsNoneIsTold() throws {
        let rig = try rig()
        rig.http.answer { request in
            request.path == "/metrics" ? .text(Self.good) : .text(request.address.port == 8_000 ? "[" : "{\"data\":[]}")
        }
        rig.run(for: .seconds(2))
        #expect(rig.faults(0) == ["model_list/unreadable"] && rig.faults(1).isEmpty)
        #expect(rig.store.current.endpoints[0].models == ["m"] && rig.store.current.endpoints[1].models == [])
        #expect(rig.metrics.faults(.modelList, .unreadable).value == 1)
        rig.http.answer { request in
            request.path == "/metrics"
                ? .text(Self.good)
                : OutboundResponse(status: request.address.port == 8_000 ? 404 : 503, body: ArrayBody([]))
        }
        rig.run(for: .seconds(60))
        #expect(rig.faults(0).isEmpty && rig.faults(1) == ["model_list/status"], "an engine may have no model list")
    }
}
