// swift-tools-version: 6.2

import PackageDescription

// Plugins of one's own, and a gateway that has them: docs/write-a-plugin.md goes through it.
let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

let package = Package(
    name: "custom-plugins",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "martlet", path: "../..")
    ],
    targets: [
        .executableTarget(
            name: "my-gateway",
            dependencies: ["CustomPlugins", .product(name: "MartletCommands", package: "martlet")],
            swiftSettings: settings
        ),
        .target(
            name: "CustomPlugins",
            dependencies: [.product(name: "GatewayCore", package: "martlet")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "CustomPluginsTests",
            dependencies: ["CustomPlugins", .product(name: "GatewayTesting", package: "martlet")],
            swiftSettings: settings
        ),
    ]
)
