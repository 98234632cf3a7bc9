import Testing

@testable import KubernetesClient

@Suite("Kubeconfig files")
struct KubeconfigTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A file with everything that an entry may have.
    private static let full =
        """
        apiVersion: v1
        kind: Config
        preferences: {colors: true}
        current-context: x
        contexts:
        - name: x
          context: {cluster: c, user: u, namespace: ns, extensions: []}
        - name: other
          context: {cluster: c, user: plugin}
        clusters:
        - name: c
          cluster:
            server: https://[fd00::1]:6443/k8s/clusters/a/
            certificate-authority: ca.crt
            tls-server-name: api.test
            proxy-url: socks5://127.0.0.1
            disable-compression: true
            extensions:
            - name: client.authentication.k8s.io/exec
              extension: {a: 1, b: [x, null, 1.5, on], c: {d: "1"}}
        users:
        - name: u
          user:
            tokenFile: ./token
            client-certificate-data: YWJj
            client-key-data: |
              ZGVm
            as: someone
            as-uid: "7"
            as-groups: [a, b]
            as-user-extra: {k: [v, w]}
        - name: plugin
          user:
            exec:
              apiVersion: client.authentication.k8s.io/v1
              command: bin/login
              args: [--for, "1"]
              env: [{name: A, value: b}]
              installHint: Install it.
              provideClusterInfo: true
              interactiveMode: IfAvailable
        """

    /// A file with one context.
    private func file(cluster: String = "{server: 'https://h:6443'}", user: String = "{}") -> String {
        """
        apiVersion: v1
        kind: Config
        current-context: x
        contexts: [{name: x, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: \(cluster)}]
        users: [{name: u, user: \(user)}]
        """
    }

    /// The configuration of a file, or the sentence of what is wrong with it, without the file's name.
    private func outcome(_ text: String) throws -> String {
        let path = try folder.write("config", text)
        do {
            return "\(try Kubeconfig.read(path).configuration())"
        } catch {
            return error.description.replacing("kubeconfig '\(path)': ", with: "").replacing(
                folder.path, with: "FOLDER")
        }
    }

    @Test("Everything that an entry may have")
    func everything() throws {
        try folder.write("sub/ca.crt", TestCertificate.authority)
        try folder.write("sub/token", "t")
        let path = try folder.write(
            "sub/config", Self.full)
        let kubeconfig = try Kubeconfig.read(path)
        let configuration = try kubeconfig.configuration()
        #expect(configuration.server == ServerURL(isSecure: true, host: "fd00::1", port: 6443, path: "/k8s/clusters/a"))
        #expect("\(configuration.server)" == "https://[fd00::1]:6443/k8s/clusters/a")
        #expect(configuration.namespace == "ns")
        #expect(configuration.trust.authorities == .file("\(folder.path)/sub/ca.crt"))
        #expect(configuration.trust.serverName == "api.test")
        #expect(configuration.proxy.map { "\($0)" } == "socks5://127.0.0.1:1080")
        #expect(configuration.source == "kubeconfig '\(path)', context 'x'")
        let credentials = configuration.credentials
        #expect(credentials.authorization == .tokenFile("\(folder.path)/sub/token", initial: nil))
        #expect(credentials.certificate == .init(chain: .data(Array("abc".utf8)), key: .data(Array("def".utf8))))
        var whom = Impersonation(user: "someone")
        whom.uid = "7"
        whom.groups = ["a", "b"]
        whom.extra = ["k": ["v", "w"]]
        #expect(credentials.impersonation == whom)
        let plugin = try kubeconfig.configuration(context: "other").credentials.plugin
        #expect(
            plugin
                == ExecPlugin(
                    command: "\(folder.path)/sub/bin/login", arguments: ["--for", "1"],
                    environment: [.init(name: "A", value: "b")], version: .v1, installHint: "Install it.",
                    needsCluster: true,
                    clusterExtension: .object([
                        "a": .integer(1),
                        "b": .array([.string("x"), .null, .number(1.5), .bool(true)]),
                        "c": .object(["d": .string("1")]),
                    ])))
    }

    @Test("Of files in a list the first one wins for each name, and files that are not there are passed over")
    func merging() throws {
        let first = try folder.write(
            "a/config",
            """
            current-context: ""
            users: [{name: red, user: {token: first}}]
            contexts: [{name: x, context: {cluster: c, user: red}}]
            """)
        let second = try folder.write(
            "b/config",
            """
            current-context: x
            users: [{name: red, user: {token: second, client-certificate-data: YQ==}}, {name: blue, user: {token: b}}]
            contexts: [{name: x, context: {cluster: c, user: blue, namespace: ns}}]
            clusters: [{name: c, cluster: {server: "https://b", certificate-authority: ca.crt}}]
            """)
        try folder.write("b/ca.crt", TestCertificate.authority)
        let list = "\(folder.path)/missing:\(first)::\(second):\(first)"
        let configuration = try Kubeconfig.read(list: list).configuration()
        #expect(configuration.credentials == ClientCredentials(authorization: .token("first")))
        #expect(configuration.namespace == "default")
        #expect(configuration.trust.authorities == .file("\(folder.path)/b/ca.crt"))
        #expect(configuration.source == "kubeconfig '\(first)', '\(second)', context 'x'")
        let error = #expect(throws: ClusterConfigurationError.self) { try Kubeconfig.read(list: "/no/a:/no/b") }
        #expect(error?.description == "KUBECONFIG: none of the files of '/no/a:/no/b' exists")
    }

    @Test("Odd files that kubectl reads too")
    func odd() throws {
        let config = """
            base: &base {token: abc}
            users: [{name: u, user: {<<: *base}}]
            clusters: [{name: c, cluster: {server: "h:1", insecure-skip-tls-verify: yes, unknown: [&a {}, *a]}}]
            contexts: [{name: x, context: {cluster: c, user: u, namespace: 2001-01-01}}]
            current-context: x
            ---
            current-context: another document
            """
        let configuration = try Kubeconfig.read(try folder.write("config", config)).configuration()
        #expect(configuration.credentials.authorization == .token("abc"))
        #expect("\(configuration.server)" == "https://h:1")
        #expect(configuration.trust.skipsVerification)
        #expect(configuration.namespace == "2001-01-01")
        let words = try Kubeconfig.parse(
            Array("\u{FEFF}users: [{name: a, user: {token: oN}}, {name: b, user: {token: ~}}]".utf8), file: "f")
        #expect(words.users["a"]?.token == "oN")
        #expect(words.users["b"]?.token == "")
        let json =
            #"{"current-context": "x",\#t"contexts": [{"name": "x", "context": {"cluster": "c", "user": ""}}], "#
            + #""clusters": [{"name": "c", "cluster": {"server": "127.0.0.1:80"}}], "users": null}"#
        let plain = try Kubeconfig.read(try folder.write("config", json)).configuration()
        #expect("\(plain.server)" == "http://127.0.0.1")
        #expect(plain.credentials == ClientCredentials())
    }

    private static let exec = "apiVersion: client.authentication.k8s.io/v1, command: a, interactiveMode: Never"

    @Test(
        "What is wrong is said, with where it stands and what stands there",
        arguments: [
            ("{token: 123}", #"users["u"].user.token: no text where text is expected; quote it if it is text"#),
            ("{as: yes}", #"users["u"].user.as: true where text is expected; quote it if it is text"#),
            ("{as-uid: [a]}", #"users["u"].user.as-uid: a list where text is expected; quote it if it is text"#),
            ("[a]", #"users["u"].user: a list where an object is expected"#),
            ("{client-key-data: '!'}", #"users["u"].user.client-key-data: the text, of 1 bytes, is not base64"#),
            ("{client-certificate-data: YQ==}", #"users["u"].user: a client-certificate without a client-key"#),
            ("{client-key-data: YQ==}", #"users["u"].user: a client-key without a client-certificate"#),
            ("{tokenFile: gone}", #"users["u"].user: tokenFile 'FOLDER/gone': there is no such file"#),
            (
                "{token: a, username: b}",
                #"users["u"].user: a token and a user's name with a password; only one of them can be shown"#
            ),
            ("{as-groups: [a]}", #"users["u"].user: as-uid, as-groups and as-user-extra need a user to act as"#),
            (
                "{auth-provider: {name: gcp}}",
                #"users["u"].user: auth-provider 'gcp': providers are gone; use an exec plugin instead"#
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: a}}",
                #"users["u"].user.exec: apiVersion 'client.authentication.k8s.io/v1alpha1' is not supported; "#
                    + "client.authentication.k8s.io/v1 and client.authentication.k8s.io/v1beta1 are"
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}",
                #"users["u"].user.exec: there is no command"#
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: a}}",
                #"users["u"].user.exec: interactiveMode is missing; it must be 'Never' or 'IfAvailable'"#
            ),
            (
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: a, interactiveMode: Always}}",
                #"users["u"].user.exec: interactiveMode 'Always': nobody is there to answer the program's questions"#
            ),
            (
                "{exec: {\(exec), env: [{name: A=, value: b}]}}",
                #"users["u"].user.exec.env[0]: 'A=' is no variable's name"#
            ),
            (
                "{exec: {\(exec), args: [1]}}",
                #"users["u"].user.exec.args[0]: the number 1 where text is expected; "# + "quote it if it is text"
            ),
        ])
    func wrongUser(user: String, expected: String) throws {
        #expect(try outcome(file(user: user)) == expected)
    }

    @Test(
        "What is wrong with a cluster",
        arguments: [
            ("{}", #"clusters["c"].cluster: there is no server"#),
            ("{server: 'ftp://a'}", #"clusters["c"].cluster: server: the scheme of 'ftp://a' is not http or https"#),
            ("{server: 'a:1/b'}", #"clusters["c"].cluster: server: 'a:1/b' must be a URL, or a host with a port"#),
            (
                "{server: 'https://a?b=c'}",
                #"clusters["c"].cluster: server: 'https://a?b=c' has a query or a fragment, which mean nothing here"#
            ),
            ("{server: 'https://a:70000'}", #"clusters["c"].cluster: server: 'https://a:70000': 70000 is not a port"#),
            ("{server: 'https://'}", #"clusters["c"].cluster: server: 'https://' has no host"#),
            (
                "{server: 'https://me:pass@a'}",
                #"clusters["c"].cluster: server: 'https://…@a' holds a user; "#
                    + "the credentials belong to the user's entry"
            ),
            (
                "{server: a, certificate-authority: gone}",
                #"clusters["c"].cluster: certificate-authority 'FOLDER/gone': there is no such file"#
            ),
            (
                "{server: a, certificate-authority-data: YQ==, insecure-skip-tls-verify: true}",
                #"clusters["c"].cluster: a certificate authority means nothing beside insecure-skip-tls-verify"#
            ),
            (
                "{server: a, insecure-skip-tls-verify: 'true'}",
                #"clusters["c"].cluster.insecure-skip-tls-verify: the text 'true' where true or false is expected"#
            ),
            (
                "{server: a, proxy-url: 'https://me:pass@p'}",
                #"clusters["c"].cluster: proxy-url: 'https://…@p': TLS to a proxy is not supported, "#
                    + "only http and socks5 are"
            ),
            (
                "{server: a, proxy-url: 'p:1'}",
                #"clusters["c"].cluster: proxy-url: 'p:1' is not a URL; it must begin with http:// or socks5://"#
            ),
            (
                "{server: a, proxy-url: 'socks5h://p'}",
                #"clusters["c"].cluster: proxy-url: the scheme of 'socks5h://p' is not http or socks5"#
            ),
            (
                "{server: a, proxy-url: 'socks5://me@p'}",
                #"clusters["c"].cluster: proxy-url: 'socks5://…@p': a user of a SOCKS proxy is not supported"#
            ),
        ])
    func wrongCluster(cluster: String, expected: String) throws {
        #expect(try outcome(file(cluster: cluster)) == expected)
    }

    @Test("What is wrong with a file")
    func wrongFile() throws {
        #expect(try outcome("apiVersion: v2\nkind: Config") == "the file is a 'Config' of 'v2', not a 'Config' of 'v1'")
        #expect(try outcome("hello") == "the text 'hello' where an object is expected")
        #expect(try outcome("users: {a: b}") == "users: an object where a list is expected")
        #expect(try outcome("a: SECRET\n  b: [").hasPrefix("not YAML: mapping values are not allowed"))
        #expect(try !outcome("a: SECRET\n  b: [").contains("SECRET"))
        #expect(try outcome("a: 1\na: 2") == "not YAML: 'a' is written twice at line 1")
        #expect(try outcome("") == "current-context: no context is chosen")
        #expect(try outcome("current-context: z") == "contexts: there is no context 'z'")
        let dangling = "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]"
        #expect(try outcome(dangling) == #"contexts["x"].context: there is no cluster 'c'"#)
        let twice = "clusters: [{name: c, cluster: {server: a}}, {name: c}]"
        #expect(try outcome(twice) == "clusters[1]: the name 'c' is used twice in clusters")
        let noUser = file().replacing("user: u}", with: "user: v}")
        #expect(try outcome(noUser) == #"contexts["x"].context: there is no user 'v'"#)
    }

    @Test("Descriptions hold no secrets")
    func secrets() throws {
        let users = [
            "{token: SECRET}", "{username: me, password: SECRET}",
            "{client-certificate-data: U0VDUkVU, client-key-data: U0VDUkVU}",
            "{exec: {\(Self.exec), args: [SECRET], env: [{name: A, value: SECRET}]}}",
        ]
        for user in users {
            let text = try outcome(file(cluster: "{server: 'https://h', proxy-url: 'http://me:SECRET@p'}", user: user))
            #expect(text.contains("https://h") && !text.contains("SECRET") && !text.contains("83, 69"), "\(text)")
        }
    }
}
