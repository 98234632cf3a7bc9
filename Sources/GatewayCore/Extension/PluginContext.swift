/// What a plugin may ask of the gateway while it is built.
///
/// It hands out the rights to per-request data and remembers who asked, so that the builder can check that every
/// required key has a producer.
public struct PluginContext: Sendable {
    /// Whether a consumer can do without the data.
    public enum Requirement: Sendable {
        /// The start fails when nothing produces the data.
        case required
        /// Without a producer the reader finds nothing.
        case optional
        /// Like ``optional``, for data that only makes better what the plugin does: that nothing produces it is nothing
        /// to warn of.
        case ifProduced
    }

    /// A declared use of data.
    package struct Declaration: Sendable {
        /// The plugin's name.
        package let plugin: String
        /// `Type/producer`.
        package let key: String
        /// The key's default producer type; `nil` for none.
        package let defaultProducer: String?
        /// The slot in the scratch.
        package let slot: Int
        /// Whether the plugin can do without.
        package let requirement: Requirement
    }

    /// A declared use of an attribute of endpoints.
    package struct AttributeDeclaration: Sendable {
        /// The plugin's name.
        package let plugin: String
        /// `name/producer`; see ``EndpointSnapshot/attributes``.
        package let key: String
    }

    /// A scheduling profile that a plugin's parameters name.
    package struct ProfileReference: Sendable {
        /// The plugin's name.
        package let plugin: String
        /// The parameter that names the profile.
        package let parameter: String
        /// The profile's name.
        package let profile: String
    }

    /// The name of the plugin that is being built.
    public internal(set) var pluginName = ""
    /// The clock of the process.
    public let clock: any MonotonicClock
    /// What was declared to be read, in order.
    package private(set) var consumed: [Declaration] = []
    /// What was declared to be written, in order.
    package private(set) var produced: [Declaration] = []
    /// The attributes of endpoints that were declared to be read, in order.
    package private(set) var consumedAttributes: [AttributeDeclaration] = []
    /// The profiles that parameters name, in order.
    package private(set) var profileReferences: [ProfileReference] = []
    private var slots: [String: Int] = [:]
    private var made: [String: any Plugin] = [:]
    private var sharedObjects: [String: any Sendable] = [:]

    /// Makes a context for building one pipeline.
    public init(clock: any MonotonicClock) {
        self.clock = clock
    }

    /// How many slots a request's scratch needs.
    public var slotCount: Int { slots.count }

    /// Declares that the plugin being built writes `key`.
    ///
    /// - Parameters:
    ///   - key: the data.
    ///   - producer: the name that readers know the producer by; `nil` for the plugin's own. For data whose readers do
    ///     not choose among producers.
    public mutating func produce<Value>(_ key: DataKey<Value>, as producer: String? = nil) -> DataWriter<Value> {
        let text = "\(key.name)/\(producer ?? pluginName)"
        let slot = slot(for: text)
        produced.append(
            Declaration(plugin: pluginName, key: text, defaultProducer: nil, slot: slot, requirement: .required)
        )
        return DataWriter(slot: slot)
    }

    /// Declares that the plugin being built reads `key` as written by the plugin called `producer`; without a name, by
    /// the key's default producer.
    public mutating func consume<Value>(
        _ key: DataKey<Value>,
        producer: String? = nil,
        requirement: Requirement = .required
    ) -> DataReader<Value> {
        let text = "\(key.name)/\(producer ?? key.defaultProducer ?? "")"
        let slot = slot(for: text)
        consumed.append(
            Declaration(
                plugin: pluginName,
                key: text,
                defaultProducer: producer == nil || producer == key.defaultProducer ? key.defaultProducer : nil,
                slot: slot,
                requirement: requirement
            )
        )
        return DataReader(slot: slot)
    }

    /// Declares that the plugin being built reads `key` as written by the plugin that `parameters` name at `parameter`;
    /// where they name none, by the key's default producer.
    public mutating func consume<Value>(
        _ key: DataKey<Value>,
        producerNamedAt parameter: String,
        in parameters: ParameterDecoder,
        requirement: Requirement = .required
    ) -> DataReader<Value> {
        let producer = parameters.string(parameter, default: "")
        return consume(key, producer: producer.isEmpty ? nil : producer, requirement: requirement)
    }

    /// Declares that `parameters` name a scheduling profile at `parameter`, where they do: whoever builds the pipeline
    /// warns when it has no profile of that name.
    public mutating func refersToProfile(namedAt parameter: String, in parameters: ParameterDecoder) {
        let profile = parameters.string(parameter, default: "")
        guard !profile.isEmpty else { return }
        profileReferences.append(ProfileReference(plugin: pluginName, parameter: parameter, profile: profile))
    }

    /// Declares that the plugin being built reads the attribute `key`, `name/producer`, of endpoints. The start fails
    /// when no ``MetricsExtractor`` and no ``AttributeExtractor`` fills it.
    public mutating func consumeAttribute(_ key: String) {
        consumedAttributes.append(AttributeDeclaration(plugin: pluginName, key: key))
    }

    /// The plugin called `name`, when it was made already and acts as a `Role`; else `nil`. A ``ReferringPlugin`` finds
    /// those that its parameters name.
    public func plugin<Role>(named name: String, as role: Role.Type = Role.self) -> Role? {
        made[name] as? Role
    }

    /// The object of this type that the plugins of the pipeline share under `name`; the first one that asks makes it.
    ///
    /// For plugins of one feature that act on one state. The name has everything that the state depends on, such as the
    /// parameters that must be equal.
    public mutating func shared<Object: AnyObject & Sendable>(_ name: String, make: () -> Object) -> Object {
        let key = "\(Object.self) \(name)"
        if let known = sharedObjects[key] as? Object { return known }
        let object = make()
        sharedObjects[key] = object
        return object
    }

    /// Notes a plugin for those that refer to it.
    mutating func note(_ plugin: any Plugin, named name: String) {
        made[name] = plugin
    }

    private mutating func slot(for key: String) -> Int {
        if let known = slots[key] { return known }
        let slot = slots.count
        slots[key] = slot
        return slot
    }
}
