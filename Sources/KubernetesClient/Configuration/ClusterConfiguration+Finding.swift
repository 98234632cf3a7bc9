extension ClusterConfiguration {
    /// The cluster that a program should use, looked for as controllers do: the kubeconfig file of the command line;
    /// the files of `KUBECONFIG`; the cluster whose pod this process runs in; `~/.kube/config`.
    ///
    /// - Parameters:
    ///   - path: the kubeconfig file of the command line; `nil` or empty for none. It alone counts.
    ///   - environment: the environment of the process.
    ///   - homeFolder: the user's folder; `nil` when there is none.
    ///   - serviceAccountFolder: where a pod finds what its service account shows.
    /// - Throws: ``ClusterConfigurationError`` when what is found cannot be used, and when nothing is found, which
    ///   then says where it was looked for.
    package static func find(
        path: String?,
        environment: [String: String],
        homeFolder: String?,
        serviceAccountFolder: String = ClusterConfiguration.serviceAccountFolder
    ) throws(ClusterConfigurationError) -> ClusterConfiguration {
        if let path, !path.isEmpty {
            return try Kubeconfig.read(path).configuration()
        }
        if let list = environment["KUBECONFIG"], !list.isEmpty {
            return try Kubeconfig.read(list: list).configuration()
        }
        var problem = ClusterConfigurationError(
            source: "",
            reason: "there is no cluster to use: no --kubeconfig, no KUBECONFIG, no pod around this process"
        )
        if isInCluster(environment) {
            do {
                return try inCluster(environment: environment, folder: serviceAccountFolder)
            } catch {
                // A pod without a service account may still have a kubeconfig file.
                problem = error
            }
        }
        guard let homeFolder, !homeFolder.isEmpty else { throw problem }
        let file = "\(homeFolder)/.kube/config"
        do {
            _ = try SmallFile.read(file)
        } catch  where error.isMissing {
            guard problem.source.isEmpty else { throw problem }
            throw ClusterConfigurationError(source: "", reason: "\(problem.reason), no '\(file)'")
        } catch {
            throw ClusterConfigurationError(source: "kubeconfig '\(file)'", reason: error.reason)
        }
        return try Kubeconfig.read(file).configuration()
    }
}
