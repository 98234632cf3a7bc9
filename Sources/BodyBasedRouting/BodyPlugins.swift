import GatewayCore
import RequestFormats
import Telemetry

/// One step of body-based routing: makes a header field of a field of the body.
protocol BodyPlugin: Sendable {
    /// The type's name in the configuration.
    static var type: String { get }
    /// The top-level field of the body that it reads.
    var field: String { get }
    /// The header field that it sets.
    var header: String { get }

    /// Reads the parameters; the catalogue refuses those that it does not read.
    init(parameters: ParameterDecoder)

    /// Sets the header field, or leaves it.
    ///
    /// - Throws: ``Rejection`` when the request must not go on.
    func process(
        _ values: FieldValues,
        mapping: ModelMapping,
        metrics: BodyRoutingMetrics,
        changes: inout RoutingHeaders
    ) throws(Rejection)
}

/// The types of plugins. Adding one is one line here.
enum BodyPluginCatalogue {
    private static let makers: [(type: String, make: @Sendable (ParameterDecoder) -> any BodyPlugin)] = [
        (BodyFieldToHeader.type, { BodyFieldToHeader(parameters: $0) }),
        (BaseModelToHeader.type, { BaseModelToHeader(parameters: $0) }),
    ]

    /// Makes a plugin.
    ///
    /// - Throws: `ConfigurationError` for an unknown type, or for everything that is wrong with the parameters.
    static func make(_ specification: PluginSpecification) throws(ConfigurationError) -> any BodyPlugin {
        let value = specification.parameters ?? ConfigurationValue(.object([]), at: specification.position)
        let decoder = ParameterDecoder(value: value)
        guard let maker = makers.first(where: { $0.type == specification.type }) else {
            let names = makers.map(\.type)
            throw decoder.error(
                "unknown plugin type \(ConfigurationProblem.quoted(specification.type)); known are "
                    + names.joined(separator: ", "),
                candidates: names,
                value: specification.type
            )
        }
        let plugin = maker.make(decoder)
        try decoder.finish()
        return plugin
    }
}

/// `body-field-to-header`: sets a header field to the value of a field of the body, whatever its type.
struct BodyFieldToHeader: BodyPlugin {
    static let type = "body-field-to-header"

    let field: String
    let header: String

    /// Reads `fieldName` and `headerName`.
    init(parameters: ParameterDecoder) {
        field = parameters.requiredString("fieldName")
        header = parameters.requiredString("headerName")
        guard !header.isEmpty else { return }
        if !header.isFieldToken {
            parameters.report("\(ConfigurationProblem.quoted(header)) is no name of a header field", at: "headerName")
        } else if Self.reserved.contains(header.lowercased()) {
            let message = "\(ConfigurationProblem.quoted(header)) says how the message is read and cannot be set"
            parameters.report(message, at: "headerName")
        }
    }

    /// The fields that frame a message or belong to one connection: set from a body, they would let a client smuggle
    /// requests.
    private static let reserved: Set<String> = [
        "connection", "content-encoding", "content-length", "content-type", "host", "keep-alive", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade",
    ]

    func process(
        _ values: FieldValues,
        mapping: ModelMapping,
        metrics: BodyRoutingMetrics,
        changes: inout RoutingHeaders
    ) throws(Rejection) {
        switch values[field] {
        case nil:
            metrics.fieldNotFound.child(field).increment()
        case .tooLong:
            throw refusal("has more than \(FieldValueFault.bytesMax) bytes, the limit of a header field")
        case .text(let text):
            if text.isEmpty {
                metrics.fieldEmpty.child(field).increment()
            } else if let fault = FieldValueFault(text) {
                switch fault {
                case .tooLong(let byteCount):
                    throw refusal("has \(byteCount) bytes; the limit is \(FieldValueFault.bytesMax)")
                case .controlCharacter(let byte):
                    throw refusal("has the control character \(byte), which no header field may have")
                }
            } else {
                changes.set(header, text)
            }
        }
    }

    private func refusal(_ fault: String) -> Rejection {
        Rejection(.invalidRequest, "The value of the field '\(field)' \(fault).", parameter: field)
    }
}

/// `base-model-to-header`: sets `X-Gateway-Base-Model-Name` to the base model of the body's model. It is set to nothing
/// when nobody knows the model.
struct BaseModelToHeader: BodyPlugin {
    static let type = "base-model-to-header"

    let field = "model"
    let header = HeaderNames.baseModelName

    /// It has no parameters.
    init(parameters: ParameterDecoder) {}

    func process(
        _ values: FieldValues,
        mapping: ModelMapping,
        metrics: BodyRoutingMetrics,
        changes: inout RoutingHeaders
    ) throws(Rejection) {
        guard let value = values[field] else { return }
        guard case .text(let model) = value else { return changes.set(header, "") }
        if !model.isEmpty { changes.set(header, mapping.baseModel(of: model) ?? "") }
    }
}
