/// An answer that is no success, as a Kubernetes `Status` says it.
package struct ScriptedAPIFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status.
    package var code: Int
    /// The word for programs; empty for none.
    package var reason: String
    /// The sentence for people.
    package var message: String
    /// `details`, if there are any.
    var details: ScriptedJSON?
    /// `metadata.continue`, with which a list may go on that has lost its snapshot.
    var continueToken: String?
    /// Seconds in `Retry-After`.
    var retryAfter: Int?
    /// Whether the path leads nowhere at all: the body is then a line of plain text.
    var isUnknownPath = false

    package var description: String { "\(code) \(reason): \(message)" }

    /// The object of the kind `Status`.
    var status: ScriptedJSON {
        var status: ScriptedJSON = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "message": .string(message),
            "code": .int(Int64(code)),
        ]
        if !reason.isEmpty { status["reason"] = .string(reason) }
        if let continueToken { status["metadata"] = ["continue": .string(continueToken)] }
        if let details { status["details"] = details }
        return status
    }
}

extension ScriptedAPIFailure {
    /// The path belongs to no type.
    static let unknownPath = ScriptedAPIFailure(
        code: 404, reason: "NotFound", message: "404 page not found", isUnknownPath: true
    )

    static let unauthorized = ScriptedAPIFailure(code: 401, reason: "Unauthorized", message: "Unauthorized")

    static func badRequest(_ message: String) -> ScriptedAPIFailure {
        ScriptedAPIFailure(code: 400, reason: "BadRequest", message: message)
    }

    static func notFound(_ type: GroupResource, _ name: String) -> ScriptedAPIFailure {
        ScriptedAPIFailure(
            code: 404, reason: "NotFound", message: "\(type) \"\(name)\" not found", details: details(type, name)
        )
    }

    static func alreadyExists(_ type: GroupResource, _ name: String) -> ScriptedAPIFailure {
        ScriptedAPIFailure(
            code: 409, reason: "AlreadyExists", message: "\(type) \"\(name)\" already exists",
            details: details(type, name)
        )
    }

    static func conflict(_ type: GroupResource, _ name: String, _ why: String = staleVersion) -> ScriptedAPIFailure {
        ScriptedAPIFailure(
            code: 409, reason: "Conflict",
            message: "Operation cannot be fulfilled on \(type) \"\(name)\": \(why)", details: details(type, name)
        )
    }

    /// Why a write with an old version is refused.
    static let staleVersion =
        "the object has been modified; please apply your changes to the latest version and try again"

    static func invalid(
        _ type: ScriptedResourceType,
        _ name: String,
        field: String,
        _ why: String,
        reason: String = "FieldValueInvalid"
    ) -> ScriptedAPIFailure {
        var details = details(type.name, name)
        details["kind"] = .string(type.kind)
        details["causes"] = [["reason": .string(reason), "message": .string(why), "field": .string(field)]]
        let kind = type.group.isEmpty ? type.kind : "\(type.kind).\(type.group)"
        return ScriptedAPIFailure(
            code: 422, reason: "Invalid", message: "\(kind) \"\(name)\" is invalid: \(field): \(why)", details: details
        )
    }

    static func methodNotAllowed() -> ScriptedAPIFailure {
        ScriptedAPIFailure(
            code: 405, reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource"
        )
    }

    static func unsupportedMediaType(_ given: String, accepted: [String]) -> ScriptedAPIFailure {
        ScriptedAPIFailure(
            code: 415, reason: "UnsupportedMediaType",
            message: "the body of the request was in an unknown format - accepted media types include: "
                + accepted.joined(separator: ", ")
        )
    }

    /// A version that compaction has taken.
    static func expired(_ message: String, continueToken: String? = nil) -> ScriptedAPIFailure {
        ScriptedAPIFailure(code: 410, reason: "Expired", message: message, continueToken: continueToken)
    }

    /// A version that the server has not reached.
    static func tooLarge(_ asked: Int64, present: Int64) -> ScriptedAPIFailure {
        ScriptedAPIFailure(
            code: 504, reason: "Timeout",
            message: "Timeout: Too large resource version: \(asked), current: \(present)",
            details: [
                "causes": [["reason": "ResourceVersionTooLarge", "message": "Too large resource version"]],
                "retryAfterSeconds": 1,
            ],
            retryAfter: 1
        )
    }

    /// A user may not do something.
    static func forbidden(_ access: ResourceAccess, user: String) -> ScriptedAPIFailure {
        let type = GroupResource(group: access.group, plural: access.resource)
        let named = access.name.map { "\(type) \"\($0)\"" } ?? "\(type)"
        let resource = access.subresource.map { "\(access.resource)/\($0)" } ?? access.resource
        let scope = access.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
        return ScriptedAPIFailure(
            code: 403, reason: "Forbidden",
            message: "\(named) is forbidden: User \"\(user)\" cannot \(access.verb) resource \"\(resource)\" in API "
                + "group \"\(access.group)\" \(scope)",
            details: details(type, access.name ?? "")
        )
    }

    /// A status that a script asks for.
    static func scripted(_ code: Int, retryAfter: Int?) -> ScriptedAPIFailure {
        let known = [
            401: ("Unauthorized", "Unauthorized"),
            403: ("Forbidden", "forbidden"),
            404: ("NotFound", "the server could not find the requested resource"),
            409: ("Conflict", staleVersion),
            410: ("Expired", "too old resource version"),
            429: ("TooManyRequests", "Too many requests, please try again later."),
            500: ("InternalError", "Internal error occurred: scripted"),
            503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
        ]
        let (reason, message) = known[code] ?? ("", "scripted status \(code)")
        return ScriptedAPIFailure(
            code: code, reason: reason, message: message,
            details: retryAfter.map { ["retryAfterSeconds": .int(Int64($0))] }, retryAfter: retryAfter
        )
    }

    private static func details(_ type: GroupResource, _ name: String) -> ScriptedJSON {
        var details: ScriptedJSON = ["kind": .string(type.plural)]
        if !name.isEmpty { details["name"] = .string(name) }
        if !type.group.isEmpty { details["group"] = .string(type.group) }
        return details
    }
}
