/// What this binary is.
package enum BuildInformation {
    /// The release, by semantic versioning.
    package static let version = "0.1.0"
}
