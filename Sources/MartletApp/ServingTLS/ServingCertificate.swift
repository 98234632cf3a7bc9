import FoundationEssentials
import GatewayCore
import Logging
import NIOSSL
import Synchronization

/// The certificate of a port and what TLS is spoken with it; the files may be followed.
///
/// Safe from any thread: every new connection asks for ``context``.
final class ServingCertificate: Sendable {
    /// Which flags the errors name.
    struct Flags: Sendable {
        let folder: String
        let authority: String

        /// Those of ext_proc.
        static let serving = Flags(folder: "--cert-path", authority: "--tls-client-ca-file")
        /// Those of the metrics port.
        static let metrics = Flags(folder: "--metrics-cert-dir", authority: "--metrics-client-ca-file")
    }

    private let options: ServingTLSOptions
    private let flags: Flags
    private let protocols: [String]
    private let logger: Logger
    private let present: Mutex<NIOSSLContext>
    /// What is watched, as it was before it was first read.
    private let initial: [String: ConfigurationWatcher.Fingerprint]

    /// Reads the files, or makes a certificate that signs itself when the options name none.
    ///
    /// - Parameter protocols: what is agreed on by ALPN.
    /// - Throws: ``CommandError`` for files and words that cannot be used.
    init(
        _ options: ServingTLSOptions,
        flags: Flags = .serving,
        protocols: [String],
        logger: Logger
    ) throws(CommandError) {
        self.options = options
        self.flags = flags
        self.protocols = protocols
        self.logger = logger
        let paths = [options.certificatePath, options.clientAuthorityPath].filter { !$0.isEmpty }
        let isWatched = options.reloads && !options.certificatePath.isEmpty
        initial = Dictionary(
            (isWatched ? paths : []).map { ($0, ConfigurationWatcher.Fingerprint(path: $0)) },
            uniquingKeysWith: { first, _ in first }
        )
        present = Mutex(try Self.makeContext(options, flags: flags, protocols: protocols))
    }

    /// What a new connection is served with.
    var context: NIOSSLContext { present.withLock { $0 } }

    /// Reads the files again. What is wrong with them is logged, and the last good ones stay.
    func reload() {
        do throws(CommandError) {
            let next = try Self.makeContext(options, flags: flags, protocols: protocols)
            present.withLock { $0 = next }
            logger.info("certificate reloaded", metadata: ["path": "\(options.certificatePath)"])
        } catch {
            logger.error("the changed certificate is not used; the last good one stays: \(error)")
        }
    }

    /// The watcher that reads changed files again; `nil` when nothing is to be followed.
    func watcher(clock: any MonotonicClock) -> ConfigurationWatcher? {
        guard !initial.isEmpty else { return nil }
        let paths = Array(initial.keys)
        return ConfigurationWatcher(paths: { paths }, initial: initial, clock: clock) { self.reload() }
    }

    // MARK: - Making

    private static func makeContext(
        _ options: ServingTLSOptions,
        flags: Flags,
        protocols: [String]
    ) throws(CommandError) -> NIOSSLContext {
        let pair = try pair(options, flags: flags)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: pair.chain.map { .certificate($0) },
            privateKey: .privateKey(pair.key)
        )
        tls.applicationProtocols = protocols
        tls.minimumTLSVersion = try TLSWords.version(options.minimumVersion)
        let suites = try TLSWords.suites(options.cipherSuites)
        if !suites.isEmpty { tls.cipherSuiteValues = suites }
        if !options.clientAuthorityPath.isEmpty {
            let authorities = try certificates(options.clientAuthorityPath, flag: flags.authority)
            tls.trustRoots = .certificates(authorities)
            // A client has no host name to check; that it has a certificate is required.
            tls.certificateVerification = .noHostnameVerification
            tls.sendCANameList = true
        }
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            let source =
                options.certificatePath.isEmpty ? "The certificate" : "\(flags.folder) '\(options.certificatePath)'"
            throw CommandError("\(source): the key does not belong to the certificate, or TLS refuses them: \(error).")
        }
    }

    private static func pair(
        _ options: ServingTLSOptions,
        flags: Flags
    ) throws(CommandError) -> (chain: [NIOSSLCertificate], key: NIOSSLPrivateKey) {
        guard !options.certificatePath.isEmpty else { return try SelfSignedCertificate.make() }
        let folder = options.certificatePath
        let chain = try certificates("\(folder)/tls.crt", flag: flags.folder)
        let keyPath = "\(folder)/tls.key"
        let bytes = try read(keyPath, flag: flags.folder)
        do {
            return (chain, try NIOSSLPrivateKey(bytes: bytes, format: .pem))
        } catch {
            throw CommandError("\(flags.folder): '\(keyPath)' has no private key in PEM.")
        }
    }

    private static func certificates(_ path: String, flag: String) throws(CommandError) -> [NIOSSLCertificate] {
        let bytes = try read(path, flag: flag)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw CommandError("\(flag): '\(path)' has no certificate in PEM.")
        }
        return certificates
    }

    private static func read(_ path: String, flag: String) throws(CommandError) -> [UInt8] {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw CommandError("\(flag): '\(path)' cannot be read.")
        }
        return Array(data)
    }
}

extension ExtProcPorts.Certificates {
    /// What follows the files of the certificates.
    func watchers(clock: any MonotonicClock) -> [ConfigurationWatcher] {
        [serving, metrics].compactMap { $0?.watcher(clock: clock) }
    }
}
