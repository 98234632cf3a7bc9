// swift-tools-version: 6.2

import PackageDescription

// Settings of every target. `NonisolatedNonsendingByDefault` is on: a nonisolated async function runs where its
// caller runs unless it says otherwise (docs/decisions/0001-language-settings.md).
// `make test` sets MARTLET_STRICT: a warning is an error in CI, and only a warning under a compiler not met yet.
let strict: [SwiftSetting] = Context.environment["MARTLET_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]
let language: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]
let settings = language + [.enableUpcomingFeature("MemberImportVisibility")] + strict

let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

// In a static build the compiler takes members of the C library's structs for CoreFoundation's where a dependency
// imports Foundation, and would have that imported. scripts/check-imports looks at the imports of these targets too.
let withoutMemberImports = language + strict

/// A product target under `Sources/`.
func room(
    _ name: String,
    _ ours: [String],
    _ outside: [Target.Dependency] = [],
    settings: [SwiftSetting] = settings
) -> Target {
    .target(name: name, dependencies: ours.map { .byName(name: $0) } + outside, swiftSettings: settings)
}

/// A test target under `Tests/`.
func tests(
    _ name: String,
    _ ours: [String],
    _ outside: [Target.Dependency] = [],
    exclude: [String] = []
) -> Target {
    .testTarget(
        name: name,
        dependencies: ours.map { .byName(name: $0) } + outside,
        exclude: exclude,
        swiftSettings: settings
    )
}

/// What tests of a request's way are made of.
let requestPath = [
    "BuiltinPlugins", "DataLayer", "FlowControl", "GatewayCore", "GatewayTesting", "RequestControl", "RequestFormats",
    "Scheduling", "Telemetry",
]
/// What tests of the proxy talk to it with.
let proxyPeers = [nioCore, nioPosix, nioHTTP1, nioHTTP2, nioEmbedded, nioSSL]

