import CustomPlugins
import GatewayCore
import GatewayTesting
import Testing

/// The published suite over every plugin of the package.
@Suite struct ConformanceTests {
    private static let registry: PluginRegistry = {
        var registry = PluginRegistry()
        registerCustomPlugins(in: &registry)
        return registry
    }()

    @Test(arguments: registry.typeNames)
    func everyPluginConforms(type: String) {
        let conformance = PluginConformance(
            registry: Self.registry,
            type: type,
            bodies: [Array("model\nA prompt.".utf8)]
        )
        #expect(conformance.violations() == [])
    }
}
