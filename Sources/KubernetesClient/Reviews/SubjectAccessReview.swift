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

extension APIClient {
    /// Asks whether `user` may do something.
    package func mayAccess(
        _ user: UserInfo,
        _ attributes: AccessAttributes
    ) async throws(APIError) -> AccessDecision {
        let review = try await review(
            APIResource(
                group: "authorization.k8s.io", version: "v1", plural: "subjectaccessreviews",
                kind: "SubjectAccessReview", isNamespaced: false
            ),
            SubjectAccessReview(spec: .init(user, attributes)),
            as: SubjectAccessReviewAnswer.self
        )
        let isDenied = review.status.denied ?? false
        return AccessDecision(
            // A server never says both; of one that does the careful word counts.
            isAllowed: review.status.allowed && !isDenied,
            isDenied: isDenied,
            reason: [review.status.reason, review.status.evaluationError].compactMap(\.self).filter { !$0.isEmpty }
                .joined(separator: "; ")
        )
    }
}

private struct SubjectAccessReview: Encodable {
    struct Spec: Encodable {
        let user: String
        let uid: String
        let groups: [String]
        let extra: [String: [String]]
        var resourceAttributes: [String: String]?
        var nonResourceAttributes: [String: String]?

        init(_ user: UserInfo, _ attributes: AccessAttributes) {
            self.user = user.username
            uid = user.uid
            groups = user.groups
            extra = user.extra
            switch attributes {
            case .path(let path, let verb): nonResourceAttributes = ["path": path, "verb": verb]
            case .resource(let verb, let group, let resource, let subresource, let namespace, let name):
                resourceAttributes = [
                    "verb": verb, "group": group, "resource": resource, "subresource": subresource,
                    "namespace": namespace, "name": name,
                ]
            }
        }
    }

    let apiVersion = "authorization.k8s.io/v1"
    let kind = "SubjectAccessReview"
    let spec: Spec
}

private struct SubjectAccessReviewAnswer: Decodable {
    struct Status: Decodable {
        let allowed: Bool
        let denied: Bool?
        let reason: String?
        let evaluationError: String?
    }

    let status: Status
}
