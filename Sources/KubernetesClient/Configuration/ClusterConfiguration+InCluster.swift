extension ClusterConfiguration {
    /// Where a pod finds what its service account shows an API server.
    package static let serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Whether the environment is that of a container in a pod.
    package static func isInCluster(_ environment: [String: String]) -> Bool {
        ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"].allSatisfy { environment[$0, default: ""] != "" }
    }

    /// The cluster whose pod this process runs in.
    ///
    /// - Parameters:
    ///   - environment: has `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
    ///   - folder: has the files `token`, `ca.crt` and, if it likes, `namespace`.
    /// - Throws: ``ClusterConfigurationError`` when one of them is missing or is not what it should be.
    package static func inCluster(
        environment: [String: String],
        folder: String = serviceAccountFolder
    ) throws(ClusterConfigurationError) -> ClusterConfiguration {
        guard isInCluster(environment), let host = environment["KUBERNETES_SERVICE_HOST"] else {
            throw ClusterConfigurationError(
                source: "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT",
                reason: "both must be set for a process in a pod"
            )
        }
        let portText = environment["KUBERNETES_SERVICE_PORT", default: ""]
        guard let port = Int(portText), (1...65_535).contains(port) else {
            throw ClusterConfigurationError(
                source: "KUBERNETES_SERVICE_PORT", reason: "'\(portText)' is not a port")
        }
        let tokenPath = "\(folder)/token"
        let authorityPath = "\(folder)/ca.crt"
        for path in [tokenPath, authorityPath] {
            do { _ = try SmallFile.read(path) } catch {
                throw ClusterConfigurationError(source: path, reason: error.reason)
            }
        }
        return ClusterConfiguration(
            server: ServerURL(isSecure: true, host: host, port: port),
            trust: ServerTrust(authorities: .file(authorityPath)),
            credentials: ClientCredentials(authorization: .tokenFile(tokenPath, initial: nil)),
            namespace: (try? SmallFile.readToken("\(folder)/namespace")) ?? defaultNamespace,
            source: "the service account of the pod"
        )
    }
}
