/// The content of kubeconfig files: clusters, users, and contexts that join one of each.
///
/// Read as `kubectl` reads them: of entries with the same name the first counts, whole; relative paths start at the
/// folder of the file they stand in; unknown keys are passed over.
package struct Kubeconfig: Sendable {
    /// How a cluster is reached.
    struct Cluster {
        let value: KubeconfigPlace
        var server = ""
        var serverName = ""
        var skipsVerification = false
        var authorities: ByteSource?
        var proxy = ""
        /// What the entry has for a plugin.
        var pluginExtension: JSONValue?
    }

    /// How a user shows who it is.
    struct User {
        let value: KubeconfigPlace
        var token = ""
        var tokenFile = ""
        var name = ""
        var password = ""
        var certificate: ByteSource?
        var key: ByteSource?
        var impersonation = Impersonation(user: "")
        var provider = ""
        var exec: Exec?
    }

    /// How a plugin is run, as it is written.
    struct Exec {
        let value: KubeconfigPlace
        var command = ""
        var arguments: [String] = []
        var environment: [ExecPlugin.Variable] = []
        var version = ""
        var installHint = ""
        var interactiveMode = ""
        var needsCluster = false
    }

    /// A cluster, a user and a namespace by their names.
    struct Context {
        let value: KubeconfigPlace
        var cluster = ""
        var user = ""
        var namespace = ""
    }

    /// The context that is used when none is named; empty for none.
    package internal(set) var currentContext = ""
    var clusters: [String: Cluster] = [:]
    var users: [String: User] = [:]
    var contexts: [String: Context] = [:]
    /// The files that were read, in order.
    package internal(set) var files: [String] = []

    /// Reads one file, which must exist.
    ///
    /// - Throws: ``ClusterConfigurationError`` that names the file, the place within it and the offending value.
    package static func read(_ path: String) throws(ClusterConfigurationError) -> Kubeconfig {
        do {
            return try parse(try SmallFile.read(path), file: path)
        } catch let problem as SmallFile.Problem {
            throw ClusterConfigurationError(source: "kubeconfig '\(path)'", reason: problem.reason)
        } catch let error as ClusterConfigurationError {
            throw error
        } catch {
            throw ClusterConfigurationError(source: "kubeconfig '\(path)'", reason: "\(error)")
        }
    }

    /// Reads the files of a list as `KUBECONFIG` has it: paths with colons between them. Files that do not exist are
    /// passed over as long as one does.
    ///
    /// - Throws: ``ClusterConfigurationError`` when a file cannot be used, or none is there.
    package static func read(list: String) throws(ClusterConfigurationError) -> Kubeconfig {
        var merged = Kubeconfig()
        var seen: Set<String> = []
        for path in list.split(separator: ":").map(String.init) where seen.insert(path).inserted {
            do {
                _ = try SmallFile.read(path)
            } catch  where error.isMissing {
                continue
            } catch {
                throw ClusterConfigurationError(source: "kubeconfig '\(path)'", reason: error.reason)
            }
            merged.merge(try read(path))
        }
        guard !merged.files.isEmpty else {
            throw ClusterConfigurationError(source: "KUBECONFIG", reason: "none of the files of '\(list)' exists")
        }
        return merged
    }

    /// Adds what `other` has and this does not.
    mutating func merge(_ other: Kubeconfig) {
        if currentContext.isEmpty { currentContext = other.currentContext }
        clusters.merge(other.clusters) { first, _ in first }
        users.merge(other.users) { first, _ in first }
        contexts.merge(other.contexts) { first, _ in first }
        files += other.files
    }
}

/// Where an entry of a kubeconfig file stands.
struct KubeconfigPlace {
    let file: String
    let place: String

    func problem(_ reason: String) -> ClusterConfigurationError {
        ClusterConfigurationError(source: "kubeconfig '\(file)'", place: place, reason: reason)
    }
}
