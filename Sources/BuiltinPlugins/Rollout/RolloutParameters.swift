import GatewayCore

/// The parameters of `disaggregatedset-rollout-screener`.
struct RolloutParameters: Sendable {
    /// A label that a request header chooses endpoints by, and that responses tell in the same header.
    struct HeaderSelector: Sendable {
        /// Whether a request that has the header goes nowhere else.
        let isStrict: Bool
        /// The header, in lower case.
        let header: String
        /// The label's key.
        let label: String
    }

    /// How the weight of a revision follows from its endpoints.
    enum Weighting: Sendable {
        /// All endpoints of the required roles.
        case sum
        /// Those of the role that has the most endpoints in all revisions together.
        case largestRole
    }

    /// How revisions are told apart and weighed.
    struct Gating: Sendable {
        /// How much traffic a revision gets.
        let weighting: Weighting
        /// The roles that a revision needs at least one endpoint of; not empty.
        let roles: [String]
    }

    /// The endpoints that count for a revision.
    let scope: LabelSelector
    /// The headers, in order; names differ.
    let selectors: [HeaderSelector]
    /// The label that names an endpoint's revision.
    let revisionLabel: String
    /// The label that names an endpoint's role.
    let roleLabel: String
    /// What makes a revision fit for traffic; `nil` when every one is.
    let gating: Gating?

    private enum SelectorMode: String, CaseIterable {
        case strict, prefer
    }

    private enum GatingMode: String, CaseIterable {
        case sum
        case maxRole = "max-role"
        case disabled
    }

    /// Reads `scope`, `headerSelectors` and `revisionGating`; see docs/configuration.md.
    init(_ parameters: ParameterDecoder) {
        scope = Self.scope(parameters.requiredObject("scope"))
        selectors = Self.selectors(parameters)
        let gating = parameters.requiredObject("revisionGating")
        func label(_ key: String, default fallback: String) -> String {
            let label = gating.string(key, default: fallback)
            return label.isEmpty ? fallback : label
        }
        revisionLabel = label("revisionLabelKey", default: "disaggregatedset.x-k8s.io/revision")
        roleLabel = label("roleLabelKey", default: "disaggregatedset.x-k8s.io/role")
        self.gating = Self.gating(gating)
    }

    private static func scope(_ scope: ParameterDecoder) -> LabelSelector {
        let text = scope.requiredString("labelSelector")
        do throws(LabelSelector.SyntaxError) {
            return try LabelSelector(parsing: text)
        } catch {
            scope.report(error.description, at: "labelSelector")
            return LabelSelector([])
        }
    }

    private static func selectors(_ parameters: ParameterDecoder) -> [HeaderSelector] {
        var names: Set<String> = []
        var headers: Set<String> = []
        return parameters.objects("headerSelectors").map { selector in
            let name = selector.requiredString("name")
            let header = selector.requiredHeaderName("headerName")
            let label = selector.requiredString("labelKey")
            let mode = selector.enumeration("mode", of: SelectorMode.self)
            selector.require("mode")
            if !name.isEmpty, !names.insert(name).inserted {
                selector.report("a second selector is called \(ConfigurationProblem.quoted(name))", at: "name")
            }
            if !header.isEmpty, !headers.insert(header).inserted {
                selector.report("a second selector has the header '\(header)'", at: "headerName")
            }
            return HeaderSelector(isStrict: mode == .strict, header: header, label: label)
        }
    }

    private static func gating(_ gating: ParameterDecoder) -> Gating? {
        let mode = gating.enumeration("mode", of: GatingMode.self)
        gating.require("mode")
        let weighting: Weighting? =
            switch mode {
            case .sum: .sum
            case .maxRole: .largestRole
            case .disabled, nil: nil
            }
        let required = weighting == nil ? gating.object("requireRoles") : gating.requiredObject("requireRoles")
        let roles = required?.strings("values") ?? []
        if let weighting {
            if roles.isEmpty { required?.report("at least one role is required", at: "values") }
            if roles.contains("") { required?.report("a role must not be empty", at: "values") }
            if Set(roles).count < roles.count { required?.report("a role is listed twice", at: "values") }
            return Gating(weighting: weighting, roles: roles)
        }
        return nil
    }
}
