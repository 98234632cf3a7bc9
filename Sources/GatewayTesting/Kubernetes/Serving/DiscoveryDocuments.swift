/// The documents that tell a client what a server serves.
struct DiscoveryDocuments {
    let types: [ScriptedResourceType]

    /// The document at a path of discovery; `nil` when there is none.
    func document(_ segments: [String]) -> ScriptedJSON? {
        switch segments {
        case ["version"]:
            return [
                "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "scripted", "gitTreeState": "clean",
                "buildDate": "2025-04-23T13:00:00Z", "goVersion": "go1.24.2", "compiler": "gc",
                "platform": "linux/amd64",
            ]
        case ["api"]:
            return ["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []]
        case ["apis"]:
            return ["kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.map(group))]
        case ["openapi", "v3"]:
            return ["paths": .object(schemas)]
        default:
            break
        }
        if segments.starts(with: ["openapi", "v3"]) {
            let place = segments.dropFirst(2)
            guard place.first == "api" || place.first == "apis", let version = place.last else { return nil }
            return schema(group: place.count == 3 ? place[3] : "", version: version)
        }
        switch (segments.first, segments.count) {
        case ("api", 2):
            return list(group: "", version: segments[1])
        case ("apis", 2):
            guard groups.contains(segments[1]) else { return nil }
            var document = group(segments[1])
            document["kind"] = "APIGroup"
            document["apiVersion"] = "v1"
            return document
        case ("apis", 3):
            return list(group: segments[1], version: segments[2])
        default:
            return nil
        }
    }

    private var schemas: [String: ScriptedJSON] {
        var paths: [String: ScriptedJSON] = [:]
        for type in types {
            for version in type.versions {
                let place = (type.group.isEmpty ? "api/" : "apis/") + type.apiVersion(version)
                paths[place] = ["serverRelativeURL": .string("/openapi/v3/" + place)]
            }
        }
        return paths
    }

    /// As much of a schema as `kubectl` wants, to see that the server checks the fields of what it is sent: with this
    /// it does not check them itself.
    private func schema(group: String, version: String) -> ScriptedJSON? {
        let served = types.filter { $0.group == group && $0.versions.contains(version) }
        guard let first = served.first else { return nil }
        let place = (group.isEmpty ? "/api/" : "/apis/") + first.apiVersion(version)
        var paths: [String: ScriptedJSON] = [:]
        for type in served {
            let path = place + (type.isNamespaced ? "/namespaces/{namespace}/" : "/") + type.plural + "/{name}"
            paths[path] = [
                "patch": [
                    "parameters": [["name": "fieldValidation", "in": "query", "schema": ["type": "string"]]],
                    "responses": ["200": ["description": "OK"]],
                    "x-kubernetes-action": "patch",
                    "x-kubernetes-group-version-kind": [
                        "group": .string(group), "kind": .string(type.kind), "version": .string(version),
                    ],
                ]
            ]
        }
        return [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": "v1.33.0"], "paths": .object(paths),
        ]
    }

    private var groups: [String] {
        types.reduce(into: []) { groups, type in
            if !type.group.isEmpty, !groups.contains(type.group) { groups.append(type.group) }
        }
    }

    private func versions(_ group: String) -> [String] {
        types.filter { $0.group == group }.reduce(into: []) { versions, type in
            for version in type.versions where !versions.contains(version) { versions.append(version) }
        }
    }

    private func group(_ name: String) -> ScriptedJSON {
        let versions = versions(name).map { version -> ScriptedJSON in
            ["groupVersion": .string("\(name)/\(version)"), "version": .string(version)]
        }
        return [
            "name": .string(name), "versions": .array(versions), "preferredVersion": versions.first ?? .null,
        ]
    }

    private func list(group: String, version: String) -> ScriptedJSON? {
        let served = types.filter { $0.group == group && $0.versions.contains(version) }
        guard let first = served.first else { return nil }
        let resources = served.flatMap { type -> [ScriptedJSON] in
            var entry: ScriptedJSON = [
                "name": .string(type.plural), "singularName": .string(type.singular),
                "namespaced": .bool(type.isNamespaced), "kind": .string(type.kind),
                "verbs": .array(type.verbs.map { .string($0) }),
            ]
            if !type.shortNames.isEmpty { entry["shortNames"] = .array(type.shortNames.map { .string($0) }) }
            guard type.hasStatus else { return [entry] }
            let status: ScriptedJSON = [
                "name": .string(type.plural + "/status"), "singularName": "",
                "namespaced": .bool(type.isNamespaced), "kind": .string(type.kind),
                "verbs": ["get", "patch", "update"],
            ]
            return [entry, status]
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": .string(first.apiVersion(version)),
            "resources": .array(resources),
        ]
    }
}
