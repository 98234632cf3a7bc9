import NIOCore
import Synchronization

/// The script over HTTP, for tests that are not in Swift. Bodies and answers are JSON; a request that cannot be is
/// answered with 400 and a sentence. None of this asks for a token or is in the log of requests.
///
///     GET    /_script/state       version, compactedVersion, openWatches, connections, accepted, requestCount
///     GET    /_script/requests    ?after=N: the requests since number N, and the next number
///     GET    /_script/objects     ?resource=pods&group=: all objects of a type
///     POST   /_script/objects     an object, or a list of objects: written whether they were there or not
///     POST   /_script/deletions   {resource, group, namespace, name, how: "remove" | "delete" | "finish"}, or a list
///     POST   /_script/types       {group, versions, plural, kind, namespaced, status}: served from now on
///     DELETE /_script/types       {group, plural}: served no longer
///     POST   /_script/tokens      {token, name, groups, rules: [{verbs, groups, resources, namespaces, paths}]}
///     DELETE /_script/tokens      {token}
///     POST   /_script/faults      {action, resource, verb, namespace, name, times, lastingSeconds}; actions below
///     DELETE /_script/faults
///     POST   /_script/watches     {action, resource}: what happens to open watches; actions below
///     POST   /_script/settings    {bookmarkSeconds, tooOldWatch, initialEvents, clockSkewSeconds, watchQueueLimit,
///                                 podsVanishAfterSeconds}
///     POST   /_script/versions    {compact: true, advance: N}
///     POST   /_script/snapshots   {name}
///     POST   /_script/restart     {losingHistory, restoring: NAME, downSeconds}: answered when it listens again
///
/// Actions of faults: `status` (code, retryAfter), `delay` (seconds), `noAnswer`, `reset`, `slowBody` (bytesPerSecond),
/// `cutBody` (afterBytes), `stallBody` (afterBytes), `replaceBody` (text), `staleRead` (versionsBehind). `times` is
/// 1 if it is missing and without end if it is null.
/// Actions of watches: `line` (text), `event` (type, object), `duplicate`, `bookmark` (version), `error` (code),
/// `cutNextEvent` (afterBytes), `stall`, `slow` (bytesPerSecond), `end`, `reset`.
extension ScriptedKubernetesAPI {
    /// Answers a request of a script.
    func answerScript(_ request: ScriptedAPIRequest, _ connection: NIOLoopBound<APIConnection>) -> APIAnswer {
        let what = request.segments.dropFirst().joined(separator: "/")
        let body = request.body ?? [:]
        do throws(ScriptedAPIFailure) {
            switch (request.method, what) {
            case ("GET", "state"): return .json(stateDocument)
            case ("GET", "requests"): return .json(requestsDocument(after: Int(request.query["after"] ?? "") ?? 0))
            case ("GET", "objects"):
                let found = objects(request.query["resource"] ?? "", group: request.query["group"] ?? "")
                return .json(["items": .array(found)])
            case ("POST", "objects"):
                for object in body.elements ?? [body] {
                    try change { state, writer throws(ScriptedAPIFailure) in _ = try state.put(object, writer) }
                }
            case ("POST", "deletions"): for deletion in body.elements ?? [body] { try delete(deletion) }
            case ("POST", "types"): register(try Self.type(body))
            case ("DELETE", "types"):
                unregister(try Self.word(body, "plural"), group: body["group"]?.text ?? "")
            case ("POST", "tokens"): setToken(try Self.word(body, "token"), try Self.user(body))
            case ("DELETE", "tokens"): expireToken(try Self.word(body, "token"))
            case ("POST", "faults"): inject(try Self.fault(body))
            case ("DELETE", "faults"): clearFaults()
            case ("POST", "watches"):
                let count = disturb(body["resource"]?.text, try Self.disturbance(body))
                return .json(["watches": .int(Int64(count))])
            case ("POST", "settings"): try configure(from: body)
            case ("POST", "versions"):
                advanceVersion(by: body["advance"]?.integer ?? 0)
                if body["compact"]?.flag == true { compact() }
            case ("POST", "snapshots"): takeSnapshot(body["name"]?.text ?? "snapshot")
            case ("POST", "restart"):
                let restart = restart(
                    losingHistory: body["losingHistory"]?.flag ?? false, restoring: body["restoring"]?.text,
                    downFor: .seconds(body["downSeconds"]?.number ?? 0), sparing: connection.value
                )
                return .later(restart.map { self.stateDocument })
            default: throw .unknownPath
            }
            return .json(["version": .int(version)])
        } catch {
            return .failure(error)
        }
    }

