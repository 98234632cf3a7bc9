import DataLayer
import Logging
import Testing

@testable import MartletApp

private func read(
    _ words: [String],
    environment: [String: String] = [:]
) throws -> (options: EppOptions, warnings: [String]) {
    guard let result = try EppOptions.read(words, environment: environment) else { throw CommandError("help") }
    return result
}

private func refusal(_ words: [String]) -> String {
    do {
        _ = try read(words)
        return ""
    } catch {
        return "\(error)"
    }
}

@Suite("Flags of martlet epp")
struct EppFlagTests {
    @Test("the defaults are those of llm-d's endpoint picker")
    func defaults() throws {
        let (options, warnings) = try read([])
        #expect(warnings.isEmpty)
        #expect(options.serving.grpcPort == 9002)
        #expect(options.serving.grpcHealthPort == 9003)
        #expect(options.serving.metricsPort == 9090)
        #expect(options.serving.isSecure)
        #expect(options.serving.maxBodyBytes == 32 << 20)
        #expect(options.drainTimeout == .seconds(30))
        #expect(options.maxReceiveMessageBytes == 4 << 20)
        #expect(options.maxSendMessageBytes == nil)
        #expect(options.scrapeInterval == .milliseconds(50))
        #expect(options.metricsStaleness == .seconds(2))
        #expect(options.poolNamespace == "default")
        #expect(!options.answersHealthOnGRPCPort && !options.ignoresSubsetHints && !options.emitsEndpointScores)
        #expect(try options.serving.effectiveLogLevel == .info)
    }

    @Test("the arguments of llm-d's chart are taken as they are")
    func chartOfLLMD() throws {
        let (options, warnings) = try read(
            [
                "--pool-name", "llama", "--pool-namespace", "serving", "--pool-group", "inference.networking.k8s.io",
                "--zap-encoder", "json", "--config-file", "/config/default-plugins.yaml", "--ha-enable-leader-election",
                "--grpc-health-port", "9003", "--health-checking=true", "--secure-serving=false", "--v=4",
                "--tracing=false", "--metrics-endpoint-auth=false",
            ]
        )
        #expect(options.poolName == "llama")
        #expect(options.poolNamespace == "serving")
        #expect(options.pickerPath == "/config/default-plugins.yaml")
        #expect(options.answersHealthOnGRPCPort)
        #expect(!options.serving.isSecure)
        #expect(try options.serving.effectiveLogLevel == .debug)
        #expect(options.poolGroup == "inference.networking.k8s.io")
        #expect(options.electsLeader)
        #expect(!options.serving.authenticatesMetrics)
        #expect(try options.serving.logOptions.format == .json)
        #expect(warnings.isEmpty)
    }

    @Test("the arguments of llm-d's chart for a selector are taken as they are")
    func standaloneChartOfLLMD() throws {
        let (options, _) = try read(
            [
                "--endpoint-selector", "app=vllm,role in (a, b)", "--endpoint-target-ports", "8000,8001,8000",
                "--zap-encoder", "json", "--config-file", "/config/default-plugins.yaml", "--grpc-health-port", "9003",
                "--tracing=true",
            ],
            environment: ["NAMESPACE": "serving", "POD_NAME": "epp-5d4f-x2x"]
        )
        #expect(options.endpointSelector == "app=vllm,role in (a, b)")
        #expect(options.poolNamespace == "serving")
    }

    @Test("the arguments of GAIE's charts and manifests are taken as they are")
    func chartsOfGAIE() throws {
        let (options, warnings) = try read(
            [
                "--pool-name", "llama", "--pool-namespace", "serving", "--pool-group", "inference.networking.x-k8s.io",
                "--zap-encoder", "json", "--config-file", "/config/default-plugins.yaml", "--tracing=false",
                "--model-server-metrics-scheme", "https", "--model-server-metrics-https-insecure-skip-verify",
                "--model-server-metrics-port=9100", "--model-server-metrics-path=/m", "--cert-path", "/certificates",
                "--refresh-metrics-interval", "100ms", "-v", "3",
            ]
        )
        #expect(warnings.filter { $0.contains("metrics-data-source") }.count == 4)
        let settings = options.settings
        #expect(settings.scrape.metricsPort == 9100)
        #expect(settings.scrape.metricsPath == "/m")
        #expect(settings.scrape.isMetricsSecure == true)
        #expect(settings.scrape.interval == .milliseconds(100))
        #expect(!settings.verifiesEndpointCertificates)
        #expect(options.serving.tls.certificatePath == "/certificates")
    }

