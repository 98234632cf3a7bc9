import ArgumentParser
import GatewayCore
import MartletApp
import RequestControl

/// `martlet serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "The embedded gateway: a reverse proxy with the endpoint picker in the same process."
    )

    @Option(help: "Where clients connect, HOST:PORT. (default: 127.0.0.1:8080, or the listeners of the configuration)")
    var listen: String?

    @Option(help: "Where /metrics, /healthz, /readyz and /api/state are served, HOST:PORT.")
    var admin = "127.0.0.1:9090"

    @Option(help: "A file with the token of those who may act by the admin address. (default: $MARTLET_ADMIN_TOKEN)")
    var adminTokenFile: String?

    @Option(help: "Whether the admin address has the dashboard and its live feed.")
    var dashboard = true

    @Option(help: "A file or folder of Kubernetes resources and endpoint lists; watched for changes.")
    var config: String?

    @Option(help: "A model server as [NAME=]URL; repeatable.")
    var endpoint: [String] = []

    @Option(help: "How many simulated model servers to start and use.")
    var simulate = 0

    @Flag(inversion: .prefixedNo, help: "Tell in each response which endpoint served it. (default: with --simulate)")
    var servedHeader: Bool?

    @Option(help: "The most bytes of a request body.")
    var maxBodyBytes = GatewayLimits().maxBodyBytes

    @Option(help: "The most bytes of a request's header section.")
    var maxHeaderBytes = GatewayLimits().maxHeaderBytes

    @Option(help: "The most client connections at once.")
    var maxConnections = GatewayLimits().maxConnections

    @Option(help: "The most retries of one request.")
    var retryAttempts = 2

    @Option(help: "What is retried: a list of connect-failure, reset, reset-reused and status codes from 500 to 599.")
    var retryOn = "connect-failure,reset,502,503,504"

    @Option(help: "How long running requests may take after SIGTERM.")
    var drainTimeoutSeconds = 30

    @Option(help: "How often model servers are asked for their metrics; at least 50.")
    var refreshMetricsIntervalMilliseconds = 50

    @Flag(inversion: .prefixedNo, help: "Write the metrics that are deprecated in llm-d under their old names too.")
    var deprecatedMetrics = false

    @Option(help: "Event loops. (default: one per processor)")
    var threads: Int?

    @Option(help: "How many of the last decisions martlet explain can tell of; 0 keeps none.")
    var keepDecisions = 100

    @Flag(inversion: .prefixedNo, help: "Make traces by OpenTelemetry; OTEL_EXPORTER_OTLP_ENDPOINT says where they go.")
    var tracing = false

    @Option(help: "Log level: trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    @Option(help: "The form of the log: text, json, or auto, which is text.")
    var logFormat = "auto"

    @Option(help: "A line for each request: off, text or json for standard error, or the path of a file.")
    var accessLog = "off"

    @Option(help: "The form of the access log in a file, text or json. (default: json)")
    var accessLogFormat: String?

    @Option(help: "Seed of random choices, for runs that can be repeated.")
    var seed: UInt64?

    @Flag(help: "Allow plugins whose behaviour may still change.")
    var allowExperimentalPlugins = false

    @Flag(help: "Do not check the certificates of endpoints that speak TLS.")
    var insecureEndpoints = false

    func validate() throws {
        try require(simulate >= 0 && simulate <= 1000, "--simulate \(simulate) is not from 0 to 1000.")
        try require(maxBodyBytes > 0, "--max-body-bytes \(maxBodyBytes) is not above 0.")
        try require(maxHeaderBytes >= 1024, "--max-header-bytes \(maxHeaderBytes) is below 1024.")
        try require(maxConnections > 0, "--max-connections \(maxConnections) is not above 0.")
        try require((0...10).contains(retryAttempts), "--retry-attempts \(retryAttempts) is not from 0 to 10.")
        try require(
            (0...1_000_000).contains(keepDecisions), "--keep-decisions \(keepDecisions) is not from 0 to 1000000.")
        try require(drainTimeoutSeconds >= 0, "--drain-timeout-seconds \(drainTimeoutSeconds) is negative.")
        try require(
            (50...60_000).contains(refreshMetricsIntervalMilliseconds),
            "--refresh-metrics-interval-milliseconds \(refreshMetricsIntervalMilliseconds) is not from 50 to 60000."
        )
        try require(threads.map { (1...1024).contains($0) } ?? true, "--threads \(threads ?? 0) is not from 1 to 1024.")
        do {
            _ = try logs()
        } catch {
            throw ValidationError(error.description)
        }
        do {
            _ = try RetryPolicy(maxRetries: retryAttempts, conditions: retryOn)
        } catch {
            throw ValidationError("--retry-on \(error)")
        }
    }

    func run() async throws {
        var options = ServeOptions()
        options.listen = listen
        options.admin = admin
        options.adminTokenPath = adminTokenFile
        options.hasDashboard = dashboard
        options.configurationPath = config
        options.endpoints = endpoint
        options.simulated = simulate
        options.servedHeader = servedHeader
        options.limits.maxBodyBytes = maxBodyBytes
        options.limits.maxHeaderBytes = maxHeaderBytes
        options.limits.maxConnections = maxConnections
        options.retry = try RetryPolicy(maxRetries: retryAttempts, conditions: retryOn)
        options.drainTimeout = .seconds(drainTimeoutSeconds)
        options.scrapeInterval = .milliseconds(refreshMetricsIntervalMilliseconds)
        options.writesDeprecatedMetrics = deprecatedMetrics
        options.threads = threads
        options.logs = try logs()
        options.seed = seed
        options.tracing = tracing
        options.keptDecisions = keepDecisions
        options.plugins = PluginTypes.present
        options.allowsExperimentalPlugins = allowExperimentalPlugins
        options.verifiesEndpointCertificates = !insecureEndpoints
        try await ServeApplication.run(options)
    }

    private func logs() throws(CommandError) -> LogOptions {
        var options = LogOptions()
        options.level = try LogOptions.level(logLevel)
        options.format = try LogOptions.format(logFormat)
        try options.setAccessLog(accessLog, format: accessLogFormat ?? "")
        return options
    }

    private func require(_ holds: Bool, _ message: String) throws {
        if !holds { throw ValidationError(message) }
    }
}