    private var stateDocument: ScriptedJSON {
        let (version, compacted) = guarded.withLock { ($0.state.store.version, $0.state.store.compactedVersion) }
        let log = log.value
        return [
            "version": .int(version), "compactedVersion": .int(compacted),
            "openWatches": .object(log.openWatches.mapValues { .int(Int64($0)) }),
            "connections": .int(Int64(log.connections)), "accepted": .int(Int64(log.accepted)),
            "requestCount": .int(Int64(log.requestCount)),
        ]
    }

    private func requestsDocument(after: Int) -> ScriptedJSON {
        let log = log.value
        let requests = log.entries.filter { $0.number >= after }.map { entry -> ScriptedJSON in
            let request = entry.request
            var document: ScriptedJSON = [
                "number": .int(Int64(entry.number)), "method": .string(request.method), "path": .string(request.path),
                "query": .object(request.query.mapValues { .string($0) }), "verb": .string(request.verb),
                "resource": .string(request.resource), "group": .string(request.group), "user": .string(request.user),
                "status": .int(Int64(request.status)),
            ]
            document["namespace"] = request.namespace.map { .string($0) }
            document["name"] = request.name.map { .string($0) }
            document["subresource"] = request.subresource.map { .string($0) }
            document["body"] = request.body
            document["agent"] = request.value("user-agent").map { .string($0) }
            return document
        }
        return ["requests": .array(requests), "next": .int(Int64(log.requestCount))]
    }

    private func delete(_ body: ScriptedJSON) throws(ScriptedAPIFailure) {
        let resource = try Self.word(body, "resource")
        let group = body["group"]?.text ?? ""
        let namespace = body["namespace"]?.text ?? "default"
        let name = try Self.word(body, "name")
        switch body["how"]?.text ?? "delete" {
        case "remove": try remove(resource, group: group, namespace: namespace, name: name)
        case "finish": try finishDeletion(resource, group: group, namespace: namespace, name: name)
        case "delete": try delete(resource, group: group, namespace: namespace, name: name)
        case let how: throw .badRequest("how: \(how) is no way to delete")
        }
    }

    private func configure(from body: ScriptedJSON) throws(ScriptedAPIFailure) {
        func choice<Choice: RawRepresentable<String>>(_ name: String, _: Choice.Type) throws(ScriptedAPIFailure)
            -> Choice?
        {
            guard let text = body[name]?.text else { return nil }
            guard let choice = Choice(rawValue: text) else { throw .badRequest("\(name): \(text) is no choice") }
            return choice
        }
        let tooOldWatch = try choice("tooOldWatch", Settings.TooOldWatch.self)
        let initialEvents = try choice("initialEvents", Settings.InitialEvents.self)
        configure { settings in
            if let value = tooOldWatch { settings.tooOldWatch = value }
            if let value = initialEvents { settings.initialEvents = value }
            if let seconds = body["bookmarkSeconds"]?.number { settings.bookmarkInterval = .seconds(seconds) }
            if let seconds = body["clockSkewSeconds"]?.number { settings.clockSkew = .seconds(seconds) }
            if let limit = body["watchQueueLimit"]?.integer { settings.watchQueueLimit = Int(limit) }
            if let seconds = body["podsVanishAfterSeconds"] {
                settings.podsVanishAfter = seconds.number.map { .seconds($0) }
            }
        }
    }

    // MARK: - Reading