let package = Package(
    name: "martlet",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .library(name: "GatewayCore", targets: ["GatewayCore"]),
        .library(name: "GatewayTesting", targets: ["GatewayTesting"]),
        .library(name: "MartletCommands", targets: ["MartletCommands"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.0.0"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.17.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess.git", from: "1.0.0", traits: []),
    ],
    targets: [
        // In reading order: the order of a request. Arrows point down only; scripts/check-imports holds the same table.
        .executableTarget(name: "martlet", dependencies: ["MartletCommands"], swiftSettings: settings),
        room(
            "MartletCommands",
            ["BuiltinPlugins", "GatewayCore", "LoadGenerator", "MartletApp", "ModelServerSimulator", "RequestControl"],
            [.product(name: "ArgumentParser", package: "swift-argument-parser")]
        ),
        room(
            "MartletApp",
            [
                "BodyBasedRouting", "BuiltinPlugins", "CAllocator", "CDashboardPage", "DataLayer", "EngineClient",
                "ExtProcProto", "ExtProcServer", "FlowControl",
                "GatewayConfiguration", "GatewayCore", "KubernetesClient", "KubernetesDiscovery", "LoadGenerator",
                "ModelServerSimulator", "OpenTelemetryExport",
                "RequestControl", "RequestFormats", "ReverseProxy", "Scheduling", "Telemetry",
            ],
            [
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                asn1, crypto, logging, nioCore, nioPosix, nioHTTP1, nioSSL, x509,
            ],
            settings: withoutMemberImports
        ),
        room(
            "ExtProcServer",
            [
                "BodyBasedRouting", "ExtProcProto", "GatewayCore", "HTTP2Engine", "RequestControl", "Telemetry",
                "Transport",
            ],
            [nioCore, nioPosix, nioHTTP2, nioSSL]
        ),
        room(
            "ReverseProxy", ["HTTP1Messages", "Transport", "GatewayCore", "RequestControl", "Telemetry"],
            [nioCore, nioPosix, nioHTTP1, nioHTTP2, nioSSL, nioTLS]
        ),
        room(
            "KubernetesDiscovery", ["GatewayConfiguration", "GatewayCore", "KubernetesClient"], [logging]
        ),
        room(
            "KubernetesClient", [], [asyncHTTPClient, logging, nioCore, nioPosix, nioSSL, nioHTTP1, subprocess, yams]
        ),
        room(
            "OpenTelemetryExport", ["Telemetry"],
            [asyncHTTPClient, logging, nioCore, nioPosix, nioHTTP1, nioHTTP2, nioSSL]
        ),
        room("Transport", ["GatewayCore"], [nioCore, nioPosix]),
        room("EngineClient", ["HTTP1Messages", "Transport", "GatewayCore"], [nioCore, nioPosix, nioSSL]),
        room("HTTP1Messages", ["GatewayCore"], [nioCore]),
        room(
            "RequestControl", ["DataLayer", "FlowControl", "GatewayCore", "RequestFormats", "Scheduling", "Telemetry"]
        ),
        room("BodyBasedRouting", ["GatewayCore", "RequestFormats", "Telemetry"]),
        room("Scheduling", ["GatewayCore", "Telemetry"]),
        room("FlowControl", ["GatewayCore", "Telemetry"], [deque, heap]),
        room("DataLayer", ["GatewayCore", "Telemetry"]),
        room("BuiltinPlugins", ["GatewayCore", "PrefixIndex", "RequestFormats"]),
        room("GatewayConfiguration", ["GatewayCore"], [yams]),
        room("GatewayCore", []),
        room("RequestFormats", ["CStringScan"]),
        room("PrefixIndex", []),
        room("ExtProcProto", []),
        room("HTTP2Engine", []),
        room("Telemetry", []),
        .target(name: "CAllocator"),
        .target(name: "CDashboardPage", exclude: ["page"]),
        .target(name: "CStringScan"),
        room("ModelServerSimulator", ["Telemetry"], [nioCore, nioPosix, nioHTTP1]),
        room("LoadGenerator", ["GatewayCore", "HTTP1Messages", "RequestFormats"], [nioCore, nioPosix, nioSSL]),
        room(
            "GatewayTesting",
            ["DataLayer", "FlowControl", "GatewayCore", "RequestControl", "Scheduling", "Telemetry"],
            [nioCore, nioPosix, nioHTTP1, nioHTTP2, nioSSL]
        ),
        .executableTarget(
            name: "scripted-kubernetes-api", dependencies: ["GatewayTesting"], swiftSettings: settings
        ),
        room(
            "Simulator",
            [
                "BuiltinPlugins", "DataLayer", "FlowControl", "GatewayConfiguration", "GatewayCore", "GatewayTesting",
                "ModelServerSimulator", "RequestControl", "RequestFormats", "Scheduling", "Telemetry",
            ],
            [heap]
        ),
        .executableTarget(name: "simulate", dependencies: ["Simulator"], swiftSettings: settings),
        tests("GatewayCoreTests", ["GatewayCore"]),
        tests(
            "RequestFormatsTests", ["RequestFormats"],
            exclude: ["Fixtures/grpc.json", "Fixtures/make-grpc-fixtures.py"]
        ),
        tests("PrefixIndexTests", ["PrefixIndex"]),
        tests("ExtProcProtoTests", ["ExtProcProto"], exclude: ["Fixtures"]),
        tests("HTTP2EngineTests", ["HTTP2Engine"], [nioCore, nioEmbedded, nioHTTP2], exclude: ["Fixtures"]),
        tests("TelemetryTests", ["Telemetry"], exclude: ["Fixtures"]),
        tests("GatewayConfigurationTests", ["BuiltinPlugins", "GatewayConfiguration", "GatewayCore"]),
        tests("BodyBasedRoutingTests", ["BodyBasedRouting", "GatewayCore", "RequestFormats", "Telemetry"]),
        tests("FlowControlTests", ["FlowControl", "GatewayCore", "GatewayTesting", "Telemetry"]),
        tests("SchedulingTests", ["GatewayCore", "GatewayTesting", "Scheduling", "Telemetry"]),
        tests(
            "BuiltinPluginsTests",
            ["BuiltinPlugins", "GatewayCore", "GatewayTesting", "PrefixIndex", "RequestFormats", "Scheduling"]
        ),
        tests(
            "DataLayerTests", ["DataLayer", "GatewayCore", "GatewayTesting", "Telemetry"], exclude: ["Fixtures"]
        ),
        tests(
            "EngineClientTests", ["EngineClient", "GatewayCore"], [nioCore, nioPosix, nioSSL],
            exclude: ["Fixtures"]
        ),
        tests(
            "KubernetesClientTests", ["GatewayTesting", "KubernetesClient"],
            [logging, nioCore, nioPosix, nioHTTP1, nioSSL]
        ),
        tests(
            "KubernetesDiscoveryTests",
            ["GatewayConfiguration", "GatewayCore", "GatewayTesting", "KubernetesClient", "KubernetesDiscovery"],
            [logging, nioPosix]
        ),
        tests(
            "OpenTelemetryExportTests", ["OpenTelemetryExport", "Telemetry"], [logging, nioCore, nioEmbedded]
        ),
        tests("ModelServerSimulatorTests", ["ModelServerSimulator"], [nioCore, nioPosix, nioHTTP1]),
        tests(
            "LoadGeneratorTests", ["GatewayCore", "LoadGenerator", "ModelServerSimulator", "RequestFormats"],
            [nioCore, nioEmbedded, nioPosix]
        ),
        tests("RequestControlTests", requestPath),
        tests("ReverseProxyTests", requestPath + ["HTTP1Messages", "ReverseProxy"], proxyPeers),
        tests(
            "ExtProcServerTests", requestPath + ["ExtProcProto", "ExtProcServer"], [nioCore, nioPosix, nioEmbedded]),
        tests("BehaviourTests", requestPath + ["ExtProcServer", "GatewayConfiguration", "ReverseProxy"], proxyPeers),
        tests("SimulatorTests", requestPath + ["GatewayConfiguration", "ModelServerSimulator", "Simulator"]),
        tests(
            "MartletAppTests",
            requestPath + [
                "BodyBasedRouting", "EngineClient", "ExtProcProto", "GatewayConfiguration", "KubernetesClient",
                "KubernetesDiscovery", "LoadGenerator", "MartletApp",
            ],
            [asn1, crypto, logging, nioCore, nioEmbedded, nioHTTP1, nioPosix, nioSSL, nioTLS, x509],
            exclude: ["Check/Golden"]
        ),
    ]
)

// These benchmarks need what only this package may see; nobody builds them without asking for them.
if Context.environment["MARTLET_BENCHMARKS"] != nil {
    package.targets += [
        .target(name: "AllocationCount", path: "Benchmarks/picker/AllocationCount"),
        .executableTarget(
            name: "PickerBenchmark",
            dependencies: [
                "AllocationCount", "BuiltinPlugins", "DataLayer", "GatewayConfiguration", "GatewayCore",
                "RequestControl", "Scheduling", "Telemetry",
            ],
            path: "Benchmarks/picker/PickerBenchmark",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "FlowBenchmark",
            dependencies: [
                "AllocationCount", "BuiltinPlugins", "DataLayer", "FlowControl", "GatewayConfiguration", "GatewayCore",
                "RequestControl", "Scheduling", "Telemetry",
            ],
            path: "Benchmarks/flow/FlowBenchmark",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "TelemetryBenchmark",
            dependencies: ["AllocationCount", "Telemetry"],
            path: "Benchmarks/telemetry/TelemetryBenchmark",
            swiftSettings: settings
        ),
    ]
}
