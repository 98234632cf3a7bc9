import FoundationEssentials

/// The way to a field: `f:NAME` for members, `k:{…}` for the element of a list with that key.
typealias FieldPath = [String]

/// Which fields of an object one manager has set, as `metadata.managedFields` tells it.
///
/// Semantics: https://kubernetes.io/docs/reference/using-api/server-side-apply/. Lists are merged by key where the
/// table knows a key, and belong to one manager as a whole elsewhere; the schemas of definitions are not asked.
struct FieldOwner: Hashable, Sendable {
    var manager: String
    /// `Apply` or `Update`.
    var operation: String
    var apiVersion: String
    /// Empty for the object itself.
    var subresource: String
    var fields: Set<FieldPath>
    var time: ScriptedJSON?

    init(manager: String, operation: String, apiVersion: String, subresource: String, fields: Set<FieldPath> = []) {
        self.manager = manager
        self.operation = operation
        self.apiVersion = apiVersion
        self.subresource = subresource
        self.fields = fields
    }

    /// Whether this is the entry that the same manager would write again.
    func isSame(as other: FieldOwner) -> Bool {
        manager == other.manager && operation == other.operation && subresource == other.subresource
    }

    /// Reads an entry of `managedFields`.
    init?(_ entry: ScriptedJSON) {
        guard let manager = entry["manager"]?.text, let operation = entry["operation"]?.text else { return nil }
        self.init(
            manager: manager, operation: operation, apiVersion: entry["apiVersion"]?.text ?? "",
            subresource: entry["subresource"]?.text ?? ""
        )
        fields = Self.paths(in: entry["fieldsV1"] ?? [:])
        time = entry["time"]
    }

    /// The entry of `managedFields`.
    var entry: ScriptedJSON {
        var tree: ScriptedJSON = [:]
        for path in fields { tree.set([:], at: path) }
        var entry: ScriptedJSON = [
            "manager": .string(manager), "operation": .string(operation), "apiVersion": .string(apiVersion),
            "fieldsType": "FieldsV1", "fieldsV1": tree,
        ]
        entry["time"] = time
        if !subresource.isEmpty { entry["subresource"] = .string(subresource) }
        return entry
    }

    private static func paths(in tree: ScriptedJSON) -> Set<FieldPath> {
        var result: Set<FieldPath> = []
        for (key, inner) in tree.members ?? [:] where key != "." {
            let deeper = paths(in: inner)
            if deeper.isEmpty { result.insert([key]) }
            for path in deeper { result.insert([key] + path) }
        }
        return result
    }
}

/// The fields of objects, as server-side apply tells them apart.
enum Fields {
    /// The lists whose elements are told apart by a member.
    static let listKeys = [
        "conditions": "type", "controllers": "name", "containers": "name", "initContainers": "name", "env": "name",
        "volumes": "name", "volumeMounts": "mountPath", "ownerReferences": "uid",
    ]

    /// Metadata that belongs to the server, and what names the object.
    static let unowned: Set = [
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "managedFields", "selfLink", "generateName",
    ]

    /// The member that tells the elements of a list apart; `nil` when the list is one value.
    static func key(of elements: [ScriptedJSON], in name: String) -> String? {
        guard let key = listKeys[name], elements.allSatisfy({ $0[key] != nil }) else { return nil }
        return key
    }

    /// All fields that are set in an object.
    static func paths(of object: ScriptedJSON) -> Set<FieldPath> {
        var object = object
        for name in ["apiVersion", "kind"] { object[name] = nil }
        if var metadata = object["metadata"] {
            for name in unowned { metadata[name] = nil }
            object["metadata"] = metadata.members?.isEmpty == false ? metadata : nil
        }
        var result: Set<FieldPath> = []
        collect(object, "", [], &result)
        return result
    }

    private static func collect(
        _ value: ScriptedJSON,
        _ name: String,
        _ path: FieldPath,
        _ result: inout Set<FieldPath>
    ) {
        switch value {
        case .object(let members) where !members.isEmpty:
            for (key, inner) in members { collect(inner, key, path + ["f:" + key], &result) }
        case .array(let elements) where !elements.isEmpty && key(of: elements, in: name) != nil:
            let key = key(of: elements, in: name) ?? ""
            for element in elements { collect(element, "", path + [step(element, key)], &result) }
        default:
            if !path.isEmpty { result.insert(path) }
        }
    }

    private static func step(_ element: ScriptedJSON, _ key: String) -> String {
        "k:" + (.object([key: element[key] ?? .null]) as ScriptedJSON).description
    }

    /// The value of a field.
    static func value(_ path: some Sequence<String>, in object: ScriptedJSON) -> ScriptedJSON? {
        var value: ScriptedJSON? = object
        for part in path {
            if part.hasPrefix("f:") {
                value = value?[String(part.dropFirst(2))]
            } else {
                value = value?.elements?.first { isElement($0, part) }
            }
        }
        return value
    }

    /// Removes a field, and an element of a list with its last field.
    static func remove(_ path: ArraySlice<String>, from object: inout ScriptedJSON) {
        guard let first = path.first else { return }
        let rest = path.dropFirst()
        if first.hasPrefix("f:") {
            let name = String(first.dropFirst(2))
            guard !rest.isEmpty, var inner = object[name] else {
                object[name] = nil
                return
            }
            remove(rest, from: &inner)
            object[name] = inner
        } else if var elements = object.elements, let index = elements.firstIndex(where: { isElement($0, first) }) {
            remove(rest, from: &elements[index])
            if rest.isEmpty || elements[index].members?.isEmpty != false { elements.remove(at: index) }
            object = .array(elements)
        }
    }

    private static func isElement(_ element: ScriptedJSON, _ step: String) -> Bool {
        guard let wanted = try? ScriptedJSON(String(step.dropFirst(2))), let members = wanted.members else {
            return false
        }
        return members.allSatisfy { element[$0.key] == $0.value }
    }

    /// The path as messages have it, such as `.status.conditions[type="Ready"].status`.
    static func text(_ path: FieldPath) -> String {
        path.map { part in
            if part.hasPrefix("f:") { return "." + part.dropFirst(2) }
            let members = (try? ScriptedJSON(String(part.dropFirst(2))))?.members ?? [:]
            return "[" + members.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ",") + "]"
        }.joined()
    }

    /// The owners that an object names.
    static func owners(of object: ScriptedJSON) -> [FieldOwner] {
        (object[path: "metadata", "managedFields"]?.elements ?? []).compactMap { FieldOwner($0) }
    }

    /// Writes owners into an object; those without fields are left out.
    static func set(_ owners: [FieldOwner], in object: inout ScriptedJSON) {
        let entries = owners.filter { !$0.fields.isEmpty }.map(\.entry)
        object.set(entries.isEmpty ? nil : .array(entries), at: ["metadata", "managedFields"])
    }
}
