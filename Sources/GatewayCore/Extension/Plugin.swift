/// A named part of a scheduling pipeline, made from the configuration.
///
/// A type conforms to this and to the protocols of the places where it acts (``Filter``, ``Scorer``, ``Picker``,
/// ``ProfileHandler``, ``DataProducer``, ``PreRequest``, ``ResponseObserver``, …); it may act in several. One instance
/// serves every request of a pool from any thread, so its state must be `Sendable`.
public protocol Plugin: Sendable {
    /// The type's name in the configuration, its stability and what it does.
    static var descriptor: PluginDescriptor { get }

    /// Makes the plugin from its parameters.
    ///
    /// - Parameters:
    ///   - parameters: the plugin's `parameters` block; read every key that the plugin knows, the builder refuses the
    ///     rest.
    ///   - context: declares the data that the plugin reads and writes.
    /// - Throws: ``ConfigurationError`` for a bad parameter.
    init(parameters: ParameterDecoder, context: inout PluginContext) throws
}

/// A plugin whose parameters name other plugins. Those are made first.
public protocol ReferringPlugin: Plugin {
    /// The names of the plugins that `parameters` refer to. Whatever else is wrong with the parameters is reported by
    /// the initialiser.
    static func references(in parameters: ConfigurationValue?) -> [String]
}

/// How much a plugin's behaviour and parameters may still change.
public enum PluginStability: String, Sendable, CaseIterable {
    /// May change or go in any release; needs `--allow-experimental-plugins`.
    case alpha
    /// Kept, with a migration path when it must change.
    case beta
    /// Kept.
    case stable
}

/// What the registry and the documentation know of a plugin type.
public struct PluginDescriptor: Sendable {
    /// The type's name in the configuration, such as `queue-scorer`.
    public let type: String
    /// How stable it is.
    public let stability: PluginStability
    /// One sentence for the plugin list.
    public let summary: String
    /// Why the type should not be used any more and what to write instead, without a full stop, such as
    /// `use label-selector-filter`; `nil` when it may.
    public let deprecation: String?
    /// Why the type cannot be used in this release, without a full stop; `nil` when it can.
    public let obstacle: String?

    /// Makes a descriptor.
    public init(
        type: String,
        stability: PluginStability = .beta,
        summary: String,
        deprecation: String? = nil,
        obstacle: String? = nil
    ) {
        self.type = type
        self.stability = stability
        self.summary = summary
        self.deprecation = deprecation
        self.obstacle = obstacle
    }
}
