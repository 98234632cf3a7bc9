/// A user of a ``ScriptedKubernetesAPI``, and what the user may do.
package struct ScriptedAPIUser: Hashable, Sendable {
    /// One permission, as a rule of a ClusterRole; `*` stands for all.
    package struct Rule: Hashable, Sendable {
        /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
        package var verbs: [String]
        /// API groups; the core group is the empty string.
        package var groups: [String]
        /// Resources, such as `pods` or `pods/status`.
        package var resources: [String]
        /// The namespaces it holds in; `nil` for all, and for what lies outside namespaces.
        package var namespaces: [String]?
        /// Paths outside the resources, such as `/metrics`. A rule with paths says nothing of resources.
        package var paths: [String]

        /// Makes a rule about resources.
        package init(_ verbs: [String], groups: [String] = ["*"], resources: [String], namespaces: [String]? = nil) {
            self.verbs = verbs
            self.groups = groups
            self.resources = resources
            self.namespaces = namespaces
            paths = []
        }

        /// Makes a rule about paths.
        package init(_ verbs: [String], paths: [String]) {
            self.init(verbs, groups: [], resources: [])
            self.paths = paths
        }

        func allows(_ access: ResourceAccess) -> Bool {
            let resource = access.subresource.map { "\(access.resource)/\($0)" } ?? access.resource
            return Self.has(verbs, access.verb) && Self.has(groups, access.group) && Self.has(resources, resource)
                && (namespaces.map { list in access.namespace.map { list.contains($0) } ?? false } ?? true)
        }

        func allows(_ verb: String, path: String) -> Bool {
            Self.has(verbs, verb)
                && paths.contains { $0 == path || ($0.hasSuffix("*") && path.hasPrefix($0.dropLast())) }
        }

        private static func has(_ list: [String], _ word: String) -> Bool { list.contains(word) || list.contains("*") }
    }

    /// The name, such as `system:serviceaccount:default:picker`.
    package var name: String
    /// The groups.
    package var groups: [String]
    /// What the user may do; `nil` for everything.
    package var rules: [Rule]?

    /// Makes a user.
    package init(name: String, groups: [String] = ["system:authenticated"], rules: [Rule]? = nil) {
        self.name = name
        self.groups = groups
        self.rules = rules
    }
}

/// What somebody wants to do to a resource.
struct ResourceAccess: Hashable, Sendable {
    var verb: String
    var group: String
    var resource: String
    var subresource: String?
    var namespace: String?
    var name: String?
}

/// The tokens that a server knows, and whose they are.
struct AccessRules: Hashable, Sendable {
    /// Users by bearer token. Without any, everybody may do everything.
    var users: [String: ScriptedAPIUser] = [:]
    /// Who comes with a client certificate of the accepted authority, if anybody may.
    var certificateUser: ScriptedAPIUser?

    private static let everybody = ScriptedAPIUser(name: "system:admin", groups: ["system:masters"])

    /// Who sends a request.
    ///
    /// - Throws: ``ScriptedAPIFailure`` with status 401.
    func user(authorization: String?, hasCertificate: Bool) throws(ScriptedAPIFailure) -> ScriptedAPIUser {
        if hasCertificate, let certificateUser { return certificateUser }
        guard !users.isEmpty else { return Self.everybody }
        guard let authorization, authorization.lowercased().hasPrefix("bearer "),
            let user = users[String(authorization.dropFirst("bearer ".count))]
        else { throw .unauthorized }
        return user
    }

    /// - Throws: ``ScriptedAPIFailure`` with status 403 when the user may not.
    static func check(_ user: ScriptedAPIUser, _ access: ResourceAccess) throws(ScriptedAPIFailure) {
        guard let rules = user.rules, !rules.contains(where: { $0.allows(access) }) else { return }
        throw .forbidden(access, user: user.name)
    }

    /// Fills the status of a TokenReview.
    func review(token request: ScriptedJSON) -> ScriptedJSON {
        var answer = request
        if let user = users[request[path: "spec", "token"]?.text ?? ""] {
            answer["status"] = [
                "authenticated": true,
                "user": [
                    "username": .string(user.name), "uid": .string("uid-" + user.name),
                    "groups": .array(user.groups.map { .string($0) }),
                ],
            ]
            if let audiences = request[path: "spec", "audiences"] {
                answer.set(audiences, at: ["status", "audiences"])
            }
        } else {
            answer["status"] = [
                "authenticated": false, "user": [:],
                "error": "[invalid bearer token, token lookup failed]",
            ]
        }
        return answer
    }

    /// Fills the status of a SubjectAccessReview, or of the one about the user who asks.
    func review(access request: ScriptedJSON, by asking: ScriptedAPIUser?) -> ScriptedJSON {
        let spec = request["spec"] ?? [:]
        let user = asking ?? users.values.first { $0.name == spec["user"]?.text }
        // Without users everybody may do everything.
        var isAllowed = users.isEmpty
        if let user, let rules = user.rules {
            if let resource = spec["resourceAttributes"] {
                func word(_ name: String) -> String? { resource[name]?.text.flatMap { $0.isEmpty ? nil : $0 } }
                let access = ResourceAccess(
                    verb: word("verb") ?? "", group: word("group") ?? "", resource: word("resource") ?? "",
                    subresource: word("subresource"), namespace: word("namespace"), name: word("name")
                )
                isAllowed = rules.contains { $0.allows(access) }
            } else if let path = spec["nonResourceAttributes"] {
                let verb = path["verb"]?.text ?? ""
                isAllowed = rules.contains { $0.allows(verb, path: path["path"]?.text ?? "") }
            }
        } else if user != nil {
            isAllowed = true
        }
        var answer = request
        answer["status"] = ["allowed": .bool(isAllowed)]
        if !isAllowed { answer.set("no rule allows it", at: ["status", "reason"]) }
        return answer
    }
}
