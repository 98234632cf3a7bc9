/// A named part of a scheduling pipeline, made from the configuration.
///
/// A type conforms to this and to the protocols of the places where it acts (``Filter``, ``Scorer``, ``Picker``,
/// ``ProfileHandler``, ``DataProducer``, ``PreRequest``, ``ResponseObserver``); it may act in several. One instance
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

    /// Makes a descriptor.
    public init(type: String, stability: PluginStability = .beta, summary: String) {
        self.type = type
        self.stability = stability
        self.summary = summary
    }
}
