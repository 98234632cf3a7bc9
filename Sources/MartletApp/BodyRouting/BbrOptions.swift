import BodyBasedRouting
import GatewayCore

/// What `martlet bbr` was told by its flags: those of GAIE's body-based router, and Martlet's own.
struct BbrOptions: ServesExtProc {
    /// Ports, TLS, logs.
    var serving = ServingOptions(grpcPort: 9004, grpcHealthPort: 9005)
    /// Whether the proxy sends bodies in pieces (`FULL_DUPLEX_STREAMED`) instead of whole.
    var isStreaming = false
    /// The plugins as `type:name[:json]`, in the order in which they run.
    var pluginTexts: [String] = []
    /// ``pluginTexts``, read; empty for the two that are the default.
    var plugins: [PluginSpecification] = []
    /// A file or folder of ConfigMaps; empty for none.
    var resourcesPath = ""
    /// The namespace whose ConfigMaps count; `nil` for all.
    var namespace: String?
    /// Whether the environment says that there is a cluster.
    var isNearCluster = false

    /// Whether there is a cluster that was meant. A kubeconfig that merely lies around in a home folder is not.
    var hasCluster: Bool { isNearCluster || !serving.kubeconfigPath.isEmpty }

    /// Whether the ConfigMaps of the cluster are followed: there is one, files say nothing of models, and a plugin asks
    /// for base models.
    var followsModelMaps: Bool {
        let needsMapping = plugins.isEmpty || plugins.contains(where: \.readsModelMapping)
        return hasCluster && resourcesPath.isEmpty && needsMapping
    }
}

extension BbrOptions {
    /// Every flag of `martlet bbr`.
    static let flagSet = FlagSet<BbrOptions>(
        command: "martlet bbr",
        abstract: "A body-based router: writes the model of a request into headers, for routes to match.",
        groups: [
            portFlags(),
            FlagGroup(
                title: "Routing",
                flags: [
                    .boolean(
                        "streaming", \.isStreaming,
                        "Whether the proxy sends bodies in pieces (FULL_DUPLEX_STREAMED) instead of whole."
                    ),
                    .repeated(
                        "plugin", \.pluginTexts,
                        "A plugin as TYPE:NAME or TYPE:NAME:JSON; repeatable, in the order in which they run. With "
                            + "one, the default two are off: they write the model and its base model."
                    ),
                    .text(
                        "config", \.resourcesPath,
                        "A file or folder of ConfigMaps that say which base model an adapter belongs to; watched. "
                            + "Without it those of the cluster count, where there is one. With $NAMESPACE only those "
                            + "of that namespace count."
                    ),
                    .bytes("max-body-bytes", \.serving.maxBodyBytes, "The most bytes of a request body."),
                ]
            ),
            tlsFlags(), logFlags(),
            FlagGroup(
                title: "Other",
                flags: [dashboardFlag()] + clusterFlags() + [deprecatedMetricsFlag()] + foreignFlags() + [tracingFlag]
            ),
        ]
    )

    private static let tracingFlag = Flag<BbrOptions>.withoutEffect(
        "tracing", .boolean, default: "true", "Traces by OpenTelemetry.",
        because: "the body-based router makes no spans; the header of a trace passes as it is"
    )

    /// Reads the words behind `martlet bbr`.
    ///
    /// - Parameters:
    ///   - arguments: the words.
    ///   - environment: the process's; `NAMESPACE` chooses the ConfigMaps.
    /// - Returns: the options; `nil` when the user asks for help.
    /// - Throws: ``CommandError`` for what cannot be used.
    static func read(
        _ arguments: [String],
        environment: [String: String]
    ) throws(CommandError) -> (options: BbrOptions, warnings: [String])? {
        guard case .options(let parsed) = try flagSet.read(arguments) else { return nil }
        var options = parsed.options
        let warnings = parsed.warnings + (try options.serving.check())
        try options.checkPorts()
        for text in options.pluginTexts {
            let plugin = try specification(text)
            if options.plugins.contains(where: { $0.name == plugin.name }) {
                throw CommandError("--plugin '\(text)': the name '\(plugin.name)' is used twice.")
            }
            options.plugins.append(plugin)
        }
        options.namespace = environment["NAMESPACE"].flatMap { $0.isEmpty ? nil : $0 }
        options.isNearCluster = ["KUBECONFIG", "KUBERNETES_SERVICE_HOST"].contains { environment[$0]?.isEmpty == false }
        return (options, warnings)
    }

    private static func specification(_ text: String) throws(CommandError) -> PluginSpecification {
        do throws(ConfigurationError) {
            return try PluginSpecification(parsing: text)
        } catch {
            throw CommandError("\(error)")
        }
    }

    private func checkPorts() throws(CommandError) {
        let ports = [
            ("--grpc-port", serving.grpcPort), ("--grpc-health-port", serving.grpcHealthPort),
            ("--metrics-port", serving.metricsPort),
        ]
        for (index, (flag, port)) in ports.enumerated() where port != 0 {
            for (other, taken) in ports[..<index] where taken == port {
                throw CommandError("\(flag) \(port) is the port of \(other) as well; they must differ.")
            }
        }
    }
}
