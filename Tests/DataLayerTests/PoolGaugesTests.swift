import DataLayer
import GatewayCore
import GatewayTesting
import Synchronization
import Telemetry
import Testing

@Suite struct PoolGaugesTests {
    private let clock = ManualClock()

    @Test func figuresAreOverReadyEndpointsAndRounded() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints((0..<4).map { .made("e\($0)", port: $0) })
        let lives = store.current.endpoints.map(EndpointLife.init)
        let stale = EndpointMetrics(waitingQueueSize: 1_000, runningRequests: 1_000, kvCacheUsage: 1)
        store.record(metrics: stale, for: lives[0], at: clock.now)
        clock.advance(by: .milliseconds(2_001))
        for (index, life) in lives.dropFirst().prefix(2).enumerated() {
            let metrics = EndpointMetrics(
                waitingQueueSize: index, runningRequests: 3, kvCacheUsage: index == 0 ? 0.333 : 0.5
            )
            store.record(metrics: metrics, for: life, at: clock.now)
        }
        let figures = PoolFigures(store.current.endpoints, at: clock.now, staleness: .seconds(2))
        #expect(figures.readyCount == 2)
        #expect(figures.queueSize.average == 0.5 && figures.queueSize.standardDeviation == 0.71)
        #expect(figures.runningRequests.average == 3 && figures.runningRequests.standardDeviation == 0)
        #expect(figures.cacheUsage.average == 0.42 && figures.cacheUsage.standardDeviation == 0.12)
        let one = PoolFigures(Array(store.current.endpoints.prefix(2)), at: clock.now, staleness: .seconds(2))
        #expect(one.queueSize.standardDeviation == 0)
        #expect(PoolFigures([], at: clock.now, staleness: .seconds(2)).readyCount == 0)
    }

    @Test func thePageShowsThePoolsAsTheyAre() throws {
        let registry = MetricRegistry()
        let metrics = try DataLayerMetrics(registry: registry)
        let store = EndpointStore(pool: PoolID(name: "llama"), clock: clock, metrics: metrics)
        store.replaceEndpoints([.made("a"), .made("b", port: 1)])
        let stores = Mutex([store])
        let gauges = PoolGauges(metrics: metrics, clock: clock) { stores.withLock { $0 } }
        let life = EndpointLife(store.current.endpoints[0])
        store.record(metrics: EndpointMetrics(waitingQueueSize: 4), for: life, at: clock.now)
        clock.advance(by: .milliseconds(500))
        gauges.refresh()
        var page = String(decoding: registry.page(.prometheusText), as: UTF8.self)
        for line in [
            #"llm_d_epp_ready_endpoints{name="llama"} 1"#, #"llm_d_epp_average_queue_size{name="llama"} 4"#,
            #"llm_d_epp_std_dev_queue_size{name="llama"} 0"#, #"llm_d_epp_std_dev_running_requests{name="llama"} 0"#,
            #"llm_d_epp_std_dev_kv_cache_utilization{name="llama"} 0"#,
            #"llm_d_epp_per_endpoint_queue_size{name="llama",model_server_endpoint="a"} 4"#,
            #"martlet_endpoint_metrics_age_seconds{endpoint="a"} 0.5"#,
        ] { #expect(page.contains(line + "\n"), "\(line)") }
        #expect(!page.contains(#"model_server_endpoint="b""#), "it has told nothing")
        clock.advance(by: .seconds(2))
        gauges.refresh()
        page = String(decoding: registry.page(.prometheusText), as: UTF8.self)
        #expect(page.contains(#"llm_d_epp_ready_endpoints{name="llama"} 0"# + "\n"))
        #expect(page.contains(#"llm_d_epp_average_queue_size{name="llama"} 4"# + "\n"), "the last value stays")
        stores.withLock { $0 = [] }
        gauges.refresh()
        page = String(decoding: registry.page(.prometheusText), as: UTF8.self)
        #expect(!page.contains("llama"))
    }
}

@Suite struct EndpointSourceTests {
    @Test func aStaticSourceGivesWhatTheSelectorMatches() {
        let source = StaticEndpointSource([
            .made("a", labels: ["app": "x", "tier": "1"]), .made("b", port: 1, labels: ["app": "y"]),
            .made("c", port: 2),
        ])
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: ManualClock())
        source.publish(to: store, selector: LabelSelector(matchLabels: ["app": "x"]))
        #expect(store.current.endpoints.map(\.id.name) == ["a"])
        source.publish(to: store)
        #expect(store.current.endpoints.map(\.id.name) == ["a", "b", "c"])
        #expect(!LabelSelector(matchLabels: ["app": "x", "tier": "2"]).matches(["app": "x", "tier": "1"]))
    }
}
