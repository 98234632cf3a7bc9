// swift-tools-version: 6.2

import PackageDescription

// The instruments of `make bench-serve`: a load generator and a backend that answer for as little CPU as they can,
// so that the machine's time goes to the proxy under test. A package of its own: the product never builds it.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")

let package = Package(
    name: "martlet-benchmarks",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "loadgen", targets: ["loadgen"]),
        .executable(name: "backend", targets: ["backend"]),
        .executable(name: "pagereader", targets: ["pagereader"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0")
    ],
    targets: [
        .target(name: "Workload", dependencies: [nioCore], swiftSettings: settings),
        .executableTarget(
            name: "loadgen",
            dependencies: ["Workload", nioCore, nioPosix, nioHTTP1],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "backend",
            dependencies: ["Workload", nioCore, nioPosix, nioHTTP1],
            swiftSettings: settings
        ),
        .executableTarget(name: "pagereader", dependencies: [nioCore, nioPosix], swiftSettings: settings),
        .testTarget(name: "WorkloadTests", dependencies: ["Workload", nioCore], swiftSettings: settings),
    ]
)
