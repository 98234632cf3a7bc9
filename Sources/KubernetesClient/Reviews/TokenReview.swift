/// Who somebody is to an API server.
package struct UserInfo: Hashable, Sendable, Codable {
    /// The name.
    package var username: String
    /// What tells this user from an earlier one of the same name.
    package var uid: String
    /// The groups that the user is in.
    package var groups: [String]
    /// What else the authenticator says.
    package var extra: [String: [String]]

    /// Makes a user.
    package init(username: String, uid: String = "", groups: [String] = [], extra: [String: [String]] = [:]) {
        self.username = username
        self.uid = uid
        self.groups = groups
        self.extra = extra
    }

    private enum CodingKeys: String, CodingKey {
        case username, uid, groups, extra
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        username = try container.decodeIfPresent(String.self, forKey: .username) ?? ""
        uid = try container.decodeIfPresent(String.self, forKey: .uid) ?? ""
        groups = try container.decodeIfPresent([String].self, forKey: .groups) ?? []
        extra = try container.decodeIfPresent([String: [String]].self, forKey: .extra) ?? [:]
    }
}

/// What an API server says of a token.
package struct TokenReviewResult: Hashable, Sendable {
    /// Whether the token is good.
    package var isAuthenticated: Bool
    /// Who is behind it; meaningless unless it is good.
    package var user: UserInfo
    /// Those of the audiences asked for that the token is meant for.
    package var audiences: [String]
    /// Why the token could not be checked; empty when it could.
    package var error: String

    /// Makes a result.
    package init(isAuthenticated: Bool, user: UserInfo, audiences: [String] = [], error: String = "") {
        self.isAuthenticated = isAuthenticated
        self.user = user
        self.audiences = audiences
        self.error = error
    }
}

extension APIClient {
    /// Asks who is behind a token.
    ///
    /// - Parameter audiences: whom the token must be meant for, one of them; none stands for the server itself.
    package func reviewToken(_ token: String, audiences: [String] = []) async throws(APIError) -> TokenReviewResult {
        let review = try await review(
            APIResource(
                group: "authentication.k8s.io", version: "v1", plural: "tokenreviews", kind: "TokenReview",
                isNamespaced: false
            ),
            TokenReview(spec: .init(token: token, audiences: audiences.isEmpty ? nil : audiences)),
            as: TokenReviewAnswer.self
        )
        let status = review.status
        return TokenReviewResult(
            isAuthenticated: status.authenticated ?? false,
            user: status.user ?? UserInfo(username: ""),
            audiences: status.audiences ?? [],
            error: status.error ?? ""
        )
    }
}

private struct TokenReview: Encodable {
    struct Spec: Encodable {
        let token: String
        let audiences: [String]?
    }

    let apiVersion = "authentication.k8s.io/v1"
    let kind = "TokenReview"
    let spec: Spec
}

private struct TokenReviewAnswer: Decodable {
    struct Status: Decodable {
        let authenticated: Bool?
        let user: UserInfo?
        let audiences: [String]?
        let error: String?
    }

    let status: Status
}
