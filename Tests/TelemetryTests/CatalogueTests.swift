import Testing

@testable import Telemetry

@Suite struct CatalogueTests {
    private static func line(_ definition: MetricDefinition) -> String {
        "\(definition.name) \(definition.type.rawValue) \(definition.labels.map(\.name).joined(separator: ","))"
    }

    @Test func namesTypesAndLabelsOfFlowControl() {
        let flow = "fairness_id,priority"
        let model = "inference_pool,model_name,target_model_name"
        #expect(
            MetricCatalogue.FlowControl.all.map(Self.line) == [
                "llm_d_epp_flow_control_request_queue_duration_seconds histogram \(flow),outcome,\(model)",
                "llm_d_epp_flow_control_dispatch_cycle_duration_seconds histogram ",
                "llm_d_epp_flow_control_queue_size gauge \(flow),\(model)",
                "llm_d_epp_flow_control_queue_bytes gauge \(flow),\(model)",
                "llm_d_epp_flow_control_requests_total counter outcome,priority,inference_pool",
                "llm_d_epp_flow_control_pool_saturation gauge inference_pool,stage",
                "llm_d_epp_flow_control_request_enqueue_duration_seconds histogram \(flow),outcome",
                "llm_d_epp_flow_control_stale_endpoints gauge detector",
                "llm_d_epp_flow_control_capacity_utilization_requests gauge priority,inference_pool",
                "llm_d_epp_flow_control_capacity_utilization_bytes gauge priority,inference_pool",
                "llm_d_epp_flow_control_global_capacity_utilization_requests gauge inference_pool",
                "llm_d_epp_flow_control_global_capacity_utilization_bytes gauge inference_pool",
                "llm_d_epp_flow_control_revocations_issued_total counter priority,inference_pool",
                "llm_d_epp_flow_control_revocations_total counter outcome,inference_pool",
                "llm_d_epp_flow_control_revocation_confirmation_seconds histogram inference_pool",
                "llm_d_epp_program_aware_jains_fairness_index gauge ",
                "llm_d_epp_program_aware_avg_wait_time_milliseconds gauge program_id",
                "llm_d_epp_program_aware_attained_service_tokens gauge program_id",
                "martlet_flow_control_folded_requests_total counter priority,inference_pool",
            ]
        )
    }

    @Test func namesTypesAndLabelsOfTraces() {
        #expect(MetricCatalogue.Tracing.all.map(Self.line) == ["martlet_trace_spans_total counter result"])
    }

    @Test func namesTypesAndLabelsOfLogs() {
        #expect(MetricCatalogue.Logs.all.map(Self.line) == ["martlet_log_lines_dropped_total counter log"])
    }

    @Test func namesTypesAndLabelsOfEndpoints() {
        #expect(
            MetricCatalogue.DataLayer.all.map(Self.line) == [
                "llm_d_epp_average_kv_cache_utilization gauge name",
                "llm_d_epp_average_queue_size gauge name",
                "llm_d_epp_average_running_requests gauge name",
                "llm_d_epp_std_dev_kv_cache_utilization gauge name",
                "llm_d_epp_std_dev_queue_size gauge name",
                "llm_d_epp_std_dev_running_requests gauge name",
                "llm_d_epp_ready_endpoints gauge name",
                "llm_d_epp_per_endpoint_queue_size gauge name,model_server_endpoint",
                "llm_d_epp_inflight_requests gauge endpoint_name,namespace,producer_name,fairness_id,priority",
                "llm_d_epp_inflight_tokens gauge endpoint_name,namespace,producer_name,fairness_id,priority",
                "llm_d_epp_datalayer_poll_errors_total counter source_type",
                "llm_d_epp_datalayer_extract_errors_total counter source_type,extractor_type",
                "martlet_endpoint_metrics_age_seconds gauge endpoint",
                "martlet_endpoint_ejections_total counter endpoint,reason",
                "martlet_endpoint_ejected gauge endpoint",
                "martlet_scrapes_total counter result",
                "martlet_scrape_faults_total counter field,reason",
                "martlet_scrape_duration_seconds histogram ",
                "martlet_lease_leaks_total counter ",
            ]
        )
    }

    /// Users' dashboards depend on every line of this list; a change here is a change to announce.
    @Test func namesTypesAndLabels() {
        let elsewhere = Set(
            MetricCatalogue.FlowControl.all + MetricCatalogue.DataLayer.all + MetricCatalogue.Logs.all
                + MetricCatalogue.Tracing.all)
        let lines = MetricCatalogue.all.filter { !elsewhere.contains($0) }.map(Self.line)
        let request = "model_name,target_model_name,fairness_id,priority"
        #expect(
            lines == [
                "llm_d_epp_info gauge commit,build_ref",
                "martlet_config_reloads_total counter result",
                "martlet_config_last_reload_successful gauge ",
                "llm_d_epp_request_total counter \(request)",
                "llm_d_epp_request_error_total counter \(request),error_code",
                "llm_d_epp_request_duration_seconds histogram \(request)",
                "llm_d_epp_request_size_bytes histogram \(request)",
                "llm_d_epp_response_size_bytes histogram \(request)",
                "llm_d_epp_request_input_tokens histogram \(request)",
                "llm_d_epp_request_output_tokens histogram \(request)",
                "llm_d_epp_request_cached_tokens histogram \(request)",
                "llm_d_epp_request_running gauge \(request)",
                "llm_d_epp_request_ntpot_seconds histogram \(request)",
                "llm_d_epp_request_ttft_seconds histogram \(request),streaming",
                "llm_d_epp_request_streaming_tpot_seconds histogram \(request)",
                "llm_d_epp_request_streaming_itl_seconds histogram \(request)",
                "llm_d_epp_request_processing_duration_seconds histogram ",
                "llm_d_epp_response_processing_duration_seconds histogram ",
                "llm_d_epp_scheduler_e2e_duration_seconds histogram ",
                "llm_d_epp_scheduler_attempts_total counter status,target_model_name,endpoint_name,namespace,port",
                "llm_d_epp_disagg_decision_total counter plugin_name,plugin_type,model_name,decision_type",
                "llm_d_epp_pd_decision_total counter plugin_name,plugin_type,model_name,decision_type",
                "llm_d_epp_model_rewrite_decisions_total counter model_rewrite_name,model_name,target_model",
                "llm_d_epp_plugin_duration_seconds histogram extension_point,plugin_type,plugin_name",
                "llm_d_epp_prefix_indexer_size gauge plugin_name,plugin_type",
                "llm_d_epp_prefix_indexer_hit_ratio histogram plugin_name,plugin_type",
                "llm_d_epp_prefix_indexer_hit_bytes histogram plugin_name,plugin_type",
                "llm_d_epp_encoder_cache_queries_total counter plugin_type,plugin_name,modality",
                "llm_d_epp_encoder_cache_hits_total counter plugin_type,plugin_name,pod,modality",
                "llm_d_epp_encoder_cache_hit_ratio histogram plugin_type,plugin_name",
                "martlet_proxy_connections_open gauge side",
                "martlet_proxy_connections_total counter side",
                "martlet_proxy_upstream_retries_total counter reason",
                "martlet_proxy_upstream_errors_total counter reason",
                "martlet_proxy_client_disconnects_total counter ",
                "llm_d_epp_extproc_streams_inflight gauge ",
                "llm_d_epp_extproc_stream_duration_seconds histogram ",
                "llm_d_epp_extproc_streams_total counter code",
                "bbr_info gauge commit,build_ref",
                "bbr_success_total counter ",
                "bbr_body_field_not_found_total counter field",
                "bbr_body_field_empty_total counter field",
                "bbr_plugin_duration_seconds histogram extension_point,plugin_type,plugin_name",
                "bbr_model_not_in_body_total counter ",
                "bbr_model_not_parsed_total counter ",
                "bbr_model_already_present_in_header_total counter ",
                "martlet_kubernetes_watch_synced gauge resource",
                "martlet_kubernetes_lists_total counter resource",
                "martlet_kubernetes_watch_events_total counter resource",
                "martlet_kubernetes_malformed_objects_total counter resource",
                "martlet_leader gauge ",
                "process_cpu_seconds_total counter ",
                "process_resident_memory_bytes gauge ",
                "process_open_fds gauge ",
                "process_max_fds gauge ",
                "process_start_time_seconds gauge ",
            ]
        )
    }

    /// What dashboards that were written for upstream's older releases ask for.
    @Test func oldNamesAndTheirLabels() {
        let lines = MetricCatalogue.all.compactMap(\.twinDefinition).map(Self.line)
        let (models, objective, flow) = ("model_name,target_model_name", "inference_objective", "fairness_id,priority")
        let (old, scheduler) = ("inference_extension", "llm_d_inference_scheduler")
        let queue = "inference_pool,model_name,target_model_name"
        #expect(
            lines == [
                "\(old)_info gauge commit,build_ref",
                "\(objective)_request_total counter \(models),priority",
                "\(objective)_request_error_total counter \(models),error_code",
                "\(objective)_request_duration_seconds histogram \(models)",
                "\(objective)_request_sizes histogram \(models)",
                "\(objective)_response_sizes histogram \(models)",
                "\(objective)_input_tokens histogram \(models)",
                "\(objective)_output_tokens histogram \(models)",
                "\(objective)_prompt_cached_tokens histogram \(models)",
                "\(objective)_running_requests gauge model_name",
                "\(objective)_normalized_time_per_output_token_seconds histogram \(models)",
                "\(old)_flow_control_request_queue_duration_seconds histogram \(flow),outcome,\(queue)",
                "\(old)_flow_control_dispatch_cycle_duration_seconds histogram ",
                "\(old)_flow_control_queue_size gauge \(flow),\(queue)",
                "\(old)_flow_control_queue_bytes gauge \(flow),\(queue)",
                "\(old)_flow_control_pool_saturation gauge inference_pool",
                "\(old)_flow_control_request_enqueue_duration_seconds histogram \(flow),outcome",
                "\(old)_scheduler_e2e_duration_seconds histogram ",
                "\(old)_scheduler_attempts_total counter status,target_model_name,pod_name,namespace,port",
                "\(scheduler)_disagg_decision_total counter model_name,decision_type",
                "\(scheduler)_pd_decision_total counter model_name,decision_type",
                "\(old)_model_rewrite_decisions_total counter model_rewrite_name,model_name,target_model",
                "\(old)_plugin_duration_seconds histogram extension_point,plugin_type,plugin_name",
                "\(old)_prefix_indexer_size gauge ",
                "\(old)_prefix_indexer_hit_ratio histogram ",
                "\(old)_prefix_indexer_hit_bytes histogram ",
                "inference_pool_average_kv_cache_utilization gauge name",
                "inference_pool_average_queue_size gauge name",
                "inference_pool_average_running_requests gauge name",
                "inference_pool_ready_pods gauge name",
                "inference_pool_per_pod_queue_size gauge name,model_server_pod",
                "\(scheduler)_datalayer_poll_errors_total counter source_type",
                "\(scheduler)_datalayer_extract_errors_total counter source_type,extractor_type",
            ]
        )
    }

    @Test func definitionsAreSound() {
        for definition in MetricCatalogue.all {
            #expect(definition.defect == nil, "\(definition.name)")
            #expect(definition.help.hasSuffix("."), "\(definition.name)")
            if let unit = definition.unit, unit != .ratio {
                #expect(definition.name.contains("_\(unit.rawValue)"), "\(definition.name)")
            }
        }
        #expect(MetricCatalogue.definition(named: "llm_d_epp_info")?.type == .gauge)
        #expect(MetricCatalogue.definition(named: "llm_d_epp_nothing") == nil)
    }

    @Test func bucketsOfTheContract() {
        #expect(Buckets.requestSeconds.count == 35)
        #expect(Buckets.firstTokenSeconds.last == 120)
        #expect(Buckets.requestBytes.first == 64 && Buckets.requestBytes.last == 1_073_741_824)
        #expect(Buckets.responseBytes.contains(32_778) && Buckets.inputTokens.last == 1_048_576)
        #expect(Buckets.outputTokens.last == 8192)
        #expect(Buckets.prefixBytes.prefix(3) == [0, 16, 32] && Buckets.prefixBytes.last == 65_536)
        #expect(Buckets.shares.count == 11)
        #expect(Buckets.normalizedTokenSeconds.count == 13 && Buckets.normalizedTokenSeconds.last == 10)
        #expect(Buckets.requestProcessingSeconds.count == 16 && Buckets.requestProcessingSeconds.last == 10)
        #expect(Buckets.responseProcessingSeconds.count == 15 && Buckets.responseProcessingSeconds.last == 5)
    }
}
