import Testing

@testable import Telemetry

@Suite struct RequestMetricsTests {
    private func page(_ registry: MetricRegistry) -> String {
        String(decoding: registry.page(.prometheusText), as: UTF8.self)
    }

    @Test func oneLookUpGivesEveryInstrument() throws {
        let registry = MetricRegistry()
        let metrics = try RequestMetrics(registry: registry)
        let instruments = metrics.instruments(model: "m", target: "m-v2", fairnessID: "team", priority: -1)
        #expect(metrics.instruments(model: "m", target: "m-v2", fairnessID: "team", priority: -1) === instruments)
        instruments.total.increment()
        instruments.errors(code: "ModelServerError").increment()
        instruments.running.increment()
        instruments.timeToFirstToken(streaming: true).observe(0.3)
        instruments.outputTokens.observe(100)
        let text = page(registry)
        let labels = #"model_name="m",target_model_name="m-v2",fairness_id="team",priority="-1""#
        #expect(text.contains("llm_d_epp_request_total{\(labels)} 1\n"))
        #expect(text.contains("llm_d_epp_request_error_total{\(labels),error_code=\"ModelServerError\"} 1\n"))
        #expect(text.contains("llm_d_epp_request_running{\(labels)} 1\n"))
        #expect(text.contains("llm_d_epp_request_ttft_seconds_count{\(labels),streaming=\"true\"} 1\n"))
        #expect(!text.contains("streaming=\"false\""), "nothing was observed there")
        #expect(text.contains("llm_d_epp_request_output_tokens_bucket{\(labels),le=\"128\"} 1\n"))
    }

    @Test func namesBeyondTheLimitShareOneSetOfInstruments() throws {
        let registry = MetricRegistry(limits: CardinalityLimits(valuesPerLabel: 2))
        let metrics = try RequestMetrics(registry: registry)
        metrics.pinModels(["configured"])
        for model in 0..<10 {
            let name = "m\(model)"
            metrics.instruments(model: name, target: name, fairnessID: "f", priority: 0).total.increment()
        }
        metrics.instruments(model: "configured", target: "configured", fairnessID: "f", priority: 0).total.increment()
        let other = metrics.instruments(model: "other", target: "other", fairnessID: "f", priority: 0)
        #expect(other.total.value == 8)
        let lines = page(registry).split(separator: "\n").filter { $0.hasPrefix("llm_d_epp_request_total") }
        #expect(lines.count == 4)
    }

    @Test func refusedRequestsTakeATenthOfTheNames() throws {
        let registry = MetricRegistry(limits: CardinalityLimits(valuesPerLabel: 40))
        let metrics = try RequestMetrics(registry: registry)
        for tenant in 0..<100 {
            metrics.instrumentsOfRefused(model: "m", target: "m", fairnessID: "x\(tenant)", priority: 0)
                .total.increment()
        }
        let other = metrics.instruments(model: "m", target: "m", fairnessID: "other", priority: 0)
        #expect(other.total.value == 96)
        #expect(metrics.knownInstruments(model: "m", target: "m", fairnessID: "x3", priority: 0) != nil)
        #expect(metrics.knownInstruments(model: "m", target: "m", fairnessID: "x4", priority: 0) == nil)
        // Those who are served have the rest, and are known from then on, also when they are refused.
        for tenant in 0..<100 {
            metrics.instruments(model: "m", target: "m", fairnessID: "y\(tenant)", priority: 0).total.increment()
        }
        #expect(other.total.value == 96 + 64)
        let known = metrics.instrumentsOfRefused(model: "m", target: "m", fairnessID: "y9", priority: 0)
        #expect(known.total.value == 1)
    }