    @Test("the flags of the first releases")
    func firstReleases() throws {
        let (options, warnings) = try read(
            [
                "-poolName", "llama", "-poolNamespace", "serving", "-v", "4", "-grpcPort", "9012", "-grpcHealthPort",
                "9013", "-metricsPort=9099", "-refreshMetricsInterval", "1s", "-secureServing=false", "-certPath", "",
                "-destinationEndpointHintKey", "x-gateway-destination-endpoint",
                "-DestinationEndpointHintMetadataNamespace=envoy.lb", "-refreshPrometheusMetricsInterval", "5s",
            ]
        )
        #expect(options.poolName == "llama")
        #expect(options.poolNamespace == "serving")
        #expect(options.serving.grpcPort == 9012)
        #expect(options.serving.grpcHealthPort == 9013)
        #expect(options.serving.metricsPort == 9099)
        #expect(options.scrapeInterval == .seconds(1))
        #expect(!options.serving.isSecure)
        #expect(warnings.contains("-poolName is deprecated: write --pool-name."))
    }

    @Test(
        "what one flag forbids another",
        arguments: [
            (["--pool-name=a", "--endpoint-selector=b=c"], "--pool-name and --endpoint-selector exclude each other"),
            (["--endpoint-selector=b=c"], "needs 1 to 8 different --endpoint-target-ports, not 0"),
            (
                ["--endpoint-selector=b=c", "--endpoint-target-ports=1,2,3,4,5,6,7,8,9"],
                "needs 1 to 8 different --endpoint-target-ports, not 9"
            ),
            (["--endpoint-selector=b=c", "--endpoint-target-ports=x"], "--endpoint-target-ports 'x'"),
            (["--config-file=a", "--config-text=b"], "--config-file and --config-text"),
            (["--metrics-client-ca-file=a"], "--metrics-client-ca-file needs --metrics-cert-dir"),
            (["--secure-serving=false", "--tls-client-ca-file=a"], "does not go with --secure-serving=false"),
            (["--model-server-metrics-scheme=ftp"], "'ftp' is not http or https"),
            (["--model-server-metrics-path=m"], "'m' does not start with '/'"),
            (["--log-level=loud"], "--log-level 'loud' is not one of trace, debug"),
            (["--log-format=xml"], "--log-format 'xml' is not one of text"),
            (["--zap-encoder=xml"], "--zap-encoder 'xml' is not json or console"),
            (["--access-log-format=json"], "--access-log-format needs --access-log"),
            (["--access-log=text", "--access-log-format=json"], "contradict each other"),
            (["--zap-log-level=loud"], "--zap-log-level 'loud' is not one of debug"),
            (["--grpc-port=65536"], "--grpc-port '65536' is not from 0 to 65535"),
            (["--tls-min-version=1.2"], "--tls-min-version '1.2' is not one of VersionTLS10"),
            (["--tls-cipher-suites=RC4"], "--tls-cipher-suites 'RC4'"),
            (["--threads=0"], "--threads '0' is not from 1 to 1024"),
            (["--drain-timeout=-1s"], "--drain-timeout '-1s' is below 0s"),
        ]
    )
    func exclusions(words: [String], mention: String) {
        #expect(refusal(words).contains(mention))
    }

    @Test(
        "the names of single metrics are refused",
        arguments: [
            "--total-queued-requests-metric", "--total-running-requests-metric", "--kv-cache-usage-percentage-metric",
            "--lora-info-metric", "--cache-info-metric", "--totalQueuedRequestsMetric", "-loraInfoMetric",
        ]
    )
    func namesOfMetrics(flag: String) {
        #expect(refusal([flag, "vllm:x"]).contains("engineConfigs"))
    }

    @Test("a shorter interval than the shortest is lengthened")
    func shortestInterval() throws {
        let (options, warnings) = try read(["--refresh-metrics-interval=1ms"])
        #expect(options.scrapeInterval == .milliseconds(50))
        #expect(warnings == ["--refresh-metrics-interval 1ms is below the minimum of 50ms, which is used instead."])
    }

