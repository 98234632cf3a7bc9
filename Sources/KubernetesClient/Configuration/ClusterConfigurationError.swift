/// Why it cannot be said how a cluster is reached.
package struct ClusterConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file, variable or argument that is wrong; empty when there is none to name.
    package let source: String
    /// The place within the file, such as `users["me"].user.token`; empty when the whole file is meant.
    package let place: String
    /// What is wrong there, with the offending value.
    package let reason: String

    /// Makes an error.
    package init(source: String, place: String = "", reason: String) {
        self.source = source
        self.place = place
        self.reason = reason
    }

    package var description: String {
        [source, place, reason].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
