import GatewayConfiguration
import GatewayCore
import RequestFormats

extension PluginReference {
    /// The reference as a JSON list, one line.
    package var json: String {
        var writer = JSONWriter()
        writer.beginArray()
        for plugin in plugins { Self.write(plugin, to: &writer) }
        writer.endArray()
        return String(decoding: writer.bytes, as: UTF8.self) + "\n"
    }

    private static func write(_ plugin: PluginDescription, to writer: inout JSONWriter) {
        let descriptor = plugin.descriptor
        writer.beginObject()
        writer.member("type", descriptor.type)
        writer.member("summary", descriptor.summary)
        writer.member("stability", descriptor.stability.rawValue)
        writer.member("deprecation", descriptor.deprecation)
        writer.member("obstacle", descriptor.obstacle)
        writer.member("same_as", plugin.canonicalType)
        writer.field("acts_as", plugin.kinds.map(\.rawValue))
        writer.field("produces", plugin.produces)
        writer.key("reads")
        writer.beginArray()
        for need in plugin.needs {
            writer.beginObject()
            writer.member("data", need.data)
            writer.member("producer", need.producer)
            writer.field("required", need.isRequired)
            writer.endObject()
        }
        writer.endArray()
        writer.key("parameters")
        write(plugin.parameters, to: &writer)
        writer.endObject()
    }

    private static func write(_ schema: ParameterSchema, to writer: inout JSONWriter) {
        writer.beginArray()
        for field in schema.fields {
            writer.beginObject()
            writer.member("key", field.key)
            write(field.kind, to: &writer)
            writer.field("required", field.isRequired)
            writer.member("default", field.fallback)
            writer.member("minimum", field.minimum)
            writer.member("maximum", field.maximum)
            writer.field("has_effect", field.hasEffect)
            writer.endObject()
        }
        writer.endArray()
    }

    /// Writes the members that say what a value is.
    private static func write(_ kind: ParameterSchema.Kind, to writer: inout JSONWriter) {
        writer.member("kind", kind.phrase)
        switch kind {
        case .choice(let names): writer.field("choices", names)
        case .object(let schema), .list(.object(let schema)):
            writer.key("parameters")
            write(schema, to: &writer)
        default: break
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ text: String?) {
        guard let text else { return }
        key(name)
        string(text)
    }

    /// A scalar; nothing when there is none.
    fileprivate mutating func member(_ name: String, _ value: ConfigurationValue?) {
        guard let value else { return }
        key(name)
        switch value.content {
        case .bool(let flag): boolean(flag)
        case .int(let number): integer(Int(clamping: number))
        case .double(let number): double(number)
        case .string(let text): string(text)
        case .null, .array, .object: null()
        }
    }
}
