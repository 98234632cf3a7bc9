import FoundationEssentials
import NIOCore
import Synchronization

extension ScriptedKubernetesAPI {
    private static let requestsKept = 10_000
    private static let scriptPath = "/_script/"
    /// As much as the real server takes of one object.
    private static let largestBody = 3 * 1_024 * 1_024

    /// Finds out what a request is about, writes it into the log, and looks up what goes wrong with it.
    func register(_ request: ScriptedAPIRequest) -> (ScriptedAPIRequest, number: Int, [ScriptedFault.Action]) {
        guard !request.path.hasPrefix(Self.scriptPath) else { return (request, -1, []) }
        var request = request
        let actions = guarded.withLock { guarded in
            if let target = request.target(in: guarded.state) {
                request.verb = request.verb(for: target)
                if Self.mediaType(request.value("content-type")) == Self.applyPatch { request.verb = "apply" }
                request.group = target.type.group
                request.resource = target.type.plural
                request.namespace = target.namespace
                request.name = target.name
                request.subresource = target.subresource
            }
            return guarded.faults.take(for: request, now: .now)
        }
        var number = 0
        log.update { log in
            number = log.requestCount
            log.requestCount += 1
            if log.entries.count > Self.requestsKept * 5 / 4 { log.entries.removeFirst(Self.requestsKept / 4) }
            log.entries.append((number, request))
        }
        return (request, number, actions)
    }

    /// Answers a request. Called on the event loop of its connection.
    func answer(
        _ request: ScriptedAPIRequest,
        _ number: Int,
        _ actions: [ScriptedFault.Action],
        connection: NIOLoopBound<APIConnection>,
        hasCertificate: Bool
    ) -> APIAnswer {
        guard !request.path.hasPrefix(Self.scriptPath) else { return answerScript(request, connection) }
        var request = request
        var answer: APIAnswer
        do throws(ScriptedAPIFailure) {
            answer = try find(&request, actions, connection: connection, hasCertificate: hasCertificate)
        } catch {
            answer = .failure(error)
        }
        for case .replaceBody(let text) in actions {
            answer = .whole(status: 200, contentType: "application/json", body: Array(text.utf8), retryAfter: nil)
        }
        request.status = 200
        if case .whole(let status, _, _, _) = answer { request.status = status }
        log.update { log in
            guard let index = log.entries.lastIndex(where: { $0.number == number }) else { return }
            log.entries[index].request = request
        }
        return answer
    }

    private func find(
        _ request: inout ScriptedAPIRequest,
        _ actions: [ScriptedFault.Action],
        connection: NIOLoopBound<APIConnection>,
        hasCertificate: Bool
    ) throws(ScriptedAPIFailure) -> APIAnswer {
        for case .status(let code, let retryAfter) in actions { throw .scripted(code, retryAfter: retryAfter) }
        if ["/healthz", "/livez", "/readyz"].contains(request.path) {
            return .whole(
                status: 200, contentType: "text/plain; charset=utf-8", body: Array("ok".utf8), retryAfter: nil)
        }
        // No copy of the state outlives its use: it would make the next write copy all objects.
        let (types, access, target) = guarded.withLock { guarded in
            (guarded.state.types, guarded.access, request.target(in: guarded.state))
        }
        let user = try access.user(authorization: request.value("authorization"), hasCertificate: hasCertificate)
        request.user = user.name
        if request.method == "GET", let document = DiscoveryDocuments(types: types).document(request.segments) {
            return .json(document)
        }
        guard let target else { throw .unknownPath }
        let verb = request.verb(for: target)
        guard !verb.isEmpty, target.type.verbs.contains(verb) else { throw .methodNotAllowed() }
        guard target.subresource == nil || (target.subresource == "status" && target.type.hasStatus) else {
            throw .unknownPath
        }
        let wanted = ResourceAccess(
            verb: verb, group: target.type.group, resource: target.type.plural, subresource: target.subresource,
            namespace: target.namespace, name: target.name
        )
        // What they may do themselves, all who are known may ask, as by the role `system:basic-user`.
        if !target.type.isSelfReview { try AccessRules.check(user, wanted) }
        try Self.checkAccept(request.value("accept"))
        if target.type.isAnswerOnly { return try review(request, target, access, by: user) }
        switch verb {
        case "get":
            let found = guarded.withLock { $0.state.store.object(target.type.name, target.key) }
            guard let found else { throw .notFound(target.type.name, target.key.name) }
            return Self.object(found, target)
        case "list": return try list(request, target, guarded.withLock { $0.state }, actions)
        case "watch": return try watch(request, target, connection)
        case "delete", "deletecollection": return try delete(request, target)
        default: return try write(request, target, verb)
        }
    }

