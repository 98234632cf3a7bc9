extension MetricCatalogue {
    /// What a client notices.
    enum Requests {
        /// The labels of every request family.
        static let labels: [MetricLabel] = [
            .bounded("model_name"), .bounded("target_model_name"), .bounded("fairness_id"), "priority",
        ]

        static let total = compatible(
            "request_total", .counter, labels: labels, help: "Requests received, by model, tenant and priority."
        )
        static let errors = compatible(
            "request_error_total", .counter, labels: labels + ["error_code"],
            help: "Requests that did not end well, by the reason they ended."
        )
        static let duration = compatible(
            "request_duration_seconds", .histogram, .seconds, labels: labels, buckets: Buckets.requestSeconds,
            help: "Time from the request's arrival to the last byte of its answer."
        )
        static let requestSize = compatible(
            "request_size_bytes", .histogram, .bytes, labels: labels, buckets: Buckets.requestBytes,
            help: "Size of the request body."
        )
        static let responseSize = compatible(
            "response_size_bytes", .histogram, .bytes, labels: labels, buckets: Buckets.responseBytes,
            help: "Size of the response body."
        )
        static let inputTokens = compatible(
            "request_input_tokens", .histogram, .tokens, labels: labels, buckets: Buckets.inputTokens,
            help: "Prompt tokens as the model server counted them."
        )
        static let outputTokens = compatible(
            "request_output_tokens", .histogram, .tokens, labels: labels, buckets: Buckets.outputTokens,
            help: "Generated tokens as the model server counted them."
        )
        static let cachedTokens = compatible(
            "request_cached_tokens", .histogram, .tokens, labels: labels, buckets: Buckets.inputTokens,
            help: "Prompt tokens that the model server took from its prefix cache."
        )
        static let running = compatible(
            "request_running", .gauge, labels: labels, help: "Requests sent to an endpoint and not ended yet."
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

        static let all = [
            total, errors, duration, requestSize, responseSize, inputTokens, outputTokens, cachedTokens, running,
            timeToFirstToken, timePerOutputToken, interTokenLatency,
        ]
    }

    /// How a decision came about.
    enum Scheduling {
        private static let plugin: [MetricLabel] = ["plugin_name", "plugin_type"]

        static let duration = compatible(
            "scheduler_e2e_duration_seconds", .histogram, .seconds, buckets: Buckets.decisionSeconds,
            help: "Time of one scheduling decision, all profiles included."
        )
        static let attempts = compatible(
            "scheduler_attempts_total", .counter,
            labels: ["status", .bounded("target_model_name"), "endpoint_name", "namespace", "port"],
            help: "Scheduling decisions by their result and the endpoint they chose."
        )
        static let disaggregations = compatible(
            "disagg_decision_total", .counter, labels: plugin + [.bounded("model_name"), "decision_type"],
            help: "Scheduling decisions of disaggregated pools by the stages that have an endpoint of their own."
        )
        static let rewriteDecisions = compatible(
            "model_rewrite_decisions_total", .counter,
            labels: ["model_rewrite_name", .bounded("model_name"), .bounded("target_model")],
            help:
                "Requests whose model a rewrite rule decided, by the model they asked for and the one that serves."
        )
        static let pluginDuration = compatible(
            "plugin_duration_seconds", .histogram, .seconds, labels: ["extension_point", "plugin_type", "plugin_name"],
            buckets: Buckets.decisionSeconds, help: "Time of one call of a plugin; only measured when enabled."
        )
        static let prefixIndexSize = compatible(
            "prefix_indexer_size", .gauge, labels: plugin, help: "Blocks held by the prefix index."
        )
        static let prefixHitRatio = compatible(
            "prefix_indexer_hit_ratio", .histogram, .ratio, labels: plugin, buckets: Buckets.shares,
            help: "Share of the prompt found in the prefix index for the best endpoint."
        )
        static let prefixHitBytes = compatible(
            "prefix_indexer_hit_bytes", .histogram, .bytes, labels: plugin, buckets: Buckets.prefixBytes,
            help: "Bytes of the prompt found in the prefix index for the best endpoint."
        )

        static let all = [
            duration, attempts, disaggregations, rewriteDecisions, pluginDuration, prefixIndexSize, prefixHitRatio,
            prefixHitBytes,
        ]
    }

    /// Connections and what goes wrong on them.
    enum Proxy {
        static let connectionsOpen = own(
            "proxy_connections_open", .gauge, labels: ["side"],
            help: "Connections open now, to clients and to endpoints."
        )
        static let connections = own(
            "proxy_connections_total", .counter, labels: ["side"],
            help: "Connections opened, by clients and to endpoints."
        )
        static let retries = own(
            "proxy_upstream_retries_total", .counter, labels: ["reason"],
            help: "Requests sent again after an attempt that the endpoint cannot have started to serve."
        )
        static let upstreamErrors = own(
            "proxy_upstream_errors_total", .counter, labels: ["reason"],
            help: "Attempts that failed on the way to an endpoint."
        )
        static let clientDisconnects = own(
            "proxy_client_disconnects_total", .counter,
            help: "Requests whose client went away before the answer was complete."
        )

        static let all = [connectionsOpen, connections, retries, upstreamErrors, clientDisconnects]
    }
}
