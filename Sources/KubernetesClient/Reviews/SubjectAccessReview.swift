/// What somebody wants to do.
package enum AccessAttributes: Hashable, Sendable {
    /// `verb` on a path that is no object's, such as `get` on `/metrics`.
    case path(String, verb: String)
    /// `verb` on objects.
    case resource(
        verb: String, group: String, resource: String, subresource: String = "", namespace: String = "",
        name: String = ""
    )
}

/// Whether somebody may do something.
package struct AccessDecision: Hashable, Sendable {
    /// Whether it is allowed.
    package var isAllowed: Bool
    /// Whether it is forbidden outright; both are false when no authorizer has an opinion, which means no.
    package var isDenied: Bool
    /// Why, if the server says so.
    package var reason: String

    /// Makes a decision.
    package init(isAllowed: Bool, isDenied: Bool = false, reason: String = "") {
        self.isAllowed = isAllowed
        self.isDenied = isDenied
        self.reason = reason
    }
}