    private func review(
        _ request: ScriptedAPIRequest,
        _ target: ResourceTarget,
        _ access: AccessRules,
        by user: ScriptedAPIUser
    ) throws(ScriptedAPIFailure) -> APIAnswer {
        let body = try Self.body(of: request)
        try ClusterState.check(body, target)
        let answer =
            target.type.plural == "tokenreviews"
            ? access.review(token: body) : access.review(access: body, by: target.type.isSelfReview ? user : nil)
        return .json(answer, status: 201)
    }

    // MARK: - Reads

    private static func object(_ object: StoredObject, _ target: ResourceTarget, status: Int = 200) -> APIAnswer {
        var body: [UInt8] = []
        object.write(as: target.type, target.version, to: &body)
        return .whole(status: status, contentType: "application/json", body: body, retryAfter: nil)
    }

    private static func selector(
        _ request: ScriptedAPIRequest,
        _ target: ResourceTarget
    ) throws(ScriptedAPIFailure) -> ObjectSelector {
        try ObjectSelector(
            namespace: target.namespace, labelSelector: request.query["labelSelector"] ?? "",
            fieldSelector: request.query["fieldSelector"] ?? "", type: target.type
        )
    }

    private func list(
        _ request: ScriptedAPIRequest,
        _ target: ResourceTarget,
        _ state: ClusterState,
        _ actions: [ScriptedFault.Action]
    ) throws(ScriptedAPIFailure) -> APIAnswer {
        var query = ListQuery(selector: try Self.selector(request, target))
        query.limit = request.query["limit"].flatMap(Int.init) ?? 0
        query.continueToken = request.query["continue"] ?? ""
        query.resourceVersion = request.query["resourceVersion"] ?? ""
        query.match = request.query["resourceVersionMatch"] ?? ""
        for case .staleRead(let behind) in actions where query.resourceVersion == "0" {
            query.resourceVersion = String(max(state.store.compactedVersion, state.store.version - behind))
            query.match = "Exact"
            query.limit = 0
        }
        let page = try state.list(target.type, query)
        var metadata: ScriptedJSON = ["resourceVersion": .string(String(page.version))]
        if !page.continueToken.isEmpty { metadata["continue"] = .string(page.continueToken) }
        if let remaining = page.remaining { metadata["remainingItemCount"] = .int(Int64(remaining)) }
        var body = Array(
            """
            {"kind":"\(target.type.kind)List","apiVersion":"\(target.type.apiVersion(target.version))","metadata":
            """.utf8
        )
        metadata.write(to: &body)
        body += ",\"items\":[".utf8
        for (index, object) in page.objects.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            object.writeItem(as: target.type, target.version, to: &body)
        }
        body += "]}\n".utf8
        return .whole(status: 200, contentType: "application/json", body: body, retryAfter: nil)
    }

    private func watch(
        _ request: ScriptedAPIRequest,
        _ target: ResourceTarget,
        _ connection: NIOLoopBound<APIConnection>
    ) throws(ScriptedAPIFailure) -> APIAnswer {
        var query = WatchQuery(selector: try Self.selector(request, target))
        query.resourceVersion = request.query["resourceVersion"] ?? ""
        let settings = settings
        if request.isSet("sendInitialEvents") {
            switch settings.initialEvents {
            case .invalid:
                throw ScriptedAPIFailure(
                    code: 422, reason: "Invalid",
                    message: "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents "
                        + "is forbidden for watch unless the WatchList feature gate is enabled"
                )
            case .ignored: break
            case .supported: query.sendInitialEvents = true
            }
        }
        let allowsBookmarks = request.isSet("allowWatchBookmarks")
        let timeout = request.query["timeoutSeconds"].flatMap(Int.init).map { Duration.seconds($0) }
        do throws(ScriptedAPIFailure) {
            let (watch, events) = try open(target, query, allowsBookmarks: allowsBookmarks, connection)
            var lines = events.map { $0.line(target.type, target.version) }
            if query.sendInitialEvents, allowsBookmarks {
                lines.append(
                    WatchEvent.bookmark(target.type, target.version, version: watch.after, endsInitialEvents: true)
                )
            }
            return .watch(watch, lines: lines, timeout: timeout)
        } catch {
            guard error.code == 410, settings.tooOldWatch == .event else { throw error }
            return .watch(nil, lines: [WatchEvent.line("ERROR", error.status)], timeout: nil)
        }
    }

    private func open(
        _ target: ResourceTarget,
        _ query: WatchQuery,
        allowsBookmarks: Bool,
        _ connection: NIOLoopBound<APIConnection>
    ) throws(ScriptedAPIFailure) -> (OpenWatch, [WatchEvent]) {
        let outcome: Result<(OpenWatch, [WatchEvent]), ScriptedAPIFailure> = guarded.withLock { guarded in
            do throws(ScriptedAPIFailure) {
                let (events, after) = try guarded.state.openWatch(target.type, query)
                guarded.watchCount += 1
                let watch = OpenWatch(
                    id: guarded.watchCount, target, selector: query.selector, after: after,
                    allowsBookmarks: allowsBookmarks, connection: connection
                )
                guarded.watches[watch.id] = watch
                return .success((watch, events))
            } catch {
                return .failure(error)
            }
        }
        let opened = try outcome.get()
        log.update { $0.openWatches[target.type.plural, default: 0] += 1 }
        return opened
    }

    // MARK: - Writes

    private func write(
        _ request: ScriptedAPIRequest,
        _ target: ResourceTarget,
        _ verb: String
    ) throws(ScriptedAPIFailure) -> APIAnswer {
        let body = try Self.body(of: request)
        let contentType = Self.mediaType(request.value("content-type"))
        let agent = request.value("user-agent")?.split(separator: "/").first.map(String.init)
        let manager = request.query["fieldManager"] ?? agent ?? "unknown"
        if verb == "patch", contentType == Self.applyPatch, request.query["fieldManager"] == nil {
            throw .badRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value")
        }
        let isDry = request.query["dryRun"] == "All"
        let (object, isNew) = try change(isDry: isDry) { state, writer throws(ScriptedAPIFailure) in
            var writer = writer
            writer.manager = manager
            switch verb {
            case "create": return (try state.create(target, body, writer), true)
            case "update": return (try state.replace(target, body, writer), false)
            default: break
            }
            guard contentType == Self.applyPatch else {
                return (try state.patch(target, contentType, body, writer), false)
            }
            let (object, isNew) = try state.apply(target, body, force: request.isSet("force"), writer)
            return (object, isNew)
        }
        return Self.object(object, target, status: isNew ? 201 : 200)
    }

    private func delete(_ request: ScriptedAPIRequest, _ target: ResourceTarget) throws(ScriptedAPIFailure) -> APIAnswer
    {
        var options = request.body ?? [:]
        if let grace = request.query["gracePeriodSeconds"].flatMap(Int64.init) {
            options["gracePeriodSeconds"] = .int(grace)
        }
        let isDry = request.query["dryRun"] == "All" || options["dryRun"]?.elements == ["All"]
        guard target.name == nil else { return try delete(target, options, isDry: isDry) }
        let query = ListQuery(selector: try Self.selector(request, target))
        let page = try guarded.withLock { $0.state }.list(target.type, query)
        for object in page.objects {
            var one = target
            one.name = object.metadata["name"]?.text
            one.namespace = object.metadata["namespace"]?.text
            _ = try? delete(one, options, isDry: isDry)
        }
        return .json([
            "kind": .string(target.type.kind + "List"),
            "apiVersion": .string(target.type.apiVersion(target.version)),
            "metadata": ["resourceVersion": .string(String(page.version))],
            "items": .array(page.objects.map { $0.value(as: target.type, target.version) }),
        ])
    }

    private func delete(
        _ target: ResourceTarget,
        _ options: ScriptedJSON,
        isDry: Bool
    ) throws(ScriptedAPIFailure) -> APIAnswer {
        let outcome = try change(isDry: isDry) { state, writer throws(ScriptedAPIFailure) in
            try state.delete(target, options, writer)
        }
        switch outcome {
        case .terminating(let object):
            if !isDry { vanishLater(target, object) }
            return Self.object(object, target)
        case .gone(let object):
            var details: ScriptedJSON = [
                "name": .string(target.key.name), "kind": .string(target.type.plural),
                "uid": object.metadata["uid"] ?? .null,
            ]
            if !target.type.group.isEmpty { details["group"] = .string(target.type.group) }
            return .json([
                "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": details,
            ])
        }
    }

    // MARK: - Media types

    private static let applyPatch = "application/apply-patch+yaml"

    private static func mediaType(_ field: String?) -> String {
        String((field ?? "application/json").prefix { $0 != ";" }).lowercased()
    }

    private static func checkAccept(_ field: String?) throws(ScriptedAPIFailure) {
        let types = (field ?? "*/*").split(separator: ",").map { mediaType(String($0.drop { $0 == " " })) }
        guard !types.contains(where: { ["application/json", "application/*", "*/*"].contains($0) }) else { return }
        throw ScriptedAPIFailure(
            code: 406, reason: "NotAcceptable", message: "only the following media types are accepted: application/json"
        )
    }

    /// The body of a write.
    private static func body(of request: ScriptedAPIRequest) throws(ScriptedAPIFailure) -> ScriptedJSON {
        let type = mediaType(request.value("content-type"))
        let isPatch = request.method == "PATCH"
        let isRead = type == "application/json" || (type == ProtobufBody.mediaType && request.body != nil)
        guard isPatch || isRead else {
            throw .unsupportedMediaType(type, accepted: ["application/json"])
        }
        guard request.bodyBytes <= largestBody else {
            throw ScriptedAPIFailure(
                code: 413, reason: "RequestEntityTooLarge",
                message: "Request entity too large: limit is \(largestBody)"
            )
        }
        guard let body = request.body else {
            throw .badRequest("the body of the request is no JSON; this server reads no YAML")
        }
        return body
    }
}
