import GatewayCore

extension [EndpointPickerConfiguration.Plugin] {
    /// The plugins, each behind those that its parameters refer to, and otherwise in their order. References to plugins
    /// that do not exist, and plugins that refer to each other in a circle, go into `problems`.
    func orderedByReference(registry: PluginRegistry, problems: inout ProblemList) -> Self {
        var ordered: Self = []
        var open: [String] = []
        var done: Set<String> = []
        for plugin in self {
            visit(plugin, registry: registry, open: &open, done: &done, into: &ordered, problems: &problems)
        }
        return ordered
    }

    /// Appends `plugin` behind what it refers to; `open` has the plugins on the way to it.
    private func visit(
        _ plugin: Element,
        registry: PluginRegistry,
        open: inout [String],
        done: inout Set<String>,
        into ordered: inout Self,
        problems: inout ProblemList
    ) {
        guard !done.contains(plugin.name) else { return }
        let place = Place(position: plugin.position, path: plugin.path)
        if open.contains(plugin.name) {
            let circle = (open.drop { $0 != plugin.name } + [plugin.name]).map { "'\($0)'" }
            problems.report("the plugins refer to each other: \(circle.joined(separator: " → "))", at: place)
            return
        }
        open.append(plugin.name)
        let referring = registry[plugin.type]?.type as? any ReferringPlugin.Type
        for name in referring?.references(in: plugin.parameters) ?? [] {
            if let other = first(where: { $0.name == name }) {
                visit(other, registry: registry, open: &open, done: &done, into: &ordered, problems: &problems)
            } else {
                problems.report(
                    "no plugin is called '\(name)', which '\(plugin.name)' refers to",
                    at: place,
                    suggestion: NearestName.find(name, in: map(\.name))
                )
            }
        }
        open.removeLast()
        done.insert(plugin.name)
        ordered.append(plugin)
    }
}
