import GatewayCore

extension EppOptions {
    /// Every flag of `martlet epp`.
    static let flagSet = FlagSet<EppOptions>(
        command: "martlet epp",
        abstract: "An endpoint picker for Envoy and other proxies that speak ext_proc.",
        groups: [
            portFlags(), poolFlags, configurationFlags, requestFlags, metricsFlags, tlsFlags(), logFlags(), otherFlags,
        ]
    )

    private static let poolFlags = FlagGroup<EppOptions>(
        title: "Pool",
        flags: [
            .text(
                "pool-name", \.poolName,
                "The pool: an InferencePool of the cluster. With a discovery file it is the name of that file's pool, "
                    + "without the flag \(defaultPoolName); with --config and no routes, the pool that everything goes "
                    + "to."
            ),
            .text(
                "pool-namespace", \.poolNamespace,
                "The pool's namespace; without it $NAMESPACE, else \(defaultNamespace)."
            ),
            .text(
                "pool-group", \.poolGroup,
                "The API group of the pool's resource in a cluster: inference.networking.k8s.io (v1) or "
                    + "inference.networking.x-k8s.io (v1alpha2)."
            ),
            .text(
                "endpoint-selector", \.endpointSelector,
                "In place of --pool-name: the labels of the pods of the cluster that are endpoints, as kubectl's "
                    + "--selector takes them. No custom resource is read."
            ),
            .list("endpoint-target-ports", \.endpointTargetPorts, "1 to 8 ports of those pods."),
            .boolean(
                "ha-enable-leader-election", \.electsLeader,
                "Whether of several replicas in a cluster only one is ready: the holder of a lease."
            ),
        ]
    )

    private static let configurationFlags = FlagGroup<EppOptions>(
        title: "Configuration",
        flags: [
            .text(
                "config", \.resourcesPath,
                "A file or folder of InferencePools, HTTPRoutes, EndpointPickerConfigs and endpoint lists; watched."
            ),
            .text(
                "config-file", \.pickerPath,
                "A file with an EndpointPickerConfig, for pools that have none of their own."
            ),
            .text("config-text", \.pickerText, "The EndpointPickerConfig itself, in place of --config-file."),
            .boolean(
                "allow-experimental-plugins", \.allowsExperimentalPlugins,
                "Whether plugins are allowed whose behaviour may still change."
            ),
        ]
    )

    private static let requestFlags = FlagGroup<EppOptions>(
        title: "Requests",
        flags: [
            .duration(
                "drain-timeout", \.drainTimeout, in: .zero ... .seconds(86_400),
                "How long ext_proc goes on as before after SIGTERM, while health says that it ends; 0 is not at all. "
                    + "Then no new streams are taken, and those that run get another "
                    + "\(FlagValue.format(ExtProcDrain.streamGrace))."
            ),
            .bytes(
                "grpc-max-recv-msg-size", \.maxReceiveMessageBytes, "The most bytes of a message that is received."
            ),
            .bytes(
                "grpc-max-send-msg-size", \.maxSendMessageBytes,
                "The most bytes of a message that is sent; without it there is no limit."
            ),
            .bytes("max-body-bytes", \.serving.maxBodyBytes, "The most bytes of a request body."),
            .boolean(
                "disable-endpoint-subset-filter", \.ignoresSubsetHints,
                "Whether the subset of endpoints that the proxy asks for is ignored."
            ),
            .boolean(
                "emit-endpoint-scores", \.emitsEndpointScores, "Whether the proxy is told the scores of endpoints."
            ),
            .boolean(
                "health-checking", \.answersHealthOnGRPCPort,
                "Whether the health service is answered on the port of ext_proc as well."
            ),
        ]
    )

    private static let metricsFlags = FlagGroup<EppOptions>(
        title: "Metrics",
        flags: [
            deprecatedMetricsFlag(),
            .duration(
                "refresh-metrics-interval", \.scrapeInterval, in: FlagValue.anyDuration,
                "How often endpoints are asked for their metrics; at least 50ms."
            ),
            .duration(
                "metrics-staleness-threshold", \.metricsStaleness, in: .zero ... .seconds(86_400),
                "How old the metrics of an endpoint may be for it to count as ready in the gauges of a pool."
            ),
            .withoutEffect(
                "refresh-prometheus-metrics-interval", .duration, default: "5s",
                "How often the gauges of pools are set.", because: "they are set whenever they are read"
            ),
            .boolean("enable-grpc-stream-metrics", \.countsStreams, "Whether gRPC streams are counted and timed."),
            .text(
                "metrics-cert-dir", \.metricsCertificatePath,
                "The folder with tls.crt and tls.key of the metrics port; without it the port speaks plain HTTP."
            ),
            .text(
                "metrics-client-ca-file", \.metricsClientAuthorityPath,
                "The authorities of client certificates in PEM; with it, readers of metrics need one."
            ),
            .integer(
                "model-server-metrics-port", \.modelServerMetrics.port, in: 0...65_535,
                "The port of the endpoints' metrics page; 0 is the endpoint's own."
            ).with(moved),
            .text("model-server-metrics-path", \.modelServerMetrics.path, "The path of that page.").with(moved),
            .text("model-server-metrics-scheme", \.modelServerMetrics.scheme, "http or https.").with(moved),
            .boolean(
                "model-server-metrics-https-insecure-skip-verify", \.modelServerMetrics.skipsVerification,
                "Whether the certificates of endpoints are not looked at."
            ).with(moved),
        ] + namesOfMetrics
    )

    private static let moved = Flag<EppOptions>.Effect.deprecated(
        instead: "write it as a parameter of metrics-data-source"
    )

    /// The names of single metrics, which belong to the configuration of an engine.
    private static let namesOfMetrics = [
        "total-queued-requests-metric", "total-running-requests-metric", "kv-cache-usage-percentage-metric",
        "lora-info-metric", "cache-info-metric",
    ].map { name in
        Flag<EppOptions>.refused(
            name, .text, "The name of a metric.",
            because: "configure the metrics of an engine by engineConfigs of core-metrics-extractor."
        )
    }

    private static let otherFlags = FlagGroup<EppOptions>(
        title: "Other",
        flags: clusterFlags() + foreignFlags() + [
            .boolean(
                "tracing", \.tracing,
                "Whether traces are made by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_TRACES_EXPORTER "
                    + "says where they go."
            ),
            .integer(
                "keep-decisions", \.keptDecisions, in: 0...1_000_000,
                "How many of the last decisions martlet explain can tell of; 0 keeps none."
            ),
            dashboardFlag(),
            .text(
                "admin-token-file", \.adminTokenPath,
                "A file with the token of those who may act by the metrics port; without it $MARTLET_ADMIN_TOKEN."
            ),
            .text(
                "access-log", \.serving.accessLog,
                "A line for each request: off, text or json for standard error, or the path of a file; without it off."
            ),
            .text(
                "access-log-format", \.serving.accessLogFormat,
                "The form of the access log in a file: text or json; without it JSON."
            ),
            .withoutEffect(
                "destination-endpoint-hint-key", .text, default: "x-gateway-destination-endpoint",
                "The header that names the endpoint.", because: "the header is always the default"
            ),
            .withoutEffect(
                "destination-endpoint-hint-metadata-namespace", .text, default: "envoy.lb",
                "The metadata namespace that names the endpoint.", because: "the namespace is always the default"
            ),
        ]
    )
}
