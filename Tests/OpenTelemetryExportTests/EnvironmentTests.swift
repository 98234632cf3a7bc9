import NIOCore
import Telemetry
import Testing

@testable import OpenTelemetryExport

@Suite struct EnvironmentTests {
    private func read(_ variables: [String: String]) -> TracingEnvironment {
        TracingEnvironment(
            variables,
            defaults: TracingEnvironment.Defaults(
                serviceName: "default", serviceVersion: "1", sampler: Sampler(root: .ratio(0.1), followsParent: true))
        )
    }

    private func resource(_ environment: TracingEnvironment, _ key: String) -> SpanAttribute.Value? {
        environment.resource.last { $0.key == key }?.value
    }

    @Test func nothingSaidIsTheCollectorOnThisMachine() {
        let environment = read(["PATH": "/bin", "OTEL_TRACES_EXPORTER": ""])
        #expect(!environment.namesExporter && !environment.isDisabled && environment.exporter == .otlp)
        #expect(environment.destination == "http://localhost:4317 by grpc")
        #expect(environment.queueSize == 2048 && environment.batchSize == 512)
        #expect(environment.times == ExportStateMachine.Times() && environment.warnings.isEmpty)
        #expect(environment.sampler == Sampler(root: .ratio(0.1), followsParent: true))
        #expect(resource(environment, "service.name") == .text("default"))
    }

    @Test(
        arguments: [
            ("always_on", nil, .always, false), ("always_off", nil, .never, false),
            ("traceidratio", "0.5", .ratio(0.5), false), ("traceidratio", nil, .ratio(0.1), false),
            ("parentbased_always_on", "0.5", .always, true), ("parentbased_always_off", nil, .never, true),
            ("parentbased_traceidratio", "1", .ratio(1), true), (nil, "0", .ratio(0), true),
        ] as [(String?, String?, Sampler.Root, Bool)])
    func samplers(name: String?, argument: String?, root: Sampler.Root, followsParent: Bool) {
        var variables: [String: String] = [:]
        variables["OTEL_TRACES_SAMPLER"] = name
        variables["OTEL_TRACES_SAMPLER_ARG"] = argument
        let environment = read(variables)
        #expect(environment.sampler == Sampler(root: root, followsParent: followsParent))
        #expect(environment.warnings.isEmpty)
    }

    @Test(
        arguments: [
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"], "http://c:4317 by grpc"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "https://c"], "https://c:4317 by grpc"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "c:1"], "https://c:1 by grpc"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "c:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"], "http://c:1 by grpc"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:9"], "http://[::1]:9 by grpc"),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"],
                "http://c:4318/v1/traces by http/protobuf"
            ),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp/", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"],
                "https://c/otlp/v1/traces by http/json"
            ),
            (
                [
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1/t", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d",
                    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                ], "http://c:1/t by http/protobuf"
            ),
            (["OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"], "http://localhost:4318/v1/traces by http/protobuf"),
            (["OTEL_TRACES_EXPORTER": "console"], "standard output"),
        ] as [([String: String], String)])
    func whereSpansGo(variables: [String: String], destination: String) {
        let environment = read(variables)
        #expect(environment.destination == destination)
        #expect(environment.warnings.isEmpty)
        #expect(
            environment.namesExporter
                == (variables.keys.contains { $0.hasSuffix("ENDPOINT") || $0.hasSuffix("EXPORTER") }))
    }

    @Test func namesAndHeadersAreDecoded() {
        let environment = read([
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,k8s.pod.name=p%2C1, zone = z ",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x%3D%3D,b=%zz",
        ])
        #expect(resource(environment, "service.name") == .text("a"))
        #expect(resource(environment, "k8s.pod.name") == .text("p,1"))
        #expect(resource(environment, "zone") == .text("z"))
        #expect(environment.headers.map(\.0) == ["authorization", "b"])
        #expect(environment.headers.map(\.1) == ["Bearer x==", "%zz"])
        let named = read(["OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "b"])
        #expect(resource(named, "service.name") == .text("b"))
    }

    @Test func timesAndSizes() {
        let environment = read([
            "OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_BSP_EXPORT_TIMEOUT": "7000",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "300",
        ])
        #expect(environment.queueSize == 100 && environment.batchSize == 100)
        #expect(environment.times.delay == .milliseconds(20) && environment.times.patience == .seconds(7))
        #expect(environment.times.timeout == .milliseconds(300))
    }

    @Test(
        arguments: [
            ("OTEL_TRACES_SAMPLER", "often", "is not known; parentbased_traceidratio is used"),
            ("OTEL_TRACES_SAMPLER_ARG", "2", "is not a number from 0 to 1; 0.1 is used"),
            ("OTEL_TRACES_SAMPLER_ARG", "nan", "is not a number from 0 to 1; 0.1 is used"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "is not otlp, console or none; otlp is used"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "udp", "is not grpc, http/protobuf or http/json; grpc is used"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "is not none; batches are not compressed"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "1", "is neither true nor false; false is used"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "is not a number from 1 to 600000; 10000 is used"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "1", "is not a number from 64 to 1000000; 2048 is used"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "is not a number from 1 to 2048; 512 is used"),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1", "is not a number from 10 to 3600000; 5000 is used"),
            ("OTEL_PROPAGATORS", "b3", "names 'b3'; tracecontext is used, and baggage passes as it is"),
            ("OTEL_SDK_DISABLED", "yes", "is neither true nor false; false is used"),
        ])
    func whatCannotBeUsedIsToldOnce(variable: String, value: String, fault: String) {
        #expect(read([variable: value]).warnings == ["\(variable) '\(value)' \(fault)."])
    }

    @Test(
        arguments: [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://c"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:0"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:secret@c:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "=secret"), ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "secret,a=secret"),
        ])
    func whatMayHoldASecretIsNotInTheWarning(variable: String, value: String) throws {
        let warnings = read([variable: value]).warnings
        #expect(warnings.count == 1)
        let fault =
            variable.hasSuffix("HEADERS")
            ? "has a part that is not like key=value; it is left out"
            : "is not like http://HOST:PORT; the collector on this machine is used"
        #expect(warnings.first == "\(variable) \(fault).")
    }

    @Test func everythingCanBeOff() {
        #expect(read(["OTEL_SDK_DISABLED": "TRUE"]).isDisabled)
        #expect(read(["OTEL_TRACES_EXPORTER": "none"]).exporter == .none)
    }

    @Test(arguments: ["", "http://", "http://a:b", "http://a:70000", "a b", "http://user@a", "a:1:2", "[::1", "[::1]x"])
    func addressesThatAreNone(text: String) {
        #expect(CollectorAddress(text) == nil)
    }

    @Test func certificatesGoTogether() throws {
        let environment = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/nowhere/key.pem",
        ])
        let error = #expect(throws: TracingCertificateError.self) { _ = try environment.tls }
        #expect(error?.description.contains("go together") == true)
        let missing = read([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem",
        ])
        let fault = #expect(throws: TracingCertificateError.self) { _ = try missing.tls }
        #expect(fault?.description.contains("'/nowhere/ca.pem' cannot be used") == true)
    }
}
