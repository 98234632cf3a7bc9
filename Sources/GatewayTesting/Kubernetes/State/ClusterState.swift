import FoundationEssentials

/// What a request is about.
struct ResourceTarget: Hashable, Sendable {
    var type: ScriptedResourceType
    /// The version that the client speaks.
    var version: String
    /// The namespace; `nil` for all, or for a type outside namespaces.
    var namespace: String?
    /// The object; `nil` for the collection.
    var name: String?
    /// Such as `status`.
    var subresource: String?

    var key: ObjectKey { ObjectKey(namespace: type.isNamespaced ? namespace ?? "" : "", name: name ?? "") }
}

/// Who writes, and when.
struct Writer: Sendable {
    /// The field manager.
    var manager = "script"
    /// The time of the server, which may be wrong.
    var now = Date()

    /// A time as objects have it.
    static func timestamp(_ date: Date) -> ScriptedJSON { .string(date.formatted(.iso8601)) }
}

/// Everything a Kubernetes API server knows: its types and their objects. Pure: it neither waits nor speaks.
///
/// Semantics: https://kubernetes.io/docs/reference/using-api/api-concepts/.
struct ClusterState: Sendable {
    /// The types, in the order in which discovery shows them.
    private(set) var types: [ScriptedResourceType] = ScriptedResourceType.builtIn
    /// The objects.
    var store = ObjectStore()
    /// Counts the identities that were given out; goes on when the state goes back.
    private var identities: UInt64 = 0

    init() {
        for name in ["default", "kube-system"] {
            store.put(
                ["metadata": ["name": .string(name)], "status": ["phase": "Active"]],
                GroupResource(group: "", plural: "namespaces"), ObjectKey(namespace: "", name: name)
            )
        }
        _ = store.takeUnseen()
    }

    /// The type with this name, if it is known.
    func type(_ name: GroupResource) -> ScriptedResourceType? { types.first { $0.name == name } }

    /// The type at this place of the paths, if it is served.
    func type(group: String, version: String, plural: String) -> ScriptedResourceType? {
        types.first { $0.group == group && $0.plural == plural && $0.versions.contains(version) }
    }

    /// The type of objects with this `apiVersion` and `kind`, and the version; `nil` when none is served.
    func type(of object: ScriptedJSON) -> (type: ScriptedResourceType, version: String)? {
        guard let apiVersion = object["apiVersion"]?.text, let kind = object["kind"]?.text else { return nil }
        let parts = apiVersion.split(separator: "/", maxSplits: 1).map(String.init)
        guard let version = parts.last else { return nil }
        let group = parts.count == 2 ? parts[0] : ""
        let type = types.first { $0.group == group && $0.kind == kind && $0.versions.contains(version) }
        return type.map { ($0, version) }
    }

    /// Serves a type from now on, instead of what was served at its place.
    mutating func register(_ type: ScriptedResourceType) {
        if let index = types.firstIndex(where: { $0.name == type.name }) {
            types[index] = type
        } else {
            types.append(type)
        }
    }

    /// Removes a type with its objects; its paths are unknown from now on.
    mutating func unregister(_ name: GroupResource) {
        for key in store.objects(name).keys.sorted() { store.remove(name, key) }
        types.removeAll { $0.name == name }
    }

    /// Goes back to an earlier state. Identities do not repeat.
    mutating func restore(_ earlier: ClusterState) {
        let identities = identities
        store.restore(earlier.store)
        types = earlier.types
        self.identities = identities
    }

    /// An identity that was not given out before, in the form of a UUID.
    mutating func makeIdentity() -> String {
        identities += 1
        let digits = String(identities, radix: 16)
        let number = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        return "6d617274-6c65-4740-8000-\(number)"
    }

    /// The end of a generated name.
    mutating func makeNameSuffix() -> String {
        // The letters of the real server's: no vowels and no digits that look like letters.
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        identities += 1
        var value = identities &* 0x9E37_79B9_7F4A_7C15
        value ^= value >> 31
        return String(
            (0..<5).map { _ in
                defer { value /= UInt64(letters.count) }
                return letters[Int(value % UInt64(letters.count))]
            }
        )
    }
}
