extension Kubeconfig {
    /// How the cluster of a context is reached.
    ///
    /// - Parameter name: the context; `nil` for the current one.
    /// - Throws: ``ClusterConfigurationError`` when an entry is missing, contradicts itself, needs what is not
    ///   supported, or names a file that cannot be read.
    package func configuration(context name: String? = nil) throws(ClusterConfigurationError) -> ClusterConfiguration {
        let source = "kubeconfig " + files.map { "'\($0)'" }.joined(separator: ", ")
        let name = name ?? currentContext
        guard !name.isEmpty else {
            throw ClusterConfigurationError(source: source, place: "current-context", reason: "no context is chosen")
        }
        guard let context = contexts[name] else {
            throw ClusterConfigurationError(
                source: source, place: "contexts", reason: "there is no context '\(name)'")
        }
        guard let cluster = clusters[context.cluster] else {
            throw context.value.problem("there is no cluster '\(context.cluster)'")
        }
        let user = context.user.isEmpty ? User(value: context.value) : users[context.user]
        guard let user else { throw context.value.problem("there is no user '\(context.user)'") }
        let trust = try trust(of: cluster)
        var credentials = try credentials(of: user)
        if credentials.plugin?.needsCluster == true {
            credentials.plugin?.clusterExtension = cluster.pluginExtension
        }
        return ClusterConfiguration(
            server: try server(
                of: cluster,
                isSecureByDefault: trust.authorities != nil || trust.skipsVerification
                    || credentials.certificate != nil
            ),
            trust: trust,
            credentials: credentials,
            proxy: try proxy(of: cluster),
            namespace: context.namespace.isEmpty ? ClusterConfiguration.defaultNamespace : context.namespace,
            source: "\(source), context '\(name)'"
        )
    }

    // MARK: - Cluster

    private func server(
        of cluster: Cluster,
        isSecureByDefault: Bool
    ) throws(ClusterConfigurationError) -> ServerURL {
        guard !cluster.server.isEmpty else { throw cluster.value.problem("there is no server") }
        do {
            return try ServerURL(cluster.server, isSecureByDefault: isSecureByDefault)
        } catch {
            throw cluster.value.problem("server: \(error.reason)")
        }
    }

    private func proxy(of cluster: Cluster) throws(ClusterConfigurationError) -> ProxyURL? {
        guard !cluster.proxy.isEmpty else { return nil }
        do { return try ProxyURL(cluster.proxy) } catch {
            throw cluster.value.problem("proxy-url: \(error.reason)")
        }
    }

    private func trust(of cluster: Cluster) throws(ClusterConfigurationError) -> ServerTrust {
        guard !cluster.skipsVerification || cluster.authorities == nil else {
            throw cluster.value.problem("a certificate authority means nothing beside insecure-skip-tls-verify")
        }
        try check(cluster.authorities, "certificate-authority", at: cluster.value)
        return ServerTrust(
            authorities: cluster.authorities,
            skipsVerification: cluster.skipsVerification,
            serverName: cluster.serverName.isEmpty ? nil : cluster.serverName
        )
    }

    // MARK: - User

    private func credentials(of user: User) throws(ClusterConfigurationError) -> ClientCredentials {
        guard user.provider.isEmpty else {
            throw user.value.problem("auth-provider '\(user.provider)': providers are gone; use an exec plugin instead")
        }
        let hasToken = !user.token.isEmpty || !user.tokenFile.isEmpty
        guard !hasToken || (user.name.isEmpty && user.password.isEmpty) else {
            throw user.value.problem("a token and a user's name with a password; only one of them can be shown")
        }
        var credentials = ClientCredentials()
        if !user.tokenFile.isEmpty {
            // A token beside the file serves until the file has one.
            if user.token.isEmpty { try check(.file(user.tokenFile), "tokenFile", at: user.value) }
            credentials.authorization = .tokenFile(user.tokenFile, initial: user.token.isEmpty ? nil : user.token)
        } else if hasToken {
            credentials.authorization = .token(user.token)
        } else if !user.name.isEmpty || !user.password.isEmpty {
            credentials.authorization = .basic(user: user.name, password: user.password)
        }
        credentials.certificate = try certificate(of: user)
        if let exec = user.exec { credentials.plugin = try plugin(exec) }
        credentials.impersonation = try impersonation(of: user)
        return credentials
    }

    private func certificate(of user: User) throws(ClusterConfigurationError) -> ClientCredentials.Certificate? {
        switch (user.certificate, user.key) {
        case (nil, nil): return nil
        case (_?, nil): throw user.value.problem("a client-certificate without a client-key")
        case (nil, _?): throw user.value.problem("a client-key without a client-certificate")
        case (let certificate?, let key?):
            try check(certificate, "client-certificate", at: user.value)
            try check(key, "client-key", at: user.value)
            return ClientCredentials.Certificate(chain: certificate, key: key)
        }
    }

    private func impersonation(of user: User) throws(ClusterConfigurationError) -> Impersonation? {
        let whom = user.impersonation
        guard whom.user.isEmpty else { return whom }
        guard whom == Impersonation(user: "") else {
            throw user.value.problem("as-uid, as-groups and as-user-extra need a user to act as")
        }
        return nil
    }

    private func plugin(_ exec: Exec) throws(ClusterConfigurationError) -> ExecPlugin {
        guard !exec.command.isEmpty else { throw exec.value.problem("there is no command") }
        guard let version = ExecPlugin.Version(rawValue: exec.version) else {
            let known = ExecPlugin.Version.allCases.map(\.rawValue).joined(separator: " and ")
            throw exec.value.problem("apiVersion '\(exec.version)' is not supported; \(known) are")
        }
        switch exec.interactiveMode {
        case "Never", "IfAvailable": break
        case "Always":
            throw exec.value.problem("interactiveMode 'Always': nobody is there to answer the program's questions")
        case "":
            guard version == .v1beta1 else {
                throw exec.value.problem("interactiveMode is missing; it must be 'Never' or 'IfAvailable'")
            }
        default: throw exec.value.problem("interactiveMode '\(exec.interactiveMode)' is not 'Never' or 'IfAvailable'")
        }
        return ExecPlugin(
            command: exec.command,
            arguments: exec.arguments,
            environment: exec.environment,
            version: version,
            installHint: exec.installHint,
            needsCluster: exec.needsCluster
        )
    }

    /// Whether the file can be read now, so that a wrong path is found at the start.
    private func check(
        _ source: ByteSource?,
        _ key: String,
        at place: KubeconfigPlace
    ) throws(ClusterConfigurationError) {
        guard let source else { return }
        do { _ = try source.read() } catch { throw place.problem("\(key) \(source): \(error.reason)") }
    }
}
