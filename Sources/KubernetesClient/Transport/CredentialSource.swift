import FoundationEssentials
import Logging
import NIOSSL

/// What a client shows now, and what it trusts: files are read again, plugins run again, when that is due.
final class CredentialSource: Sendable {
    /// What one request shows.
    struct Shown: Sendable {
        /// The `Authorization` field; `nil` for none.
        let authorization: String?
        /// What TLS is spoken with; `nil` without TLS.
        let tls: TLSConfiguration?
        fileprivate let tlsGeneration: Int?
        fileprivate let tokenGeneration: Int?
        fileprivate let plugin: Renewed<ExecCredential>.Held?
    }

    /// How often things are read.
    struct Timing: Sendable {
        /// How old what was read from a file may be.
        var filesFreshFor = Duration.seconds(60)
        /// How long a plugin may take.
        var pluginLimit = Duration.seconds(60)
        /// The shortest time between two runs of a plugin that did not help.
        var pluginPause = Duration.seconds(10)
        /// Instants and the calendar.
        var now: @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
        var date: @Sendable () -> Date = { Date() }
    }

    private let fixedAuthorization: String?
    private let tls: Renewed<TLSConfiguration>?
    private let token: Renewed<String>?
    private let plugin: Renewed<ExecCredential>?

    /// Reads and runs nothing yet.
    init(_ configuration: ClusterConfiguration, verifiesHostItself: Bool, timing: Timing, logger: Logger) {
        let onStale: @Sendable (APIError) -> Void = { error in
            logger.warning("what is shown to the API server cannot be renewed; the old stays in use: \(error)")
        }
        switch configuration.credentials.authorization {
        case .none:
            fixedAuthorization = nil
            token = nil
        case .token(let text):
            fixedAuthorization = "Bearer \(text)"
            token = nil
        case .basic(let user, let password):
            fixedAuthorization = "Basic \(Data("\(user):\(password)".utf8).base64EncodedString())"
            token = nil
        case .tokenFile(let path, let initial):
            fixedAuthorization = nil
            token = Self.token(path, initial: initial, timing: timing, onStale: onStale)
        }
        let material = TLSMaterial(
            trust: configuration.trust,
            certificate: configuration.credentials.certificate,
            verifiesHostItself: verifiesHostItself
        )
        tls = configuration.server.isSecure ? Self.tls(material, timing: timing, onStale: onStale) : nil
        plugin = configuration.credentials.plugin.map { plugin in
            let runner = ExecPluginRunner(plugin: plugin, cluster: configuration, limit: timing.pluginLimit)
            return Self.plugin(runner, timing: timing, onStale: onStale)
        }
    }

    /// What the next request shows.
    func current() async throws(APIError) -> Shown {
        let tls = try await self.tls?.current()
        let token = try await self.token?.current()
        let plugin = try await self.plugin?.current()
        var configuration = tls?.value
        if configuration?.privateKey == nil, let certificate = plugin?.value.certificate {
            do throws(TLSMaterial.Problem) {
                let pair = try TLSMaterial.pair(
                    chain: Array(certificate.chain.utf8), key: Array(certificate.key.utf8), of: "the plugin's output")
                configuration?.certificateChain = pair.chain.map { .certificate($0) }
                configuration?.privateKey = .privateKey(pair.key)
            } catch {
                throw .unauthenticated("The plugin's output cannot be used: \(error.reason).")
            }
        }
        let authorization =
            fixedAuthorization ?? (token?.value ?? plugin?.value.token).map { "Bearer \($0)" }
        return Shown(
            authorization: authorization, tls: configuration, tlsGeneration: tls?.generation,
            tokenGeneration: token?.generation, plugin: plugin)
    }

    /// What can be shown instead of what the server did not accept; `nil` when there is nothing else.
    func replacement(for shown: Shown) async -> Shown? {
        tlsFailed(with: shown)
        if let generation = shown.tokenGeneration { token?.refuse(generation) }
        if let held = shown.plugin { plugin?.refuse(held.generation) }
        guard let next = try? await current() else { return nil }
        if next.authorization != shown.authorization { return next }
        guard let tls = next.tls, let before = shown.tls else { return nil }
        return tls.bestEffortEquals(before) ? nil : next
    }

    /// Has the certificates read again for the next connection: a handshake failed with these.
    func tlsFailed(with shown: Shown) {
        if let generation = shown.tlsGeneration { tls?.refuse(generation) }
    }

    // MARK: - Making

    private static func token(
        _ path: String,
        initial: String?,
        timing: Timing,
        onStale: @escaping @Sendable (APIError) -> Void
    ) -> Renewed<String> {
        Renewed(now: timing.now, onStale: onStale) { () throws(APIError) in
            do throws(SmallFile.Problem) {
                return .init(value: try SmallFile.readToken(path), freshFor: timing.filesFreshFor)
            } catch {
                if let initial { return .init(value: initial, freshFor: .zero) }
                throw .unauthenticated("There is no token for the API server in '\(path)': \(error.reason).")
            }
        }
    }

    private static func tls(
        _ material: TLSMaterial,
        timing: Timing,
        onStale: @escaping @Sendable (APIError) -> Void
    ) -> Renewed<TLSConfiguration> {
        Renewed(now: timing.now, onStale: onStale) { () throws(APIError) in
            do throws(TLSMaterial.Problem) {
                return .init(
                    value: try material.load(), freshFor: material.hasFiles ? timing.filesFreshFor : nil)
            } catch {
                throw .unauthenticated("There is no TLS to the API server: \(error.reason).")
            }
        }
    }

    private static func plugin(
        _ runner: ExecPluginRunner,
        timing: Timing,
        onStale: @escaping @Sendable (APIError) -> Void
    ) -> Renewed<ExecCredential> {
        let pace = RenewalState<ExecCredential>.Pace(retryDelay: timing.pluginPause, leastAge: timing.pluginPause)
        return Renewed(pace: pace, now: timing.now, onStale: onStale) { () throws(APIError) in
            let credential = try await runner.run()
            guard let expiration = credential.expiration else { return .init(value: credential) }
            // What has expired already, perhaps by a wrong clock, is tried once, and not thrown away for every request.
            let validFor = max(.seconds(expiration.timeIntervalSince(timing.date())), timing.pluginPause)
            return .init(value: credential, freshFor: validFor - min(.seconds(60), validFor / 10), validFor: validFor)
        }
    }
}