    @Test func theNumberOfLabelSetsIsLimited() throws {
        let registry = MetricRegistry(limits: CardinalityLimits(valuesPerLabel: 100, seriesPerFamily: 10))
        let metrics = try RequestMetrics(registry: registry)
        for model in 0..<50 {
            for tenant in 0..<50 {
                let instruments = metrics.instruments(
                    model: "m\(model)", target: "t", fairnessID: "f\(tenant)", priority: 0)
                instruments.total.increment()
                instruments.timeToFirstToken(streaming: true).observe(1)
                instruments.timeToFirstToken(streaming: false).observe(1)
            }
        }
        let lines = page(registry).split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("llm_d_epp_request_total") } == 11)
        // The families agree on which label sets stand apart, whatever labels they have beyond the common ones.
        #expect(lines.count { $0.hasPrefix("llm_d_epp_request_ttft_seconds_count") } == 22)
    }

    @Test func refusedRequestsOfKnownNamesStandApartWhileThereIsRoom() throws {
        let registry = MetricRegistry(limits: CardinalityLimits(valuesPerLabel: 10, seriesPerFamily: 20))
        let metrics = try RequestMetrics(registry: registry)
        metrics.pinModels(["pinned"])
        // More than a tenth of the series.
        for number in 0..<5 {
            _ = metrics.instruments(model: "m\(number)", target: "m", fairnessID: "f", priority: 0)
        }
        for model in ["m0", "pinned"] {
            _ = metrics.instrumentsOfRefused(model: model, target: "m", fairnessID: "f", priority: 7)
            #expect(metrics.knownInstruments(model: model, target: "m", fairnessID: "f", priority: 7) != nil)
        }
        let scheduling = try SchedulingMetrics(registry: registry)
        scheduling.pinModels(["pinned"])
        for number in 0..<5 {
            scheduling.attempts(.success, targetModel: "m", endpoint: "e\(number)").increment()
        }
        for model in ["m", "pinned", "new"] { scheduling.attempts(.failure, targetModel: model).increment() }
        let failures = page(registry).split(separator: "\n").filter {
            $0.hasPrefix("llm_d_epp_scheduler_attempts_total{status=\"failure\"")
        }
        #expect(failures.count == 3 && failures.allSatisfy { $0.hasSuffix(" 1") })
        for model in ["m", "pinned", "other"] {
            #expect(failures.count { $0.contains("target_model_name=\"\(model)\"") } == 1, "\(model)")
        }
    }
}

@Suite struct AreaTests {
    private struct Everything {
        let registry = MetricRegistry(writesDeprecated: true)
        let application: ApplicationMetrics
        let requests: RequestMetrics
        let flowControl: FlowControlMetrics
        let scheduling: SchedulingMetrics
        let dataLayer: DataLayerMetrics
        let proxy: ProxyMetrics
        let streams: StreamMetrics
        let bodyRouting: BodyRoutingMetrics
        let cluster: ClusterMetrics
        let election: ElectionMetrics
        let logs: LogMetrics
        let traces: TraceMetrics
        let process: ProcessMetrics

        init() throws {
            application = try ApplicationMetrics(registry: registry, commit: "abc", buildRef: "main")
            requests = try RequestMetrics(registry: registry)
            flowControl = try FlowControlMetrics(registry: registry)
            scheduling = try SchedulingMetrics(registry: registry)
            dataLayer = try DataLayerMetrics(registry: registry)
            proxy = try ProxyMetrics(registry: registry)
            streams = try StreamMetrics(registry: registry)
            bodyRouting = try BodyRoutingMetrics(registry: registry, commit: "abc", buildRef: "main")
            cluster = try ClusterMetrics(registry: registry)
            election = try ElectionMetrics(registry: registry)
            logs = try LogMetrics(registry: registry) { $0.add(3, "process") }
            traces = try TraceMetrics(registry: registry)
            process = try ProcessMetrics(registry: registry)
        }

        var lines: [Substring] {
            String(decoding: registry.page(.prometheusText), as: UTF8.self).split(separator: "\n")
        }
    }

    /// The instruments and the list that the documentation is made from are the same, in the same order.
    @Test func theAreasRegisterTheWholeCatalogueInItsOrder() throws {
        let everything = try Everything()
        #expect(everything.registry.definitions == MetricCatalogue.all)
    }

