/// The plugin types that a configuration can name. A value made from an explicit list: no global, no side effects.
public struct PluginRegistry: Sendable {
    /// One registered type.
    public struct Entry: Sendable {
        /// What is known of the type.
        public let descriptor: PluginDescriptor
        /// The type, whose conformances tell where its instances can act.
        package let type: any Plugin.Type
        let make: @Sendable (ParameterDecoder, inout PluginContext) throws -> any Plugin
    }

    /// The registered types in the order of registration.
    public private(set) var entries: [Entry] = []

    /// Makes an empty registry.
    public init() {}

    /// Adds a type. Registering a name twice is a fault of the program.
    public mutating func register<Type: Plugin>(_ type: Type.Type) {
        register(type, descriptor: type.descriptor)
    }

    /// Adds another name of a type, by which older configurations know it.
    ///
    /// - Parameters:
    ///   - type: the type.
    ///   - alias: the other name.
    ///   - stability: the stability under this name; `nil` for the type's own.
    ///   - isDeprecated: whether configurations are told to write the type's own name.
    public mutating func register<Type: Plugin>(
        _ type: Type.Type,
        as alias: String,
        stability: PluginStability? = nil,
        isDeprecated: Bool = true
    ) {
        let own = type.descriptor
        let descriptor = PluginDescriptor(
            type: alias,
            stability: stability ?? own.stability,
            summary: own.summary,
            deprecation: isDeprecated ? own.deprecation ?? "use \(own.type)" : nil,
            obstacle: own.obstacle
        )
        register(type, descriptor: descriptor)
    }

    private mutating func register<Type: Plugin>(_ type: Type.Type, descriptor: PluginDescriptor) {
        precondition(self[descriptor.type] == nil, "plugin type '\(descriptor.type)' is registered twice")
        entries.append(
            Entry(descriptor: descriptor, type: type) { parameters, context in
                try type.init(parameters: parameters, context: &context)
            }
        )
    }

    /// Adds a type that configurations may name and that this release does not have: building a pipeline with it fails
    /// with the descriptor's obstacle.
    public mutating func registerUnavailable(_ descriptor: PluginDescriptor) {
        precondition(self[descriptor.type] == nil, "plugin type '\(descriptor.type)' is registered twice")
        let why = descriptor.obstacle ?? "this release does not have it"
        entries.append(
            Entry(descriptor: descriptor, type: UnavailablePlugin.self) { parameters, _ in
                throw parameters.error("plugin type '\(descriptor.type)' cannot be used: \(why)")
            }
        )
    }

    /// The type called `name`; `nil` when there is none.
    public subscript(name: String) -> Entry? {
        entries.first { $0.descriptor.type == name }
    }

    /// All type names in the order of registration.
    public var typeNames: [String] { entries.map(\.descriptor.type) }

    /// Makes a plugin called `name` of type `type`.
    ///
    /// - Throws: ``ConfigurationError`` for an unknown type, a bad parameter or an unknown parameter.
    public func make(
        type: String,
        name: String,
        parameters: ParameterDecoder,
        context: inout PluginContext
    ) throws -> any Plugin {
        guard let entry = self[type] else {
            throw parameters.error(
                "plugin type '\(type)' is not registered",
                candidates: typeNames,
                value: type
            )
        }
        context.pluginName = name
        let plugin = try entry.make(parameters, &context)
        try parameters.finish()
        context.note(plugin, named: name)
        return plugin
    }
}

/// Stands for the types that a release does not have; it has no instances.
private enum UnavailablePlugin: Plugin {
    static let descriptor = PluginDescriptor(type: "", summary: "")

    init(parameters: ParameterDecoder, context: inout PluginContext) throws {
        throw parameters.error("the plugin cannot be used")
    }
}
