import GatewayCore

/// Tells the proxy in front a number that an expression makes of each response's token usage, so that the proxy can
/// count, limit or log what a request has cost.
struct RequestAttributeReporter: ResponseReporter {
    static let descriptor = PluginDescriptor(
        type: "request-attribute-reporter",
        summary: "Tells the proxy a number made of the response's token usage, as dynamic metadata."
    )

    private let namespace: String
    private let name: String
    private let expression: CELExpression?
    private let condition: CELExpression?

    /// Reads `attributes`, a list of one entry: `key` (`namespace`, `name`), `expression`, `condition`.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let attributes = parameters.objects("attributes")
        if attributes.count != 1 {
            parameters.report("exactly one entry is needed, found \(attributes.count)", at: "attributes")
        }
        guard let attribute = attributes.first else {
            (namespace, name, expression, condition) = ("", "", nil, nil)
            return
        }
        let key = attribute.requiredObject("key")
        let namespace = key.string("namespace", default: "")
        self.namespace = namespace.isEmpty ? "envoy.lb" : namespace
        name = key.requiredString("name")
        expression = Self.expression("expression", attribute.requiredString("expression"), attribute) { type in
            type.isNumber ? nil : "must give a number, not \(type.name)"
        }
        condition = Self.expression("condition", attribute.string("condition", default: ""), attribute) { type in
            type.canBeBool ? nil : "must give bool, not \(type.name)"
        }
    }

    /// The expression at `key`; `nil` when there is none or it is wrong, which is reported.
    private static func expression(
        _ key: String,
        _ text: String,
        _ attribute: ParameterDecoder,
        objection: (CELType) -> String?
    ) -> CELExpression? {
        guard !text.isEmpty else { return nil }
        do throws(CELFault) {
            let expression = try CELExpression(text)
            if let objection = objection(expression.type) {
                attribute.report("\(objection): '\(text)'", at: key)
            }
            for field in expression.absentFields {
                attribute.warn("no response has \(field), so that nothing is reported where it is read", at: key)
            }
            return expression
        } catch {
            attribute.report("\(error)", at: key)
            return nil
        }
    }

    func report(_ usage: TokenUsage, of request: InferenceRequest) -> [ReportedNumber] {
        if let condition, condition.value(for: usage) != .bool(true) { return [] }
        guard let number = expression?.value(for: usage)?.wholeNumber, number != 0 else { return [] }
        return [ReportedNumber(namespace: namespace, name: name, value: number)]
    }
}
