import GatewayTesting
import Logging
import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS
import Testing

@testable import MartletApp

@Suite("The certificate of a port")
struct ServingCertificateTests {
    private let folder: TemporaryFolder
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        folder = try TemporaryFolder()
    }

    private func certificate(
        minimumVersion: String = "",
        cipherSuites: [String] = [],
        authority: String = "",
        path: String = ""
    ) throws -> ServingCertificate {
        var options = ServingTLSOptions()
        options.certificatePath = path
        options.minimumVersion = minimumVersion
        options.cipherSuites = cipherSuites
        options.clientAuthorityPath = authority
        options.reloads = !path.isEmpty
        return try ServingCertificate(options, protocols: ["h2"], logger: logger)
    }

    private func refusal(_ make: () throws -> ServingCertificate) -> String {
        do {
            _ = try make()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("a certificate that signs itself is agreed on by those who do not ask, with h2")
    func selfSigned() throws {
        let made = try certificate()
        let result = try Handshake.between(made.context) { $0.certificateVerification = .none }
        #expect(result.isComplete)
        #expect(result.agreedProtocol == "h2")
        let names = try #require(result.serverCertificate)._subjectAlternativeNames()
        #expect(names.contains { Array($0.contents) == Array("localhost".utf8) })
        #expect(names.contains { Array($0.contents) == [127, 0, 0, 1] })
        let (first, last) = (
            try #require(result.serverCertificate).notValidBefore, try #require(result.serverCertificate).notValidAfter
        )
        #expect((first...last).contains(first + 9 * 365 * 86_400))
        #expect(!(first...last).contains(first + 11 * 365 * 86_400))
    }

    @Test("whoever trusts it can check it")
    func trusted() throws {
        let made = try certificate()
        let shown = try #require(
            try Handshake.between(made.context) { $0.certificateVerification = .none }.serverCertificate
        )
        let good = try Handshake.between(made.context) { $0.trustRoots = .certificates([shown]) }
        #expect(good.isComplete)
        let other = try certificate()
        #expect(try !Handshake.between(other.context) { $0.trustRoots = .certificates([shown]) }.isComplete)
    }

    @Test("files of a folder, and their reload")
    func reload() throws {
        let pair = try KeyPair()
        let path = try pair.write(to: folder, name: "one")
        let made = try certificate(path: path)
        #expect(try shown(by: made) == pair.certificate)
        let next = try KeyPair()
        try next.write(to: folder, name: "one")
        #expect(try shown(by: made) == pair.certificate)
        made.reload()
        #expect(try shown(by: made) == next.certificate)
        // The key of another: the last good pair stays.
        try folder.write("one/tls.key", pair.keyText)
        made.reload()
        #expect(try shown(by: made) == next.certificate)
        try folder.write("one/tls.crt", "")
        made.reload()
        #expect(try shown(by: made) == next.certificate)
    }

    @Test("a folder whose link is swapped is followed, as Kubernetes swaps it")
    func swappedLink() async throws {
        let (first, second) = (try KeyPair(), try KeyPair())
        try first.write(to: folder, name: "first")
        try second.write(to: folder, name: "second")
        try folder.link("..data", to: "first")
        try folder.link("tls.crt", to: "..data/tls.crt")
        try folder.link("tls.key", to: "..data/tls.key")
        let made = try certificate(path: folder.path)
        #expect(try shown(by: made) == first.certificate)
        let clock = ManualClock()
        let watcher = try #require(made.watcher(clock: clock))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await watcher.run() }
            try await clock.waitForSleepers(1)
            clock.advance(by: .milliseconds(500))
            try await clock.waitForSleepers(1)
            #expect(try shown(by: made) == first.certificate)
            try folder.link("..data", to: "second")
            clock.advance(by: .milliseconds(500))
            try await clock.waitForSleepers(1)
            #expect(try shown(by: made) == second.certificate)
            group.cancelAll()
        }
        #expect(try certificate().watcher(clock: clock) == nil)
    }

    @Test("files that cannot be used are named")
    func badFiles() throws {
        let path = folder.path
        #expect(refusal { try certificate(path: path) } == "--cert-path: '\(path)/tls.crt' cannot be read.")
        try folder.write("tls.crt", "no certificate")
        #expect(refusal { try certificate(path: path) } == "--cert-path: '\(path)/tls.crt' has no certificate in PEM.")
        let pair = try KeyPair()
        try folder.write("tls.crt", pair.certificateText)
        #expect(refusal { try certificate(path: path) } == "--cert-path: '\(path)/tls.key' cannot be read.")
        try folder.write("tls.key", "no key")
        #expect(refusal { try certificate(path: path) } == "--cert-path: '\(path)/tls.key' has no private key in PEM.")
        try folder.write("tls.key", try KeyPair().keyText)
        #expect(refusal { try certificate(path: path) }.contains("the key does not belong to the certificate"))
        #expect(refusal { try certificate(authority: "/no/ca") } == "--tls-client-ca-file: '/no/ca' cannot be read.")
    }

    @Test("clients must have a certificate of the authority")
    func clientCertificates() throws {
        let (client, stranger) = (try KeyPair(), try KeyPair())
        let authority = try folder.write("ca.crt", client.certificateText)
        let made = try certificate(authority: authority)
        for (pair, isAllowed) in [(client, true), (stranger, false), (nil, false)] {
            let result = try Handshake.between(made.context) { tls in
                tls.certificateVerification = .none
                guard let pair else { return }
                tls.certificateChain = [.certificate(pair.certificate)]
                tls.privateKey = .privateKey(pair.key)
            }
            #expect(result.isComplete == isAllowed)
        }
    }

    @Test("versions and suites")
    func versionsAndSuites() throws {
        let old = try certificate()
        let modern = try certificate(minimumVersion: "VersionTLS13")
        for (made, isComplete) in [(old, true), (modern, false)] {
            let result = try Handshake.between(made.context) { tls in
                tls.certificateVerification = .none
                tls.maximumTLSVersion = .tlsv12
            }
            #expect(result.isComplete == isComplete)
        }
        let narrow = try certificate(
            cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"]
        )
        for (suite, isComplete) in [
            (NIOTLSCipher.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true),
            (.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false),
        ] {
            let result = try Handshake.between(narrow.context) { tls in
                tls.certificateVerification = .none
                tls.maximumTLSVersion = .tlsv12
                tls.cipherSuiteValues = [suite]
            }
            #expect(result.isComplete == isComplete)
        }
    }

    @Test("words that are neither version nor suite")
    func badWords() {
        #expect(
            refusal { try certificate(minimumVersion: "TLS1.2") }
                == "--tls-min-version 'TLS1.2' is not one of VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13."
        )
        #expect(
            refusal { try certificate(cipherSuites: ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265"]) }
                == "--tls-cipher-suites 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA265' is not a suite that can be used (did "
                + "you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256?)."
        )
        #expect(refusal { try certificate(cipherSuites: ["NULL"]) }.contains("'NULL' is not a suite that can be used."))
    }

    private func shown(by certificate: ServingCertificate) throws -> NIOSSLCertificate? {
        try Handshake.between(certificate.context) { $0.certificateVerification = .none }.serverCertificate
    }
}
