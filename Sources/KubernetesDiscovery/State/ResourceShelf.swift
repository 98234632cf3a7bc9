package import GatewayConfiguration
import GatewayCore
package import KubernetesClient
import Logging

/// The objects of one resource type, each in the last form that could be read.
///
/// An object that is wrong changes nothing: what was known of it before holds on, as after a bad edit of a file. One
/// that was asked to go counts as gone.
package struct ResourceShelf: Sendable {
    /// One object.
    package struct Entry: Sendable {
        /// The object as it is in the cluster.
        package var object: ClusterObject
        /// What it says; `nil` while it has never been right.
        package var set: ConfigurationSet?
        /// What is wrong with its present form; `nil` when nothing is.
        package var fault: String?
    }

    /// The resource type.
    package let resource: APIResource
    /// By name.
    package private(set) var entries: [ObjectName: Entry] = [:]

    /// An empty shelf.
    package init(_ resource: APIResource) {
        self.resource = resource
    }

    /// The names of all objects, in order.
    package var names: [ObjectName] { entries.keys.sorted() }

    /// Takes what a reflector tells.
    ///
    /// - Returns: whether what the objects say is something else now, and what people should know.
    package mutating func apply(_ event: ReflectorEvent<ClusterObject>) -> (isChanged: Bool, notes: [ClusterNote]) {
        switch event {
        case .replaced(let objects):
            let gone = Set(entries.keys).subtracting(objects.map(\.metadata.id))
            var isChanged = gone.contains { entries[$0]?.set != nil }
            for name in gone { entries[name] = nil }
            var notes: [ClusterNote] = []
            for object in objects {
                let taken = take(object)
                isChanged = isChanged || taken.isChanged
                notes += taken.notes
            }
            return (isChanged, notes)
        case .changed(let object):
            return take(object)
        case .removed(let name):
            return (entries.removeValue(forKey: name)?.set != nil, [])
        case .malformed(let malformed):
            return (false, [.unreadable(malformed, resource)])
        case .waiting(let error):
            return (false, [.waiting(resource, error)])
        case .resumed:
            return (false, [])
        }
    }

    private mutating func take(_ object: ClusterObject) -> (isChanged: Bool, notes: [ClusterNote]) {
        let name = object.metadata.id
        // One that was asked to go only waits for others to let it.
        guard object.metadata.deletionTimestamp == nil else {
            return (entries.removeValue(forKey: name)?.set != nil, [])
        }
        let replaced = entries[name]
        // What an earlier object of the name said says nothing about this one.
        let before = replaced.flatMap { $0.object.metadata.uid == object.metadata.uid ? $0 : nil }
        // The cluster tells of every write, also of those to a status, which nothing here depends on.
        if let before, before.object.saysTheSame(as: object) {
            entries[name]?.object = object
            return (false, [])
        }
        do throws(ConfigurationError) {
            let (set, unknown) = try ConfigurationSet.decode(clusterObject: object.document(as: resource))
            entries[name] = Entry(object: object, set: set, fault: nil)
            let notes = unknown.map { ClusterNote(level: .info, text: "\($0); it is passed over") }
            return (true, notes)
        } catch {
            let fault = error.problems.map { $0.path.isEmpty ? $0.message : "\($0.path): \($0.message)" }
                .joined(separator: "; ")
            entries[name] = Entry(object: object, set: before?.set, fault: fault)
            let rest = before?.set == nil ? "it is not used" : "what it said before still holds"
            let note = ClusterNote(level: .error, text: "\(error): \(rest)")
            return (before == nil && replaced?.set != nil, [note])
        }
    }
}

extension ClusterObject {
    /// Whether the part that a configuration reads is the same.
    fileprivate func saysTheSame(as other: ClusterObject) -> Bool {
        metadata.uid == other.metadata.uid && metadata.labels == other.metadata.labels
            && metadata.annotations == other.metadata.annotations && fields == other.fields
    }
}
