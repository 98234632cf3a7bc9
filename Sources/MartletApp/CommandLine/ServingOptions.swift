import ExtProcServer
import Logging

/// What `martlet epp` and `martlet bbr` have in common: ports, TLS, logs.
struct ServingOptions: Sendable {
    /// What speaks HTTP/2: `own` or `nio-http2`.
    var http2Engine = "own"
    /// The address to bind; empty for all of the machine's.
    var bindAddress = ""
    /// The port of ext_proc; like every port, 0 lets the system choose.
    var grpcPort: Int
    /// The port of the health service, in plain text.
    var grpcHealthPort: Int
    /// The port of `/metrics`.
    var metricsPort = 9090
    /// Event loops; `nil` for one per processor.
    var threads: Int?
    /// The most bytes of a request body.
    var maxBodyBytes = 32 << 20
    /// Whether ext_proc speaks TLS.
    var isSecure = true
    /// The TLS of ext_proc.
    var tls = ServingTLSOptions()
    /// The kubeconfig that says how to reach a cluster; empty when the environment does.
    var kubeconfigPath = ""
    /// Whether the cluster is asked who may read metrics, where there is a cluster.
    var authenticatesMetrics = true
    /// Whether the metrics port has the dashboard and its live feed.
    var hasDashboard = true
    /// Whether the metrics page has the deprecated families too. A drop-in must not leave dashboards empty.
    var writesDeprecatedMetrics = true
    /// The log level in words; empty when ``zapLogLevel`` or ``verbosity`` says it.
    var logLevel = ""
    /// The log level in words or as a verbosity; empty when ``verbosity`` says it.
    var zapLogLevel = ""
    /// The log level as a verbosity.
    var verbosity = ServingOptions.usualVerbosity
    /// The form of the log; empty when ``zapEncoder`` says it, else JSON where standard error is no terminal.
    var logFormat = ""
    /// The form of the log in zap's words, `json` or `console`.
    var zapEncoder = ""
    /// Where a line for each request goes; empty for nowhere.
    var accessLog = ""
    /// The form of those lines; empty for that of the word above, or JSON.
    var accessLogFormat = ""

    private static let usualVerbosity = 2

    init(grpcPort: Int, grpcHealthPort: Int) {
        self.grpcPort = grpcPort
        self.grpcHealthPort = grpcHealthPort
    }

    /// What speaks HTTP/2.
    ///
    /// - Throws: ``CommandError`` for a word that is no engine.
    var engine: GRPCServerConfiguration.Engine {
        get throws(CommandError) {
            switch http2Engine {
            case "own": return .own
            case "nio-http2": return .nioHTTP2
            default: throw CommandError("--http2-engine '\(http2Engine)' is not own or nio-http2.")
            }
        }
    }

    /// The log level that the three flags say together.
    ///
    /// - Throws: ``CommandError`` for a word that is no level.
    var effectiveLogLevel: Logger.Level {
        get throws(CommandError) {
            if !logLevel.isEmpty {
                return try LogOptions.level(logLevel)
            }
            switch zapLogLevel {
            case "": return Self.level(verbosity: verbosity)
            case "debug", "info", "error": return Logger.Level(rawValue: zapLogLevel) ?? .info
            case "panic": return .critical
            default:
                guard let number = Int(zapLogLevel), number > 0 else {
                    throw CommandError(
                        "--zap-log-level '\(zapLogLevel)' is not one of debug, info, error, panic or a number above 0."
                    )
                }
                return Self.level(verbosity: number)
            }
        }
    }

    /// What the flags say of the logs.
    ///
    /// - Throws: ``CommandError`` for a word that none of them has.
    var logOptions: LogOptions {
        get throws(CommandError) {
            var options = LogOptions()
            options.level = try effectiveLogLevel
            options.formatForMachines = .json
            switch (logFormat, zapEncoder) {
            case ("", ""): break
            case ("", "json"): options.format = .json
            case ("", "console"): options.format = .text
            case ("", _): throw CommandError("--zap-encoder '\(zapEncoder)' is not json or console.")
            case (_, _): options.format = try LogOptions.format(logFormat)
            }
            try options.setAccessLog(accessLog, format: accessLogFormat)
            return options
        }
    }

    /// Up to 3 says what an operator wants to know; a negative one counts as the usual.
    private static func level(verbosity: Int) -> Logger.Level {
        switch verbosity < 0 ? usualVerbosity : verbosity {
        case ...3: .info
        case 4: .debug
        default: .trace
        }
    }
}

/// The TLS of a port that this process serves.
struct ServingTLSOptions: Hashable, Sendable {
    /// The folder with `tls.crt` and `tls.key`; empty for a certificate that signs itself.
    var certificatePath = ""
    /// Whether the files are watched.
    var reloads = false
    /// `VersionTLS10` to `VersionTLS13`; empty for the least that is still safe.
    var minimumVersion = ""
    /// Go's names of the suites of TLS 1.2 and older; empty for the usual ones.
    var cipherSuites: [String] = []
    /// The file with the authorities of client certificates; empty when clients need none.
    var clientAuthorityPath = ""
}

/// The options of a command that has ``ServingOptions``.
protocol ServesExtProc: FlagOptions {
    /// The common part.
    var serving: ServingOptions { get set }
}

