import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A Kubernetes API server on loopback for tests: real HTTP and real semantics of lists, watches, writes and access,
/// and wrong where a script says so.
///
/// The state is a pure value under one lock; connections live on event loops. Everything may be called from anywhere.
package final class ScriptedKubernetesAPI: Sendable {
    /// What a server does where real servers differ.
    package struct Settings: Sendable {
        /// What a watch from a compacted version is answered.
        package enum TooOldWatch: String, Sendable {
            /// Status 200 and an ERROR event, as most servers do.
            case event
            /// Status 410.
            case status
        }

        /// What `sendInitialEvents` of a watch does.
        package enum InitialEvents: String, Sendable {
            /// Status 422, as a server without WatchList answers.
            case invalid
            /// Nothing.
            case ignored
            /// The present state, and a bookmark that ends it.
            case supported
        }

        /// How often a watch that allows it is told a bookmark. Default 60 s.
        package var bookmarkInterval: Duration = .seconds(60)
        /// What a watch from a compacted version is answered.
        package var tooOldWatch = TooOldWatch.event
        /// What `sendInitialEvents` of a watch does.
        package var initialEvents = InitialEvents.invalid
        /// How far the server's clock is ahead.
        package var clockSkew: Duration = .zero
        /// How many lines of a watch may wait for a slow client before the watch ends. Default 1,000.
        package var watchQueueLimit = 1_000
        /// How long a pod that was deleted stays; `nil` until the script says.
        package var podsVanishAfter: Duration?

        /// The defaults.
        package init() {}
    }

    /// The files for TLS, in PEM.
    package struct TLSFiles: Sendable {
        /// The server's certificate and those that vouch for it.
        package var certificate: String
        /// The server's key.
        package var key: String
        /// The authority whose client certificates make their owner ``ScriptedKubernetesAPI/setCertificateUser(_:)``;
        /// `nil` to ask for none.
        package var clientAuthority: String?

        /// Names the files.
        package init(certificate: String, key: String, clientAuthority: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.clientAuthority = clientAuthority
        }
    }

    /// What happened so far.
    package struct Log: Sendable {
        /// The requests, oldest first; of many only the last 10,000, without those of the script.
        package var requests: [ScriptedAPIRequest] { entries.map(\.request) }
        /// How many requests there were at all.
        package internal(set) var requestCount = 0
        /// How many watches are open, by the plural of the type.
        package internal(set) var openWatches: [String: Int] = [:]
        /// How many connections are open.
        package internal(set) var connections = 0
        /// How many connections were accepted.
        package internal(set) var accepted = 0
        var entries: [(number: Int, request: ScriptedAPIRequest)] = []
    }

    struct Guarded {
        var state = ClusterState()
        var access = AccessRules()
        var faults = FaultList()
        var settings: Settings
        var watches: [Int: OpenWatch] = [:]
        var watchCount = 0
        var listener: (any Channel)?
        /// Whether new connections are reset: between two listeners the last may still hand some over.
        var isDown = false
        var connections: [ObjectIdentifier: (channel: any Channel, connection: NIOLoopBound<APIConnection>)] = [:]
        var snapshots: [String: ClusterState] = [:]
    }

    /// What happened so far; tests wait on it.
    package let log = ObservedState(Log())
    /// The port on 127.0.0.1.
    package let port: Int
    /// Whether it speaks TLS.
    package let isSecure: Bool
    let guarded: Mutex<Guarded>
    private let tls: NIOSSLContext?
    private let asksForCertificates: Bool

    /// Where the server is.
    package var url: String { "\(isSecure ? "https" : "http")://127.0.0.1:\(port)" }

    /// Starts a server.
    ///
    /// - Parameters:
    ///   - port: the port on 127.0.0.1; `0` for one of the kernel's choice.
    ///   - tls: the files for TLS; `nil` for none.
    ///   - users: who may come, by bearer token; empty for everybody.
    /// - Throws: what the system says when the port is taken or a file cannot be read.
    package static func start(
        port: Int = 0,
        tls: TLSFiles? = nil,
        users: [String: ScriptedAPIUser] = [:],
        settings: Settings = Settings()
    ) async throws -> ScriptedKubernetesAPI {
        let context = try tls.map { try NIOSSLContext(configuration: configuration($0)) }
        let box = Mutex<ScriptedKubernetesAPI?>(nil)
        let listener = try await bind(port: port) { channel in
            // Nobody can know the port before the server is in its box, unless it was given.
            guard let server = box.withLock({ $0 }) else { return channel.close(promise: nil) }
            try server.accept(channel)
        }.get()
        guard let port = listener.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        let server = ScriptedKubernetesAPI(
            port: port, tls: context, asksForCertificates: tls?.clientAuthority != nil, users, settings
        )
        server.guarded.withLock { $0.listener = listener }
        box.withLock { $0 = server }
        return server
    }

    private init(
        port: Int,
        tls: NIOSSLContext?,
        asksForCertificates: Bool,
        _ users: [String: ScriptedAPIUser],
        _ settings: Settings
    ) {
        self.port = port
        self.tls = tls
        self.asksForCertificates = asksForCertificates
        isSecure = tls != nil
        guarded = Mutex(Guarded(access: AccessRules(users: users), settings: settings))
    }

    private static func configuration(_ files: TLSFiles) throws -> TLSConfiguration {
        let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { NIOSSLCertificateSource.certificate($0) }
        let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key)
        )
        configuration.applicationProtocols = ["http/1.1"]
        if let authority = files.clientAuthority {
            configuration.trustRoots = .file(authority)
            configuration.certificateVerification = .noHostnameVerification
        }
        return configuration
    }

    // MARK: - Listening

    private static func bind(
        port: Int,
        accept: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try accept(channel) }
            }
            .bind(host: "127.0.0.1", port: port)
    }

    /// Listens again on the port after ``stopListening()``.
    package func listen() async throws { try await startListening().get() }

    func startListening() -> EventLoopFuture<Void> {
        guarded.withLock { $0.isDown = false }
        return Self.bind(port: port) { [weak self] channel in try self?.accept(channel) }.map { listener in
            self.guarded.withLock { $0.listener = listener }
        }
    }

    /// Stops listening and resets all connections, as a server that dies. The objects stay.
    package func stopListening() async throws { try await endListening(sparing: nil).get() }

    /// Stops listening and resets all connections but one.
    func endListening(sparing spared: APIConnection?) -> EventLoopFuture<Void> {
        let (listener, connections) = guarded.withLock { guarded in
            defer { guarded.listener = nil }
            guarded.isDown = true
            return (guarded.listener, Array(guarded.connections.values))
        }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let spared = spared.map { ObjectIdentifier($0) }
        var ends = [listener?.close() ?? loop.makeSucceededVoidFuture()]
        for (channel, connection) in connections {
            let isSpared = channel.eventLoop.submit {
                if ObjectIdentifier(connection.value) == spared { return true }
                connection.value.reset()
                return false
            }
            ends.append(
                isSpared.flatMap { isSpared in
                    isSpared ? channel.eventLoop.makeSucceededVoidFuture() : channel.closeFuture
                }
            )
        }
        return EventLoopFuture.andAllComplete(ends, on: loop)
    }

    /// Stops for good.
    package func stop() async throws { try await stopListening() }

    private func accept(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let breaker = ConnectionBreaker()
        try pipeline.addHandler(breaker)
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        // The assistance for pipelining reads nothing while an answer lasts, so of a client that ends a watch over TLS
        // it would hide the farewell.
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: true)
        // With an authority set, a connection without a valid certificate does not come this far.
        try pipeline.addHandler(
            APIConnection(server: self, breaker: breaker, hasCertificate: asksForCertificates)
        )
    }

    func opened(_ channel: any Channel, _ connection: APIConnection) {
        let bound = NIOLoopBound(connection, eventLoop: channel.eventLoop)
        let isDown = guarded.withLock { guarded in
            guarded.connections[ObjectIdentifier(channel)] = (channel, bound)
            return guarded.isDown
        }
        if isDown { channel.eventLoop.execute { bound.value.reset() } }
        log.update {
            $0.connections += 1
            $0.accepted += 1
        }
    }

    func closed(_ channel: any Channel) {
        _ = guarded.withLock { $0.connections.removeValue(forKey: ObjectIdentifier(channel)) }
        log.update { $0.connections -= 1 }
    }

    /// The value of the header field `date`.
    func httpDate() -> String {
        let date = now
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // `2026-11-26T22:20:38Z`, always in this form; the first day of 1970 was a Thursday.
        let text = Array(date.formatted(.iso8601))
        func part(_ range: Range<Int>) -> String { String(text[range]) }
        let day = Int((date.timeIntervalSince1970 / 86_400).rounded(.down)) + 4
        let month = months[max(0, min(11, (Int(part(5..<7)) ?? 1) - 1))]
        return "\(days[day % 7]), \(part(8..<10)) \(month) \(part(0..<4)) \(part(11..<19)) GMT"
    }

    // MARK: - State

    /// The present settings.
    package var settings: Settings { guarded.withLock { $0.settings } }

    /// The time by the server's clock.
    var now: Date { Self.now(settings) }

    static func now(_ settings: Settings) -> Date {
        Date().addingTimeInterval(settings.clockSkew / .seconds(1))
    }

    /// Changes the state, and tells those who watch.
    ///
    /// - Parameter isDry: whether everything is as if nothing had happened.
    func change<Result>(
        isDry: Bool = false,
        _ body: (inout ClusterState, Writer) throws(ScriptedAPIFailure) -> Result
    ) throws(ScriptedAPIFailure) -> Result {
        let outcome: Swift.Result<Result, ScriptedAPIFailure> = guarded.withLock { guarded in
            let writer = Writer(now: Self.now(guarded.settings))
            defer { Self.deliver(&guarded) }
            do throws(ScriptedAPIFailure) {
                guard !isDry else {
                    var copy = guarded.state
                    return .success(try body(&copy, writer))
                }
                return .success(try body(&guarded.state, writer))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Tells those who watch what has changed. Called with the lock, so that the order of versions is kept.
    static func deliver(_ guarded: inout Guarded) {
        let changes = guarded.state.store.takeUnseen()
        guard !changes.isEmpty else { return }
        for watch in guarded.watches.values {
            for change in changes where change.type == watch.type.name && change.version > watch.after {
                guard let event = ClusterState.event(of: change, watch.selector) else { continue }
                watch.send(event.line(watch.type, watch.version), limit: guarded.settings.watchQueueLimit)
            }
            // With its type a watch ends.
            if guarded.state.type(watch.type.name)?.versions.contains(watch.version) != true {
                watch.run { $0.endWatch($1) }
            }
        }
    }

    /// Tells one watch the present version, if it wants to know.
    func sendBookmark(_ watch: OpenWatch) {
        guarded.withLock { guarded in
            guard watch.allowsBookmarks else { return }
            let line = WatchEvent.bookmark(watch.type, watch.version, version: guarded.state.store.version)
            watch.send(line, limit: guarded.settings.watchQueueLimit)
        }
    }

    func watchEnded(_ watch: OpenWatch) {
        _ = guarded.withLock { $0.watches.removeValue(forKey: watch.id) }
        log.update { $0.openWatches[watch.type.plural, default: 1] -= 1 }
    }
}