    @Test("the flag goes before $NAMESPACE, and that before the default")
    func namespaces() throws {
        let environment = ["NAMESPACE": "env"]
        #expect(try read(["--pool-namespace=flag"], environment: environment).options.poolNamespace == "flag")
        #expect(try read([], environment: environment).options.poolNamespace == "env")
        #expect(try read([], environment: ["NAMESPACE": ""]).options.poolNamespace == "default")
    }

    @Test(
        "log levels",
        arguments: [
            (["-v0"], .info), (["-v=1"], .info), (["-v", "3"], .info), (["-v4"], .debug), (["-v5"], .trace),
            (["-v=9"], .trace), (["-v=-7"], .info), (["--zap-log-level=debug", "-v1"], .debug),
            (["--zap-log-level=5"], .trace), (["--zap-log-level=panic"], .critical),
            (["--zap-log-level=error", "--log-level=notice"], .notice),
        ] as [([String], Logger.Level)]
    )
    func logLevels(words: [String], level: Logger.Level) throws {
        #expect(try read(words).options.serving.effectiveLogLevel == level)
    }

    @Test(
        "the form of the log",
        arguments: [
            ([], .auto), (["--zap-encoder=json"], .json), (["--zap-encoder=console"], .text),
            (["--zap-encoder=json", "--log-format=text"], .text), (["--zap-encoder=json", "--log-format=auto"], .auto),
        ] as [([String], LogOptions.Format)]
    )
    func logFormats(words: [String], format: LogOptions.Format) throws {
        let options = try read(words).options.serving.logOptions
        #expect(options.format == format && options.formatForMachines == .json && options.accessLog == .off)
    }

    @Test("warnings for what is given in vain")
    func vain() throws {
        #expect(try read(["--enable-cert-reload"]).warnings.count == 1)
        #expect(try read(["--secure-serving=false", "--cert-path=a"]).warnings.count == 1)
        #expect(try read(["--endpoint-target-ports=8000"]).warnings.count == 1)
    }

    @Test("the help mentions every flag and fits a terminal")
    func help() throws {
        #expect(try EppOptions.read(["--help"], environment: [:]) == nil)
        let lines = EppOptions.flagSet.help.split(separator: "\n").map(String.init)
        for flag in EppOptions.flagSet.flags {
            #expect(
                lines.contains { $0.hasPrefix("  --\(flag.name)") || $0.hasPrefix("  -\(flag.name), ") }, "\(flag.name)"
            )
            #expect(flag.help.hasSuffix(".") || flag.help.contains("https."), "\(flag.name)")
        }
        #expect(Set(EppOptions.flagSet.flags.map(\.name)).count == EppOptions.flagSet.flags.count)
        #expect(lines.allSatisfy { $0.count <= 100 })
    }

    /// The flags of llm-d's endpoint picker, as its reference lists them.
    @Test(
        "every flag of llm-d's endpoint picker is known",
        arguments: [
            "grpc-port", "grpc-health-port", "metrics-port", "ha-enable-leader-election", "drain-timeout",
            "grpc-max-recv-msg-size", "grpc-max-send-msg-size", "pool-name", "pool-group", "pool-namespace",
            "endpoint-selector", "endpoint-target-ports", "disable-endpoint-subset-filter", "emit-endpoint-scores",
            "refresh-metrics-interval", "refresh-prometheus-metrics-interval", "metrics-staleness-threshold",
            "total-queued-requests-metric", "total-running-requests-metric", "kv-cache-usage-percentage-metric",
            "lora-info-metric", "cache-info-metric", "v", "zap-devel", "zap-encoder", "zap-log-level",
            "zap-stacktrace-level", "zap-time-encoding", "tracing", "health-checking", "enable-pprof", "secure-serving",
            "cert-path", "enable-cert-reload", "tls-min-version", "tls-cipher-suites", "metrics-endpoint-auth",
            "metrics-client-ca-file", "metrics-cert-dir", "enable-grpc-stream-metrics", "config-file", "config-text",
            "allow-experimental-plugins", "kubeconfig",
        ]
    )
    func known(name: String) {
        #expect(EppOptions.flagSet.flags.contains { $0.name == name })
    }
}
