import GatewayCore

extension PluginConformance {
    /// Checks what acts before and after the choice: who names agents, loads and response fields.
    ///
    /// - Parameters:
    ///   - plugin: the plugin.
    ///   - endpoint: who serves.
    ///   - context: a request after the producers.
    func checkEdges(_ plugin: any Plugin, _ endpoint: EndpointSnapshot, _ context: SchedulingContext) -> [String] {
        var found: [String] = []
        if let identifier = plugin as? any AgentIdentifier { found += check(identifier) }
        if let estimator = plugin as? any LoadEstimator {
            let load = estimator.load(of: context, on: endpoint)
            if load.tokens < 0 { found.append("the load has \(load.tokens) tokens, which is not 0 or more") }
            if estimator.load(of: context, on: endpoint) != load { found.append("the load is not deterministic") }
        }
        if let processor = plugin as? any ResponseHeaderProcessor {
            let results = profiles.map { ProfileResult(profile: $0, endpoints: [endpoint]) }
            for served in [nil, endpoint.address.authority, ""] {
                let response = ServedResponse(
                    request: context.request,
                    decision: SchedulingDecision(primary: results[0], secondary: Array(results.dropFirst())),
                    scratch: context.scratch,
                    served: served
                )
                found += processor.responseFields(of: response).flatMap(Self.check)
            }
        }
        return found
    }

    private func check(_ identifier: any AgentIdentifier) -> [String] {
        let headers = [
            [], [("session-id", "")], [("session-id", "s"), ("user-agent", "agent/1"), ("session-id", "t")],
        ]
        return headers.flatMap { fields -> [String] in
            let headers = HeaderMap(fields.map { HeaderMap.Field(name: $0.0, value: $0.1) })
            let agent = identifier.agent(in: headers)
            if agent?.isEmpty == true { return ["the agent of a request is empty"] }
            return identifier.agent(in: headers) == agent ? [] : ["the agent of a request is not deterministic"]
        }
    }

    /// Whether `text` is a token of RFC 9110 (5.6.2), as names of fields are.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
                    || "!#$%&'*+-.^_`|~".unicodeScalars.contains(scalar)
            }
    }

    private static func check(_ field: HeaderMutation.Field) -> [String] {
        var found: [String] = []
        if !isToken(field.name) { found.append("'\(field.name)' is not the name of a response field") }
        if FieldValueFault(field.value) != nil {
            found.append("the value of the response field '\(field.name)' cannot stand in a header")
        }
        return found
    }
}
