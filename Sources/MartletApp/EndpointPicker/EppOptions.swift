import BuiltinPlugins
import GatewayCore
import KubernetesDiscovery

/// What `martlet epp` was told by its flags: those of llm-d's endpoint picker, of its forerunners, and Martlet's own.
struct EppOptions: ServesExtProc {
    /// Ports, TLS, logs.
    var serving = ServingOptions(grpcPort: 9002, grpcHealthPort: 9003)
    /// How long ext_proc goes on accepting after SIGTERM; zero stops at once.
    var drainTimeout = Duration.seconds(30)
    /// The most bytes of a message that is received.
    var maxReceiveMessageBytes = 4 << 20
    /// The most bytes of a message that is sent; `nil` for no limit.
    var maxSendMessageBytes: Int?
    /// The pool's name; empty when it was not given.
    var poolName = ""
    /// The pool's namespace; empty when it was not given.
    var poolNamespace = ""
    /// The API group of the pool's resource.
    var poolGroup = "inference.networking.k8s.io"
    /// Which pods of a cluster are endpoints.
    var endpointSelector = ""
    /// The name of the process's pod, `POD_NAME`; empty outside a cluster.
    var podName = ""
    /// Whether replicas elect one of them.
    var electsLeader = false
    /// The ports of those pods as they are written.
    var endpointTargetPorts: [String] = []
    /// The ports of those pods.
    private(set) var targetPorts: [Int] = []
    /// Whether the subset that the proxy names is ignored.
    var ignoresSubsetHints = false
    /// Whether the streams of ext_proc are counted and timed.
    var countsStreams = false
    /// Whether the proxy is told the scores of endpoints.
    var emitsEndpointScores = false
    /// How often endpoints are asked for their metrics.
    var scrapeInterval = Duration.milliseconds(50)
    /// How old metrics may be for their endpoint to count as ready.
    var metricsStaleness = Duration.seconds(2)
    /// How and where metrics are asked for where the metrics source says nothing.
    var modelServerMetrics = ModelServerMetrics()
    /// Whether ext_proc's port answers the health service as well.
    var answersHealthOnGRPCPort = false
    /// The folder with the certificate of the metrics port; empty for plain text.
    var metricsCertificatePath = ""
    /// The authorities of those who may read metrics; empty for everybody.
    var metricsClientAuthorityPath = ""
    /// The file with the EndpointPickerConfig.
    var pickerPath = ""
    /// The EndpointPickerConfig itself.
    var pickerText = ""
    /// A file or folder of resources.
    var resourcesPath = ""
    /// Whether traces are made where the environment says where they go.
    var tracing = true
    /// How many of the last decisions are kept for `martlet explain`; 0 for none.
    var keptDecisions = 100
    /// The file with the token of those who may act by the metrics port; empty for the environment's, if there is one.
    var adminTokenPath = ""
    /// The plugin types that configurations may name.
    var plugins = BuiltinCatalogue.registry()
    /// Whether plugins that may still change are allowed.
    var allowsExperimentalPlugins = false

    /// The flags of GAIE's endpoint picker about the metrics of model servers.
    struct ModelServerMetrics: Sendable {
        /// The port; 0 is that of the endpoint.
        var port = 0
        /// The path.
        var path = "/metrics"
        /// `http` or `https`.
        var scheme = "http"
        /// Whether certificates are not looked at.
        var skipsVerification = true
    }

    /// The namespace of a pool when nothing names one.
    static let defaultNamespace = "default"
    /// The name of the pool of a discovery file when nothing names one.
    static let defaultPoolName = "epp"
}

extension EppOptions {
    /// Reads the words behind `martlet epp`.
    ///
    /// - Parameters:
    ///   - arguments: the words.
    ///   - environment: the process's; `NAMESPACE` stands in for `--pool-namespace`, and `POD_NAME` says which
    ///     Deployment the pool of `--endpoint-selector` is called after.
    /// - Returns: the options; `nil` when the user asks for help.
    /// - Throws: ``CommandError`` for what cannot be used.
    static func read(
        _ arguments: [String],
        environment: [String: String]
    ) throws(CommandError) -> (options: EppOptions, warnings: [String])? {
        guard case .options(var parsed) = try flagSet.read(arguments) else { return nil }
        try parsed.options.complete(environment: environment, warnings: &parsed.warnings)
        return (parsed.options, parsed.warnings)
    }

    /// Checks what one flag alone cannot say, and fills in what the environment says.
    private mutating func complete(environment: [String: String], warnings: inout [String]) throws(CommandError) {
        warnings += try serving.check()
        if poolNamespace.isEmpty { poolNamespace = environment["NAMESPACE"] ?? "" }
        if poolNamespace.isEmpty { poolNamespace = Self.defaultNamespace }
        podName = environment["POD_NAME"] ?? ""
        if !pickerPath.isEmpty, !pickerText.isEmpty {
            throw CommandError("--config-file and --config-text say the same thing twice: give one of them.")
        }
        try checkPool(&warnings)
        try checkMetrics(&warnings)
    }

    private mutating func checkPool(_ warnings: inout [String]) throws(CommandError) {
        if !poolName.isEmpty, !endpointSelector.isEmpty {
            throw CommandError("--pool-name and --endpoint-selector exclude each other: give one of them.")
        }
        guard ClusterResources.pools(group: poolGroup) != nil else {
            throw CommandError(
                "--pool-group '\(poolGroup)' has no InferencePools: it is inference.networking.k8s.io or "
                    + "inference.networking.x-k8s.io."
            )
        }
        var ports: [Int] = []
        for text in endpointTargetPorts {
            let value = FlagValue(flag: "endpoint-target-ports", text: text, isFirst: true)
            let port = try value.integer(in: 0...65_535)
            if !ports.contains(port) { ports.append(port) }
        }
        if endpointSelector.isEmpty {
            if !ports.isEmpty { warnings.append("--endpoint-target-ports has no effect without --endpoint-selector.") }
            return
        }
        targetPorts = ports
        guard (1...8).contains(ports.count) else {
            throw CommandError(
                "--endpoint-selector needs 1 to 8 different --endpoint-target-ports, not \(ports.count).")
        }
    }

    private mutating func checkMetrics(_ warnings: inout [String]) throws(CommandError) {
        if scrapeInterval < .milliseconds(50) {
            let text = FlagValue.format(scrapeInterval)
            warnings.append("--refresh-metrics-interval \(text) is below the minimum of 50ms, which is used instead.")
            scrapeInterval = .milliseconds(50)
        }
        if !["http", "https"].contains(modelServerMetrics.scheme) {
            throw CommandError("--model-server-metrics-scheme '\(modelServerMetrics.scheme)' is not http or https.")
        }
        if !modelServerMetrics.path.hasPrefix("/") {
            throw CommandError("--model-server-metrics-path '\(modelServerMetrics.path)' does not start with '/'.")
        }
        if !metricsClientAuthorityPath.isEmpty, metricsCertificatePath.isEmpty {
            throw CommandError("--metrics-client-ca-file needs --metrics-cert-dir.")
        }
    }
}
