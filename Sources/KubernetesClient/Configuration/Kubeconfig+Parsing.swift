extension Kubeconfig {
    /// The name under which a cluster's entry has what its plugin is told (`client.authentication.k8s.io` API).
    private static let pluginExtensionName = "client.authentication.k8s.io/exec"

    /// The content of one file.
    static func parse(_ bytes: [UInt8], file: String) throws(ClusterConfigurationError) -> Kubeconfig {
        // Editors of some systems put a byte order mark first.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        guard let text = String(validating: bytes.starts(with: mark) ? bytes[3...] : bytes[...], as: UTF8.self) else {
            throw ClusterConfigurationError(source: "kubeconfig '\(file)'", reason: "the file is not text in UTF-8")
        }
        var config = Kubeconfig()
        config.files = [file]
        guard let root = try KubeconfigValue.root(of: text, file: file) else { return config }
        let version = try root.text("apiVersion")
        let kind = try root.text("kind")
        guard version.isEmpty || version == "v1", kind.isEmpty || kind == "Config" else {
            throw root.problem("the file is a '\(kind)' of '\(version)', not a 'Config' of 'v1'")
        }
        config.currentContext = try root.text("current-context")
        config.clusters = try entries("clusters", "cluster", of: root, cluster)
        config.users = try entries("users", "user", of: root, user)
        config.contexts = try entries("contexts", "context", of: root, context)
        return config
    }

    /// The list under `list`, each entry of which has a name and its content under `key`.
    private static func entries<Entry>(
        _ list: String,
        _ key: String,
        of root: KubeconfigValue,
        _ parse: (KubeconfigValue?, KubeconfigPlace) throws(ClusterConfigurationError) -> Entry
    ) throws(ClusterConfigurationError) -> [String: Entry] {
        var entries: [String: Entry] = [:]
        for element in try root.list(list) {
            let name = try element.text("name")
            guard entries[name] == nil else { throw element.problem("the name '\(name)' is used twice in \(list)") }
            let content = try element.member(key).map {
                KubeconfigValue(node: $0.node, file: $0.file, place: "\(list)[\"\(name)\"].\(key)")
            }
            let place = KubeconfigPlace(file: root.file, place: "\(list)[\"\(name)\"].\(key)")
            entries[name] = try parse(content, place)
        }
        return entries
    }

    private static func cluster(
        _ value: KubeconfigValue?,
        _ place: KubeconfigPlace
    ) throws(ClusterConfigurationError) -> Cluster {
        var cluster = Cluster(value: place)
        guard let value else { return cluster }
        cluster.server = try value.text("server")
        cluster.serverName = try value.text("tls-server-name")
        cluster.skipsVerification = try value.flag("insecure-skip-tls-verify")
        cluster.authorities = try bytes("certificate-authority", of: value)
        cluster.proxy = try value.text("proxy-url")
        for element in try value.list("extensions") where try element.text("name") == pluginExtensionName {
            cluster.pluginExtension = try element.member("extension")?.json()
        }
        return cluster
    }

    private static func user(
        _ value: KubeconfigValue?,
        _ place: KubeconfigPlace
    ) throws(ClusterConfigurationError) -> User {
        var user = User(value: place)
        guard let value else { return user }
        user.token = try value.text("token")
        user.tokenFile = resolve(try value.text("tokenFile"), file: value.file)
        user.name = try value.text("username")
        user.password = try value.text("password")
        user.certificate = try bytes("client-certificate", of: value)
        user.key = try bytes("client-key", of: value)
        user.impersonation.user = try value.text("as")
        user.impersonation.uid = try value.text("as-uid")
        user.impersonation.groups = try value.texts("as-groups")
        user.impersonation.extra = try value.textLists("as-user-extra")
        if let provider = try value.member("auth-provider") { user.provider = try provider.text("name") }
        if let exec = try value.member("exec") { user.exec = try self.exec(exec) }
        return user
    }

    private static func exec(_ value: KubeconfigValue) throws(ClusterConfigurationError) -> Exec {
        var exec = Exec(value: KubeconfigPlace(file: value.file, place: value.place))
        exec.command = try value.text("command")
        // A name alone is looked for in PATH.
        if exec.command.contains("/") { exec.command = resolve(exec.command, file: value.file) }
        exec.arguments = try value.texts("args")
        for variable in try value.list("env") {
            let name = try variable.text("name")
            guard !name.isEmpty, !name.contains("=") else { throw variable.problem("'\(name)' is no variable's name") }
            exec.environment.append(ExecPlugin.Variable(name: name, value: try variable.text("value")))
        }
        exec.version = try value.text("apiVersion")
        exec.installHint = try value.text("installHint")
        exec.interactiveMode = try value.text("interactiveMode")
        exec.needsCluster = try value.flag("provideClusterInfo")
        return exec
    }

    private static func context(
        _ value: KubeconfigValue?,
        _ place: KubeconfigPlace
    ) throws(ClusterConfigurationError) -> Context {
        var context = Context(value: place)
        guard let value else { return context }
        context.cluster = try value.text("cluster")
        context.user = try value.text("user")
        context.namespace = try value.text("namespace")
        return context
    }

    /// What stands under `key` with `-data` behind it, or else in the file that `key` names.
    private static func bytes(
        _ key: String,
        of value: KubeconfigValue
    ) throws(ClusterConfigurationError) -> ByteSource? {
        let path = try value.text(key)
        if let data = try value.bytes("\(key)-data") { return .data(data) }
        return path.isEmpty ? nil : .file(resolve(path, file: value.file))
    }

    /// `path` as it is when it is absolute or empty, and otherwise from the folder of the file it stands in.
    private static func resolve(_ path: String, file: String) -> String {
        guard !path.isEmpty, !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return String(file[...slash]) + (path.hasPrefix("./") ? path.dropFirst(2) : path[...])
    }
}