    @Test func theStartPageSaysWhatIsKnown() throws {
        let everything = try Everything()
        let lines = everything.lines
        #expect(lines.contains(#"llm_d_epp_info{commit="abc",build_ref="main"} 1"#))
        #expect(lines.contains(#"bbr_info{commit="abc",build_ref="main"} 1"#))
        #expect(lines.contains("martlet_config_last_reload_successful 1"))
        #expect(lines.contains(#"martlet_log_lines_dropped_total{log="process"} 3"#))
        #expect(lines.contains(#"martlet_scrapes_total{result="timeout"} 0"#))
        #expect(lines.contains(#"martlet_proxy_connections_open{side="upstream"} 0"#))
        everything.application.reloaded(successfully: false)
        #expect(everything.lines.contains("martlet_config_last_reload_successful 0"))
        #expect(everything.lines.contains(#"martlet_config_reloads_total{result="failure"} 1"#))
    }

    @Test func requestsInFlightShareTheirGauges() throws {
        let everything = try Everything()
        func gauges(_ endpoint: String, _ flow: String) -> InFlightGauges {
            everything.dataLayer.inFlight(
                InFlightLabels(
                    endpoint: endpoint, namespace: "ns", producer: "load", fairnessID: flow, priority: -1
                )
            )
        }
        gauges("e0", "a").requests.add(1)
        gauges("e0", "a").requests.add(1)
        gauges("e0", "b").tokens.add(7)
        let labels = #"{endpoint_name="e0",namespace="ns",producer_name="load",fairness_id="#
        #expect(everything.lines.contains("llm_d_epp_inflight_requests\(labels)\"a\",priority=\"-1\"} 2"))
        #expect(everything.lines.contains("llm_d_epp_inflight_tokens\(labels)\"b\",priority=\"-1\"} 7"))
        // A later life of the endpoint begins at zero.
        everything.dataLayer.remove(endpoint: "e0", namespace: "ns")
        #expect(!everything.lines.contains { $0.hasPrefix("llm_d_epp_inflight_requests{") })
        #expect(gauges("e0", "a").requests.value == 0)
    }

    @Test func flowsWithoutRequestsInFlightLeaveThePage() throws {
        let everything = try Everything()
        func gauges(_ flow: String) -> InFlightGauges {
            everything.dataLayer.inFlight(
                InFlightLabels(endpoint: "e0", namespace: "ns", producer: "load", fairnessID: flow, priority: 0)
            )
        }
        let busy = gauges("busy")
        busy.requests.increment()
        for number in 0..<5_000 { _ = gauges("gone\(number)") }
        let lines = everything.lines.filter { $0.hasPrefix("llm_d_epp_inflight_requests{") }
        #expect(lines.count < 1_002, "those that came last, and the one that is busy")
        #expect(lines.contains { $0.contains("fairness_id=\"busy\"") && $0.hasSuffix(" 1") })
        #expect(!lines.contains { $0.contains("fairness_id=\"gone0\"") })
        #expect(lines.contains { $0.contains("fairness_id=\"gone4999\"") }, "there is room for new flows again")
        busy.requests.decrement()
        #expect(gauges("busy").requests === busy.requests)
        #expect(gauges(String(repeating: "x", count: 257)).requests === gauges("other").requests)
    }

