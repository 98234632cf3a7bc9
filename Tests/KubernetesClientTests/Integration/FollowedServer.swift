import GatewayTesting
import Logging
import NIOPosix

@testable import KubernetesClient

/// What a reflector has told so far, and what follows from it.
struct ToldGadgets: Sendable, CustomStringConvertible {
    /// A gadget, as far as two are told apart.
    struct Item: Hashable, Sendable {
        let uid: String
        let version: String
        let size: Int
    }

    /// The gadgets by name, built from the events alone.
    private(set) var gadgets: [String: Item] = [:]
    /// How often there was a whole set.
    private(set) var replacements = 0
    /// The changes and removals, in order, with the versions of the changes.
    private(set) var steps: [String] = []
    /// The objects that cannot be read.
    private(set) var malformed: [MalformedObject] = []
    /// Why nothing could be learned.
    private(set) var failures: [APIError] = []

    var description: String { "\(gadgets); steps \(steps), \(malformed), failures \(failures)" }

    mutating func take(_ event: ReflectorEvent<Gadget>) {
        switch event {
        case .replaced(let all):
            replacements += 1
            gadgets = Dictionary(uniqueKeysWithValues: all.map { ($0.metadata.name, Item($0)) })
        case .changed(let gadget):
            gadgets[gadget.metadata.name] = Item(gadget)
            steps.append("\(gadget.metadata.name)@\(gadget.metadata.resourceVersion)")
        case .removed(let name):
            gadgets[name.name] = nil
            steps.append("-\(name.name)")
        case .malformed(let object): malformed.append(object)
        case .waiting(let error): failures.append(error)
        case .resumed: break
        }
    }
}

extension ToldGadgets.Item {
    fileprivate init(_ gadget: Gadget) {
        self.init(uid: gadget.metadata.uid, version: gadget.metadata.resourceVersion, size: gadget.spec.size)
    }
}

/// A scripted API server, and a reflector that follows its gadgets over real connections, by the kubeconfig file that
/// is written for it.
struct FollowedServer: Sendable {
    /// How a test is run.
    struct Options: Sendable {
        /// The server's settings.
        var settings = ScriptedKubernetesAPI.Settings()
        /// How the reflector asks; its waits are short.
        var reflector = ReflectorConfiguration()
        /// The token in the file of the kubeconfig; without one the server lets everybody in.
        var token: String?
        /// Whether the server speaks TLS.
        var isSecure = false

        init() {
            reflector.initialBackoff = .milliseconds(10)
            reflector.maximumBackoff = .milliseconds(100)
        }
    }

    private static let group = "tests.example"
    static let type = ScriptedResourceType(group: group, versions: ["v1"], plural: "gadgets", kind: "Gadget")

    let api: ScriptedKubernetesAPI
    let told: ObservedState<ToldGadgets>
    /// Where the kubeconfig and the file `token` are.
    let folder: TemporaryFolder

    /// Starts a server with the gadgets `a` to `e`, lets `prepare` do what it likes to it, and runs `body` while a
    /// reflector follows it.
    static func run(
        _ options: Options = Options(),
        prepare: (ScriptedKubernetesAPI) throws -> Void = { _ in },
        _ body: (FollowedServer) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        var tls: ScriptedKubernetesAPI.TLSFiles?
        if options.isSecure {
            tls = ScriptedKubernetesAPI.TLSFiles(
                certificate: try folder.write("server.crt", TestCertificate.server.chain),
                key: try folder.write("server.key", TestCertificate.server.key)
            )
        }
        let users = options.token.map { [$0: ScriptedAPIUser(name: "picker")] } ?? [:]
        let api = try await ScriptedKubernetesAPI.start(tls: tls, users: users, settings: options.settings)
        api.register(type)
        let server = FollowedServer(api: api, told: ObservedState(ToldGadgets()), folder: folder)
        for name in ["a", "b", "c", "d", "e"] { try server.put(name) }
        try prepare(api)
        let configuration = try ClusterConfiguration.find(
            path: try server.writeKubeconfig(token: options.token), environment: [:], homeFolder: nil
        )
        try await withTransport(configuration) { transport in
            let reflector = Reflector<Gadget>(
                client: APIClient(transport: transport), query: Gadget.query, configuration: options.reflector,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { event in
                server.told.update { $0.take(event) }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await reflector.run() }
                try await body(server)
                group.cancelAll()
            }
        }
        try await api.stop()
    }

    private func writeKubeconfig(token: String?) throws -> String {
        try folder.write("ca.crt", TestCertificate.authority)
        if let token { try folder.write("token", token) }
        let authority = api.isSecure ? ", certificate-authority: ca.crt" : ""
        return try folder.write(
            "config",
            """
            apiVersion: v1
            kind: Config
            current-context: x
            contexts: [{name: x, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: '\(api.url)'\(authority)}}]
            users: [{name: u, user: {\(token == nil ? "" : "tokenFile: token")}}]
            """
        )
    }

    // MARK: - The server's side

    /// Writes a gadget.
    func put(_ name: String, size: ScriptedJSON = 1, notes: String = "") throws {
        try api.apply([
            "apiVersion": "tests.example/v1", "kind": "Gadget",
            "metadata": [
                "name": .string(name), "namespace": "ns", "annotations": ["notes": .string(notes)],
            ],
            "spec": ["size": size],
        ])
    }

    /// Removes a gadget.
    func remove(_ name: String) throws {
        try api.remove("gadgets", group: Self.group, namespace: "ns", name: name)
    }

    /// A gadget as the server has it.
    func gadget(_ name: String) -> ScriptedJSON? {
        api.object("gadgets", group: Self.group, namespace: "ns", name: name)
    }

    /// The gadgets as the server has them.
    var gadgets: [String: ToldGadgets.Item] {
        var items: [String: ToldGadgets.Item] = [:]
        for object in api.objects("gadgets", group: Self.group) {
            guard let name = object[path: "metadata", "name"]?.text, let uid = object[path: "metadata", "uid"]?.text,
                let version = object[path: "metadata", "resourceVersion"]?.text,
                let size = object[path: "spec", "size"]?.integer
            else { continue }
            items[name] = ToldGadgets.Item(uid: uid, version: version, size: Int(size))
        }
        return items
    }

    /// How many requests with `verb` there were, and how many of them had one of these statuses.
    func count(_ verb: String, status: Int? = nil) -> Int {
        Self.count(verb, status: status, in: api.log.value)
    }

    private static func count(_ verb: String, status: Int?, in log: ScriptedKubernetesAPI.Log) -> Int {
        log.requests.count { $0.verb == verb && (status == nil || $0.status == status) }
    }

    /// Waits until there were so many requests with `verb`, and a status if one is given.
    func wait(for count: Int, _ verb: String, status: Int? = nil) async throws {
        try await api.log.wait(for: "\(count) × \(verb)") { Self.count(verb, status: status, in: $0) >= count }
    }

    /// Waits until as many watches are open.
    func waitForWatch() async throws {
        try await api.log.wait(for: "the watch") { $0.openWatches["gadgets"] == 1 }
    }

    // MARK: - Both sides

    /// Waits until what was told makes the same gadgets as the server has. Nobody may write meanwhile.
    func converge() async throws {
        let gadgets = gadgets
        try await told.wait(for: "the server's gadgets \(gadgets)") { $0.replacements > 0 && $0.gadgets == gadgets }
    }

    /// Writes, changes and removes, and waits until all of it is known.
    func convergeAfterWrites() async throws {
        try put("late", size: 7)
        try put("b", size: 8)
        if gadget("c") != nil { try remove("c") }
        try await converge()
    }
}