    private static func word(_ body: ScriptedJSON, _ name: String) throws(ScriptedAPIFailure) -> String {
        guard let word = body[name]?.text else { throw .badRequest("\(name) is missing or no text: \(body)") }
        return word
    }

    private static func number(_ body: ScriptedJSON, _ name: String) throws(ScriptedAPIFailure) -> Int {
        guard let number = body[name]?.integer.flatMap({ Int(exactly: $0) }), number >= 0 else {
            throw .badRequest("\(name) is missing or no whole number: \(body)")
        }
        return number
    }

    private static func words(_ value: ScriptedJSON?) -> [String] { (value?.elements ?? []).compactMap(\.text) }

    private static func type(_ body: ScriptedJSON) throws(ScriptedAPIFailure) -> ScriptedResourceType {
        ScriptedResourceType(
            group: body["group"]?.text ?? "", versions: words(body["versions"]), plural: try word(body, "plural"),
            kind: try word(body, "kind"), isNamespaced: body["namespaced"]?.flag ?? true,
            hasStatus: body["status"]?.flag ?? true
        )
    }

    private static func user(_ body: ScriptedJSON) throws(ScriptedAPIFailure) -> ScriptedAPIUser {
        var user = ScriptedAPIUser(name: try word(body, "name"))
        if let groups = body["groups"] { user.groups = words(groups) }
        user.rules = body["rules"]?.elements?.map { rule in
            guard rule["paths"] == nil else {
                return ScriptedAPIUser.Rule(words(rule["verbs"]), paths: words(rule["paths"]))
            }
            return ScriptedAPIUser.Rule(
                words(rule["verbs"]), groups: rule["groups"].map { words($0) } ?? ["*"],
                resources: words(rule["resources"]), namespaces: rule["namespaces"].map { words($0) }
            )
        }
        return user
    }

    private static func fault(_ body: ScriptedJSON) throws(ScriptedAPIFailure) -> ScriptedFault {
        let action: ScriptedFault.Action
        switch try word(body, "action") {
        case "status":
            action = .status(try number(body, "code"), retryAfter: body["retryAfter"]?.integer.map { Int($0) })
        case "delay": action = .delay(.seconds(body["seconds"]?.number ?? 0))
        case "noAnswer": action = .noAnswer
        case "reset": action = .reset
        case "slowBody": action = .slowBody(bytesPerSecond: try number(body, "bytesPerSecond"))
        case "cutBody": action = .cutBody(afterBytes: try number(body, "afterBytes"))
        case "stallBody": action = .stallBody(afterBytes: try number(body, "afterBytes"))
        case "replaceBody": action = .replaceBody(try word(body, "text"))
        case "staleRead": action = .staleRead(versionsBehind: Int64(try number(body, "versionsBehind")))
        case let name: throw .badRequest("action: \(name) is no fault")
        }
        var fault = ScriptedFault(action)
        fault.resource = body["resource"]?.text
        fault.verb = body["verb"]?.text
        fault.namespace = body["namespace"]?.text
        fault.name = body["name"]?.text
        if let times = body["times"] { fault.times = times.integer.map { Int($0) } }
        fault.lasting = body["lastingSeconds"]?.number.map { .seconds($0) }
        return fault
    }

    private static func disturbance(_ body: ScriptedJSON) throws(ScriptedAPIFailure) -> WatchDisturbance {
        switch try word(body, "action") {
        case "line": return .line(try word(body, "text"))
        case "event": return .event(try word(body, "type"), body["object"] ?? .null)
        case "duplicate": return .duplicate
        case "bookmark": return .bookmark(version: body["version"]?.integer)
        case "error": return .error(try number(body, "code"))
        case "cutNextEvent": return .cutNextEvent(afterBytes: try number(body, "afterBytes"))
        case "stall": return .stall
        case "slow": return .slow(bytesPerSecond: try number(body, "bytesPerSecond"))
        case "end": return .end
        case "reset": return .reset
        case let name: throw .badRequest("action: \(name) is no disturbance")
        }
    }
}