    @Test func decisionsAreCountedInTheFamilyOfTheirHandler() throws {
        let everything = try Everything()
        let scheduling = everything.scheduling
        scheduling.disaggregations("decode-only", pluginName: "p", pluginType: "pd-profile-handler", model: "")
            .increment()
        scheduling.disaggregations("prefill-decode", pluginName: "d", pluginType: "disagg-profile-handler", model: "m")
            .increment()
        let lines = everything.lines.filter { $0.contains("_decision_total{") }
        let (decode, both) = ("decision_type=\"decode-only\"", "decision_type=\"prefill-decode\"")
        #expect(
            lines == [
                "llm_d_epp_disagg_decision_total{plugin_name=\"d\",plugin_type=\"disagg-profile-handler\","
                    + "model_name=\"m\",\(both)} 1",
                "llm_d_epp_pd_decision_total{plugin_name=\"p\",plugin_type=\"pd-profile-handler\","
                    + "model_name=\"unknown\",\(decode)} 1",
                "llm_d_inference_scheduler_disagg_decision_total{model_name=\"m\",\(both)} 1",
                "llm_d_inference_scheduler_pd_decision_total{model_name=\"unknown\",\(decode)} 1",
            ]
        )
    }

    @Test func failedDecisionsDoNotUseUpTheNamesOfModels() throws {
        let registry = MetricRegistry(limits: CardinalityLimits(valuesPerLabel: 20))
        let metrics = try SchedulingMetrics(registry: registry)
        for model in 0..<50 { metrics.attempts(.failure, targetModel: "typo\(model)").increment() }
        #expect(metrics.attempts(.failure, targetModel: "other").value == 48)
        metrics.attempts(.success, targetModel: "real", endpoint: "e", namespace: "n", port: "1").increment()
        #expect(metrics.attempts(.success, targetModel: "real", endpoint: "e", namespace: "n", port: "1").value == 1)
    }

    @Test func connectionsAreCountedPerSide() throws {
        let everything = try Everything()
        everything.proxy.downstream.opened()
        everything.proxy.downstream.opened()
        everything.proxy.downstream.closed()
        #expect(everything.lines.contains(#"martlet_proxy_connections_open{side="downstream"} 1"#))
        #expect(everything.lines.contains(#"martlet_proxy_connections_total{side="downstream"} 2"#))
    }

    @Test func anEndpointThatLeavesTakesItsSeriesAlong() throws {
        let everything = try Everything()
        let scheduling = everything.scheduling
        let dataLayer = everything.dataLayer
        for endpoint in ["a", "b"] {
            scheduling.attempts(.success, targetModel: "m", endpoint: endpoint, namespace: "n", port: "80").increment()
            dataLayer.ejected.child(endpoint).set(1)
            dataLayer.ejections.child(endpoint, "refused").increment()
            dataLayer.inFlightRequests.child(endpoint, "n", "p", "f", "0").increment()
        }
        dataLayer.averageQueueSize.child("pool").set(1)
        scheduling.remove(endpoint: "a", namespace: "n")
        dataLayer.remove(endpoint: "a", namespace: "n")
        dataLayer.remove(pool: "pool")
        let lines = everything.lines
        #expect(!lines.contains { $0.contains(#"endpoint="a""#) || $0.contains(#"endpoint_name="a""#) })
        #expect(lines.count { $0.contains(#"endpoint="b""#) || $0.contains(#"endpoint_name="b""#) } == 4)
        #expect(!lines.contains { $0.contains("average_queue_size") })
    }

    @Test func agesAreReadWhenThePageIsWritten() throws {
        let everything = try Everything()
        everything.dataLayer.metricsAge.observe { $0.add(0.25, "a") }
        #expect(everything.lines.contains(#"martlet_endpoint_metrics_age_seconds{endpoint="a"} 0.25"#))
    }

    #if os(Linux)
        @Test func theProcessIsMeasured() throws {
            let lines = try Everything().lines
            func value(_ name: String) -> Double? {
                lines.first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
            }
            #expect(try #require(value("process_cpu_seconds_total")) >= 0)
            #expect(try #require(value("process_resident_memory_bytes")) > 1_000_000)
            #expect(try #require(value("process_open_fds")) >= 3)
            #expect(try #require(value("process_max_fds")) >= 3)
            // After 2001 and before 2255: neither a tick count nor milliseconds.
            #expect((1e9...9e9).contains(try #require(value("process_start_time_seconds"))))
        }

        @Test func aProgramsNameMayHoldParentheses() throws {
            let fields = try #require(ProcessReading.StatusFields("7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13"))
            #expect(fields.ticks(4) == 1)
            #expect(fields.ticks(14) == 11)
            #expect(fields.ticks(99) == nil)
            #expect(fields.ticks(0) == nil)
        }
    #endif
}