extension ServesExtProc {
    /// The flags of the ports.
    static func portFlags() -> FlagGroup<Self> {
        FlagGroup(
            title: "Ports",
            flags: [
                .integer("grpc-port", \.serving.grpcPort, in: 0...65_535, "The port of ext_proc; 0 is any free one."),
                .integer(
                    "grpc-health-port", \.serving.grpcHealthPort, in: 0...65_535,
                    "The port of the gRPC health service, in plain text."
                ),
                .integer("metrics-port", \.serving.metricsPort, in: 0...65_535, "The port of /metrics, by HTTP."),
                .text(
                    "bind-address", \.serving.bindAddress,
                    "The address of all ports; without it they are those of every address of the machine."
                ),
                .text(
                    "http2-engine", \.serving.http2Engine,
                    "What speaks HTTP/2 on the gRPC ports: own, or nio-http2 should the other one have a fault."
                ),
                .integer(
                    "threads", \.serving.threads, in: 1...1_024, "Event loops; without it one for each processor."),
            ]
        )
    }

    /// The flags of ext_proc's TLS.
    static func tlsFlags() -> FlagGroup<Self> {
        FlagGroup(
            title: "TLS",
            flags: [
                .boolean("secure-serving", \.serving.isSecure, "Whether ext_proc speaks TLS."),
                .text(
                    "cert-path", \.serving.tls.certificatePath,
                    "The folder with tls.crt and tls.key; without it a certificate signs itself at the start."
                ),
                .boolean(
                    "enable-cert-reload", \.serving.tls.reloads,
                    "Whether changed certificate files are used for new connections."
                ),
                .text(
                    "tls-min-version", \.serving.tls.minimumVersion,
                    "The least version: VersionTLS10, VersionTLS11, VersionTLS12 or VersionTLS13; without it TLS 1.2."
                ),
                .list(
                    "tls-cipher-suites", \.serving.tls.cipherSuites,
                    "The suites of TLS 1.2 and older by their IANA names; those of TLS 1.3 are fixed."
                ),
                .text(
                    "tls-client-ca-file", \.serving.tls.clientAuthorityPath,
                    "The authorities of client certificates in PEM; with it, clients of ext_proc need one."
                ),
            ]
        )
    }

    /// The flags of what is logged.
    static func logFlags() -> FlagGroup<Self> {
        let fixedForm = "the form of lines is that of --log-format"
        return FlagGroup(
            title: "Logs",
            flags: [
                .text(
                    "log-level", \.serving.logLevel,
                    "trace, debug, info, notice, warning, error or critical; goes before the flags below."
                ),
                .integer("v", \.serving.verbosity, "Verbosity: up to 3 is info, 4 is debug, 5 and more is trace."),
                .text(
                    "zap-log-level", \.serving.zapLogLevel,
                    "debug, info, error, panic or a verbosity; goes before -v."
                ),
                .text(
                    "log-format", \.serving.logFormat,
                    "text, json or auto, as without it: JSON unless standard error is a terminal."
                ),
                .withoutEffect("zap-devel", .boolean, default: "true", "Defaults for developers.", because: fixedForm),
                .text("zap-encoder", \.serving.zapEncoder, "json or console; --log-format goes before it."),
                .withoutEffect("zap-stacktrace-level", .text, "When stacks are shown.", because: fixedForm),
                .withoutEffect("zap-time-encoding", .text, "The form of times.", because: fixedForm),
            ]
        )
    }

    /// The flag of the dashboard.
    static func dashboardFlag() -> Flag<Self> {
        .boolean(
            "dashboard", \.serving.hasDashboard, "Whether the metrics port has the dashboard and its live feed."
        )
    }

    /// The flags for what does not exist in this program.
    static func foreignFlags() -> [Flag<Self>] {
        [
            .withoutEffect(
                "enable-pprof", .boolean, default: "true", "Profiles of a Go program.",
                because: "there is no Go runtime to profile"
            )
        ]
    }

    /// The flag of families that leave in a later release.
    static func deprecatedMetricsFlag() -> Flag<Self> {
        .boolean(
            "deprecated-metrics", \.serving.writesDeprecatedMetrics,
            "Whether metrics that upstream calls deprecated are written too, under their old names and labels."
        )
    }

    /// The flags of the cluster.
    static func clusterFlags() -> [Flag<Self>] {
        [
            .text(
                "kubeconfig", \.serving.kubeconfigPath,
                "The file that says how to reach the cluster; without it $KUBECONFIG, the account of the pod or "
                    + "~/.kube/config says it."
            ),
            .boolean(
                "metrics-endpoint-auth", \.serving.authenticatesMetrics,
                "Whether the cluster is asked who may read the metrics port (TokenReview, SubjectAccessReview); health "
                    + "is told to everybody, and without a cluster everything is."
            ),
        ]
    }
}

extension ServingOptions {
    /// Checks what one flag alone cannot say.
    ///
    /// - Returns: warnings.
    func check() throws(CommandError) -> [String] {
        _ = try engine
        _ = try logOptions
        _ = try TLSWords.version(tls.minimumVersion)
        _ = try TLSWords.suites(tls.cipherSuites)
        var warnings: [String] = []
        if isSecure {
            if tls.reloads, tls.certificatePath.isEmpty {
                warnings.append("--enable-cert-reload has no effect without --cert-path.")
            }
            return warnings
        }
        if !tls.clientAuthorityPath.isEmpty {
            throw CommandError("--tls-client-ca-file needs TLS: it does not go with --secure-serving=false.")
        }
        if tls != ServingTLSOptions() {
            warnings.append(
                "--cert-path, --enable-cert-reload, --tls-min-version and --tls-cipher-suites have no effect with "
                    + "--secure-serving=false."
            )
        }
        return warnings
    }
}
