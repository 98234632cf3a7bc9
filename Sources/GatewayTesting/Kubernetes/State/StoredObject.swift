/// Where an object is within its type.
struct ObjectKey: Hashable, Comparable, Sendable {
    /// The namespace; empty for a type outside namespaces.
    var namespace: String
    var name: String

    /// The order of etcd's keys, in which lists come.
    static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// One version of an object. `apiVersion` and `kind` are not in it: they depend on the version that a client asks for.
struct StoredObject: Hashable, Sendable {
    /// The object, without `apiVersion` and `kind`.
    let value: ScriptedJSON
    /// Its resource version.
    let version: Int64
    /// The members as JSON, without the braces. Made once, since each watch and list writes them.
    private let body: [UInt8]

    init(_ value: ScriptedJSON, version: Int64) {
        var value = value
        value["apiVersion"] = nil
        value["kind"] = nil
        value.set(.string(String(version)), at: ["metadata", "resourceVersion"])
        self.value = value
        self.version = version
        var body: [UInt8] = []
        ScriptedJSON.write(value.members ?? [:], to: &body)
        self.body = body
    }

    var metadata: ScriptedJSON { value["metadata"] ?? [:] }

    /// The same content at another resource version.
    func renumbered(_ version: Int64) -> StoredObject { StoredObject(value, version: version) }

    /// The object as a client of one of the type's versions knows it.
    func value(as type: ScriptedResourceType, _ version: String) -> ScriptedJSON {
        var value = value
        value["apiVersion"] = .string(type.apiVersion(version))
        value["kind"] = .string(type.kind)
        return value
    }

    /// Appends the object as a client of one of the type's versions knows it.
    func write(as type: ScriptedResourceType, _ version: String, to output: inout [UInt8]) {
        output += "{\"apiVersion\":\"\(type.apiVersion(version))\",\"kind\":\"\(type.kind)\",".utf8
        output += body
        output.append(UInt8(ascii: "}"))
    }

    /// Appends the object as an item of a list. Items of built-in types lack `apiVersion` and `kind`, as the real
    /// server's do.
    func writeItem(as type: ScriptedResourceType, _ version: String, to output: inout [UInt8]) {
        guard !type.isCustom else { return write(as: type, version, to: &output) }
        output.append(UInt8(ascii: "{"))
        output += body
        output.append(UInt8(ascii: "}"))
    }
}

/// One step of the store: an object came, changed, or went.
struct Change: Hashable, Sendable {
    /// The resource version of the step.
    let version: Int64
    let type: GroupResource
    let key: ObjectKey
    /// What was before; `nil` when the object came.
    let before: StoredObject?
    /// What is now. For an object that went: its last content, at the version of the step.
    let object: StoredObject
    /// Whether the object went.
    let isRemoval: Bool
}
