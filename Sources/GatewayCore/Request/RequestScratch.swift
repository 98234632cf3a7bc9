/// The name and type of one piece of data that producers compute per request and scorers read.
///
/// A plugin never uses a key directly: it asks its ``PluginContext`` for a ``DataWriter`` or a ``DataReader`` while it
/// is built. So what a plugin declares and what it touches cannot differ, and a missing producer is found at start.
public struct DataKey<Value: Sendable>: Sendable {
    /// The data's type name, unique among keys, such as `PrefixCacheMatchInfo`.
    public let name: String
    /// The plugin type that is created when something requires this key and nothing produces it; `nil` for none.
    public let defaultProducer: String?

    /// Declares a key.
    public init(_ name: String, defaultProducer: String? = nil) {
        self.name = name
        self.defaultProducer = defaultProducer
    }
}

/// The right to write one slot of every request's scratch; see ``PluginContext/produce(_:as:)``.
public struct DataWriter<Value: Sendable>: Sendable {
    let slot: Int
}

/// The right to read one slot of every request's scratch; see ``PluginContext/consume(_:producer:requirement:)``.
public struct DataReader<Value: Sendable>: Sendable {
    let slot: Int
}

/// The typed slots that the plugins of one request fill and read. Owned by the request and dropped with it.
public struct RequestScratch: Sendable {
    private var slots: [(any Sendable)?]

    /// Makes empty slots; `slotCount` comes from the ``PluginContext`` that built the pipeline.
    public init(slotCount: Int) {
        slots = Array(repeating: nil, count: slotCount)
    }

    /// The value that the producer of `reader`'s key wrote; `nil` when it wrote none.
    public subscript<Value>(reader: DataReader<Value>) -> Value? {
        slots[reader.slot] as? Value
    }

    /// The value that this writer wrote earlier in the same request; `nil` when none.
    public subscript<Value>(writer: DataWriter<Value>) -> Value? {
        get { slots[writer.slot] as? Value }
        set { slots[writer.slot] = newValue }
    }
}
