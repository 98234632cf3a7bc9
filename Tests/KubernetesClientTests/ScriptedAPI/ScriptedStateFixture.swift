@testable import GatewayTesting

/// A cluster state with what tests of it need.
struct ScriptedStateFixture {
    var state = ClusterState()

    /// The target of a type of the core group, or of the widgets below.
    func target(
        _ plural: String,
        _ name: String? = nil,
        group: String = "",
        version: String = "v1",
        namespace: String? = "default",
        subresource: String? = nil
    ) throws -> ResourceTarget {
        guard let type = state.type(group: group, version: version, plural: plural) else {
            throw ScriptedAPIFailure.unknownPath
        }
        return ResourceTarget(
            type: type, version: version, namespace: type.isNamespaced ? namespace : nil, name: name,
            subresource: subresource
        )
    }

    /// The target of a widget.
    func widget(_ name: String? = nil, version: String = "v1", subresource: String? = nil) throws -> ResourceTarget {
        try target("widgets", name, group: "example.com", version: version, subresource: subresource)
    }

    /// The target of the definition of widgets, or of definitions at all.
    func definition(_ name: String? = nil) throws -> ResourceTarget {
        try target("customresourcedefinitions", name, group: "apiextensions.k8s.io")
    }

    /// A pod on a node.
    static func pod(_ name: String, _ labels: ScriptedJSON = [:], namespace: String = "default") -> ScriptedJSON {
        [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": ["name": .string(name), "namespace": .string(namespace), "labels": labels],
            "spec": ["nodeName": "node"],
        ]
    }

    /// A custom resource.
    static func widget(_ name: String, size: Int64, version: String = "v1") -> ScriptedJSON {
        [
            "apiVersion": .string("example.com/\(version)"), "kind": "Widget", "metadata": ["name": .string(name)],
            "spec": ["size": .int(size)],
        ]
    }

    /// The definition of widgets, in two versions.
    static let definition: ScriptedJSON = [
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": ["name": "widgets.example.com"],
        "spec": [
            "group": "example.com", "scope": "Namespaced",
            "names": ["plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"],
            "versions": [
                ["name": "v1", "served": true, "storage": true, "subresources": ["status": [:]]],
                ["name": "v1alpha2", "served": true, "storage": false, "subresources": ["status": [:]]],
                ["name": "v1alpha1", "served": false, "storage": false],
            ],
        ],
    ]

    /// Serves widgets.
    mutating func defineWidgets() throws {
        _ = try state.create(try definition(), Self.definition, Writer())
    }

    /// Creates objects.
    mutating func create(_ plural: String, _ objects: ScriptedJSON...) throws {
        for object in objects {
            let namespace = object[path: "metadata", "namespace"]?.text
            _ = try state.create(try target(plural, namespace: namespace ?? "default"), object, Writer())
        }
    }
}
