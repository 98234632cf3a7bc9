extension MetricCatalogue {
    /// What a client notices.
    enum Requests {
        private static let models: [DeprecatedTwin.Label] = ["model_name", "target_model_name"]

        /// The older name of a family; most have the labels of models alone.
        private static func objective(_ name: String, _ labels: [DeprecatedTwin.Label] = models) -> DeprecatedTwin {
            DeprecatedTwin("inference_objective_\(name)", labels: labels)
        }

        /// The labels of every request family.
        static let labels: [MetricLabel] = [
            .bounded("model_name"), .bounded("target_model_name"), .bounded("fairness_id"), "priority",
        ]

        static let total = compatible(
            "request_total", .counter, labels: labels, help: "Requests received, by model, tenant and priority.",
            twin: objective("request_total", ["model_name", "target_model_name", "priority"])
        )
        static let errors = compatible(
            "request_error_total", .counter, labels: labels + ["error_code"],
            help: "Requests that did not end well, by the reason they ended.",
            twin: objective("request_error_total", models + ["error_code"])
        )
        static let duration = compatible(
            "request_duration_seconds", .histogram, .seconds, labels: labels, buckets: Buckets.requestSeconds,
            help: "Time from the request's arrival to the last byte of its answer.",
            twin: objective("request_duration_seconds")
        )
        static let requestSize = compatible(
            "request_size_bytes", .histogram, .bytes, labels: labels, buckets: Buckets.requestBytes,
            help: "Size of the request body.", twin: objective("request_sizes")
        )
        static let responseSize = compatible(
            "response_size_bytes", .histogram, .bytes, labels: labels, buckets: Buckets.responseBytes,
            help: "Size of the response body.", twin: objective("response_sizes")
        )
        static let inputTokens = compatible(
            "request_input_tokens", .histogram, .tokens, labels: labels, buckets: Buckets.inputTokens,
            help: "Prompt tokens as the model server counted them.", twin: objective("input_tokens")
        )
        static let outputTokens = compatible(
            "request_output_tokens", .histogram, .tokens, labels: labels, buckets: Buckets.outputTokens,
            help: "Generated tokens as the model server counted them.", twin: objective("output_tokens")
        )
        static let cachedTokens = compatible(
            "request_cached_tokens", .histogram, .tokens, labels: labels, buckets: Buckets.inputTokens,
            help: "Prompt tokens that the model server took from its prefix cache.",
            twin: objective("prompt_cached_tokens")
        )
        static let running = compatible(
            "request_running", .gauge, labels: labels, help: "Requests that have not ended yet.",
            twin: objective("running_requests", ["model_name"])
        )
        static let normalizedTimePerToken = compatible(
            "request_ntpot_seconds", .histogram, .seconds, labels: labels, buckets: Buckets.normalizedTokenSeconds,
            help: "Time from the request's arrival to the last byte of its answer, divided by its output tokens.",
            twin: objective("normalized_time_per_output_token_seconds")
        )
        static let timeToFirstToken = compatible(
            "request_ttft_seconds", .histogram, .seconds, labels: labels + ["streaming"],
            buckets: Buckets.firstTokenSeconds,
            help: "Time from the request's arrival to the first byte of the answer's body."
        )
        static let timePerOutputToken = compatible(
            "request_streaming_tpot_seconds", .histogram, .seconds, labels: labels, buckets: Buckets.tokenSeconds,
            help: "Mean time per output token after the first, of streamed answers."
        )
        static let interTokenLatency = compatible(
            "request_streaming_itl_seconds", .histogram, .seconds, labels: labels, buckets: Buckets.interTokenSeconds,
            help: "Time between two consecutive chunks of streamed answers."
        )

        static let requestProcessing = compatible(
            "request_processing_duration_seconds", .histogram, .seconds, buckets: Buckets.requestProcessingSeconds,
            help: "Time from a request's arrival to the decision where it goes first, with its wait for a turn."
        )
        static let responseProcessing = compatible(
            "response_processing_duration_seconds", .histogram, .seconds, buckets: Buckets.responseProcessingSeconds,
            help: "Time that the gateway worked on the pieces of one answer's body."
        )

        static let all = [
            total, errors, duration, requestSize, responseSize, inputTokens, outputTokens, cachedTokens, running,
            normalizedTimePerToken, timeToFirstToken, timePerOutputToken, interTokenLatency, requestProcessing,
            responseProcessing,
        ]
    }

    /// How a decision came about.
    enum Scheduling {
        private static let plugin: [MetricLabel] = ["plugin_name", "plugin_type"]
        private static let stages: [DeprecatedTwin.Label] = ["model_name", "decision_type"]
        private static let prefixIndex = MetricPresence.plugin("approx-prefix-cache-producer")
        private static let encoderCache = MetricPresence.plugin("mm-embeddings-cache-producer")

        static let duration = compatible(
            "scheduler_e2e_duration_seconds", .histogram, .seconds, buckets: Buckets.decisionSeconds,
            help: "Time of one scheduling decision, all profiles included.",
            twin: DeprecatedTwin("inference_extension_scheduler_e2e_duration_seconds")
        )
        static let attempts = compatible(
            "scheduler_attempts_total", .counter,
            labels: ["status", .bounded("target_model_name"), "endpoint_name", "namespace", "port"],
            help: "Scheduling decisions by their result and the endpoint they chose.",
            twin: DeprecatedTwin(
                "inference_extension_scheduler_attempts_total",
                labels: [
                    "status", "target_model_name", .init("pod_name", from: "endpoint_name"), "namespace", "port",
                ]
            )
        )
        static let disaggregations = compatible(
            "disagg_decision_total", .counter, labels: plugin + [.bounded("model_name"), "decision_type"],
            help: "Scheduling decisions of disaggregated pools by the stages that have an endpoint of their own.",
            presence: .plugin("disagg-profile-handler"),
            twin: DeprecatedTwin("llm_d_inference_scheduler_disagg_decision_total", labels: stages)
        )
        static let prefillDecisions = compatible(
            "pd_decision_total", .counter, labels: plugin + [.bounded("model_name"), "decision_type"],
            help: "Scheduling decisions by whether the prompt has an endpoint of its own.",
            presence: .plugin("pd-profile-handler"),
            twin: DeprecatedTwin("llm_d_inference_scheduler_pd_decision_total", labels: stages)
        )
        static let rewriteDecisions = compatible(
            "model_rewrite_decisions_total", .counter,
            labels: ["model_rewrite_name", .bounded("model_name"), .bounded("target_model")],
            help: "Requests whose model a rewrite rule decided, by the model they asked for and the one that serves.",
            twin: DeprecatedTwin(
                "inference_extension_model_rewrite_decisions_total",
                labels: ["model_rewrite_name", "model_name", "target_model"]
            )
        )
        static let pluginDuration = compatible(
            "plugin_duration_seconds", .histogram, .seconds, labels: ["extension_point", "plugin_type", "plugin_name"],
            buckets: Buckets.decisionSeconds,
            help: "Time of one step of a decision: a plugin's call, with what the scheduler did around it.",
            presence: .keptDecisions,
            twin: DeprecatedTwin(
                "inference_extension_plugin_duration_seconds",
                labels: ["extension_point", "plugin_type", "plugin_name"]
            )
        )
        static let prefixIndexSize = compatible(
            "prefix_indexer_size", .gauge, labels: plugin,
            help: "Entries of the prefix index: one for each block and endpoint that holds it.",
            presence: prefixIndex, twin: DeprecatedTwin("inference_extension_prefix_indexer_size")
        )
        static let prefixHitRatio = compatible(
            "prefix_indexer_hit_ratio", .histogram, .ratio, labels: plugin, buckets: Buckets.shares,
            help: "Share of the prompt's blocks that the prefix index has for the chosen endpoint.",
            presence: prefixIndex, twin: DeprecatedTwin("inference_extension_prefix_indexer_hit_ratio")
        )
        static let prefixHitBytes = compatible(
            "prefix_indexer_hit_bytes", .histogram, .bytes, labels: plugin, buckets: Buckets.prefixBytes,
            help: "Bytes of the prompt that the prefix index has for the chosen endpoint.",
            presence: prefixIndex, twin: DeprecatedTwin("inference_extension_prefix_indexer_hit_bytes")
        )
        static let encoderCacheQueries = compatible(
            "encoder_cache_queries_total", .counter, labels: ["plugin_type", "plugin_name", "modality"],
            help: "Different media of requests that were looked up in the memory of encoders' caches.",
            presence: encoderCache
        )
        static let encoderCacheHits = compatible(
            "encoder_cache_hits_total", .counter, labels: ["plugin_type", "plugin_name", "pod", "modality"],
            help: "Different media of requests that the chosen endpoint is believed to hold.", presence: encoderCache
        )
        static let encoderCacheHitRatio = compatible(
            "encoder_cache_hit_ratio", .histogram, .ratio, labels: ["plugin_type", "plugin_name"],
            buckets: Buckets.shares,
            help: "Share of a request's media that the chosen endpoint is believed to hold.", presence: encoderCache
        )

        static let all = [
            duration, attempts, disaggregations, prefillDecisions, rewriteDecisions, pluginDuration, prefixIndexSize,
            prefixHitRatio, prefixHitBytes, encoderCacheQueries, encoderCacheHits, encoderCacheHitRatio,
        ]
    }

    /// Connections and what goes wrong on them.
    enum Proxy {
        static let connectionsOpen = own(
            "proxy_connections_open", .gauge, labels: ["side"],
            help: "Connections open now, to clients and to endpoints.",
            presence: .proxy
        )
        static let connections = own(
            "proxy_connections_total", .counter, labels: ["side"],
            help: "Connections opened, by clients and to endpoints.",
            presence: .proxy
        )
        static let retries = own(
            "proxy_upstream_retries_total", .counter, labels: ["reason"],
            help: "Requests sent again after an attempt that the endpoint cannot have started to serve.",
            presence: .proxy
        )
        static let upstreamErrors = own(
            "proxy_upstream_errors_total", .counter, labels: ["reason"],
            help: "Attempts that failed on the way to an endpoint.",
            presence: .proxy
        )
        static let clientDisconnects = own(
            "proxy_client_disconnects_total", .counter,
            help: "Requests whose client went away before the answer was complete.",
            presence: .proxy
        )

        static let all = [connectionsOpen, connections, retries, upstreamErrors, clientDisconnects]
    }
}
