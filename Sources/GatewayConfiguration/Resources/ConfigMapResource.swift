package import GatewayCore

/// A ConfigMap (`v1`) that body-based routing reads: a base model and adapters of it.
package struct ConfigMapResource: Sendable {
    /// The label that marks the ConfigMaps to read, and its value.
    package static let label = (name: "inference.networking.k8s.io/bbr-managed", value: "true")

    /// What identifies the map.
    package let metadata: ResourceMetadata
    /// The base model, without white space around it.
    package let baseModel: String
    /// The adapters in written order, without white space around them and without empty ones.
    package let adapters: [String]

    /// The map as ``GatewayCore/ModelMapping`` takes it.
    package var entry: ModelMapping.Entry {
        ModelMapping.Entry(source: "ConfigMap \(metadata.id)", baseModel: baseModel, adapters: adapters)
    }

    /// Reads a ConfigMap; one without the label is somebody else's, and gives `nil` and a warning.
    init?(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        guard metadata.labels[Self.label.name] == Self.label.value else {
            document.accept("data", "binaryData", "immutable")
            document.warn("is not read: it has no label \(Self.label.name): \"\(Self.label.value)\"", at: "kind")
            return nil
        }
        self.metadata = metadata
        document.accept("immutable")
        let data = document.requiredObject("data")
        let written = data.requiredString("baseModel")
        baseModel = written.trimmingWhitespace()
        if !written.isEmpty {
            if baseModel.isEmpty {
                data.report("a base model needs a name, found \(ConfigurationProblem.quoted(written))", at: "baseModel")
            } else if let fault = FieldValueFault(baseModel) {
                data.report("\(ConfigurationProblem.quoted(baseModel)) \(Self.sentence(fault))", at: "baseModel")
            }
        }
        adapters = Self.adapters(data)
    }

    private static func sentence(_ fault: FieldValueFault) -> String {
        switch fault {
        case .tooLong(let byteCount): "has \(byteCount) bytes; the limit is \(FieldValueFault.bytesMax)"
        case .controlCharacter(let byte): "has the control character \(byte), which no header field may have"
        }
    }

    /// The list in `adapters`: a text that is YAML itself. What is wrong in it is reported at the key, for positions
    /// within a text depend on how the text was written.
    private static func adapters(_ data: ParameterDecoder) -> [String] {
        guard let text = data.string("adapters") else { return [] }
        let documents: [ConfigurationValue]
        do throws(ConfigurationError) {
            documents = try YAMLDocumentReader().read(text, file: "adapters")
        } catch {
            let first = error.problems[0]
            let line = first.position.line > 0 ? " in line \(first.position.line) of the text" : ""
            data.report("the list of adapters cannot be read\(line): \(first.message)", at: "adapters")
            return []
        }
        guard let list = documents.first else { return [] }
        guard documents.count == 1, case .array(let elements) = list.content else {
            let found = documents.count == 1 ? "\(list)" : "\(documents.count) documents"
            data.report("expected a YAML list of texts within the text, found \(found)", at: "adapters")
            return []
        }
        var adapters: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let name) = element.content else {
                data.report("adapter \(index) must be text (in quotes), found \(element)", at: "adapters")
                continue
            }
            let trimmed = name.trimmingWhitespace()
            if !trimmed.isEmpty { adapters.append(trimmed) }
        }
        return adapters
    }
}
