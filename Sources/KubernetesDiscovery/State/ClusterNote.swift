import KubernetesClient
package import Logging

/// Something that people who run the cluster should know.
package struct ClusterNote: Hashable, Sendable {
    /// How much it matters.
    package let level: Logger.Level
    /// A full sentence.
    package let text: String

    /// Makes a note.
    package init(level: Logger.Level, text: String) {
        self.level = level
        self.text = text
    }

    /// An object is not even of its type.
    static func unreadable(_ object: MalformedObject, _ resource: APIResource) -> ClusterNote {
        let name = object.name.map(\.description) ?? "without a readable name"
        let text = "\(resource.kind) \(name) cannot be read, so what it said before still holds: \(object.reason)"
        return ClusterNote(level: .error, text: text)
    }

    /// Nothing can be learned of a resource type for now.
    static func waiting(_ resource: APIResource, _ error: APIError) -> ClusterNote {
        let consequence = "its objects are picked up as soon as they can be read"
        switch error {
        case .notFound:
            let text = "The cluster has no \(resource) (\(resource.version)) yet; \(consequence)."
            return ClusterNote(level: .notice, text: text)
        case .forbidden:
            return ClusterNote(level: .warning, text: "\(resource) may not be read; \(consequence): \(error)")
        default:
            return ClusterNote(level: .warning, text: "\(resource) cannot be followed now; \(consequence): \(error)")
        }
    }
}
