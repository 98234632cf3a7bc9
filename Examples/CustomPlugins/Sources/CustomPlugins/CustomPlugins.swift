public import GatewayCore

/// Adds the plugins of this package to those that configurations may name.
@Sendable public func registerCustomPlugins(in registry: inout PluginRegistry) {
    registry.register(FreeBlocksScorer.self)
    registry.register(CooldownFilter.self)
    registry.register(PlainTextParser.self)
    registry.register(RequestBudgetDetector.self)
}
