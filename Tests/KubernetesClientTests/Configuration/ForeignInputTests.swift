import Testing

@testable import KubernetesClient

/// Whatever stands in a file, a variable or a plugin's output, it is read or refused with a sentence.
@Suite("Foreign input of the way to a cluster")
struct ForeignInputTests {
    private static let kubeconfig = """
        apiVersion: v1
        kind: Config
        current-context: "x"
        x-base: &base {server: "https://[fd00::1]:6443/a%20b/", insecure-skip-tls-verify: yes}
        contexts: [{name: x, context: {cluster: c, user: u, namespace: n1}}]
        clusters:
        - name: c
          cluster:
            <<: *base
            proxy-url: 'http://me:p%40ss@127.0.0.1:3128'
            extensions: [{name: client.authentication.k8s.io/exec, extension: {a: 1, b: [x, null, 1.5e3]}}]
        users:
        - name: u
          user:
            token: abc
            client-key-data: |
              YWJj
            client-certificate-data: YWJj
            as: someone
            as-user-extra: {k: [v, w]}
            exec: {apiVersion: client.authentication.k8s.io/v1, command: a, interactiveMode: Never, args: [b]}
        """
    private static let credential = """
        {"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t",
        "clientCertificateData":"a","clientKeyData":"b","expirationTimestamp":"2030-01-02T03:04:05.25+01:00"}}
        """
    private static let odd: [UInt8] = Array("\0\t\n\r :,-[]{}&*!|>'\"%@`#?~<=/\\0123456789eE.+yn\u{FEFF}\u{85}".utf8)

    /// `text` with a few bytes put in, left out or replaced.
    private func mutated(_ text: String, _ random: inout SeededNumbers) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            let byte = Self.odd.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.insert(byte, at: index)
            case 1: bytes.remove(at: index)
            case 2: bytes[index] = byte
            default: bytes.removeSubrange(index..<min(bytes.count, index + 30))
            }
        }
        return bytes
    }

    @Test("Mutated kubeconfig files are read or refused, and most mutations are one of the two for a reason")
    func kubeconfig() throws {
        var random = SeededNumbers(state: 7)
        var outcomes = (read: 0, refused: 0)
        for _ in 0..<1500 {
            let bytes = mutated(Self.kubeconfig, &random)
            do throws(ClusterConfigurationError) {
                _ = try Kubeconfig.parse(bytes, file: "f").configuration()
                outcomes.read += 1
            } catch {
                #expect(error.description.hasPrefix("kubeconfig 'f'"), "\(error)")
                outcomes.refused += 1
            }
        }
        #expect(outcomes.read > 20 && outcomes.refused > 20, "\(outcomes)")
    }

    @Test("Mutated answers of plugins are read or refused")
    func credentials() throws {
        var random = SeededNumbers(state: 8)
        var outcomes = (read: 0, refused: 0)
        for _ in 0..<1500 {
            do throws(ExecCredential.Problem) {
                _ = try ExecCredential(json: mutated(Self.credential, &random), version: .v1)
                outcomes.read += 1
            } catch {
                outcomes.refused += 1
            }
        }
        #expect(outcomes.read > 20 && outcomes.refused > 20, "\(outcomes)")
    }

    @Test("Mutated URLs are read or refused, without their password, and what is read has a host and a port")
    func urls() {
        var random = SeededNumbers(state: 9)
        for _ in 0..<1500 {
            let text = String(decoding: mutated("https://[fd00::1]:6443/a%20b/", &random), as: UTF8.self)
            if let url = try? ServerURL(text) {
                #expect(!url.host.isEmpty && (1...65_535).contains(url.port))
            }
            let proxy = String(decoding: mutated("http://me:SECRET@127.0.0.1:3128", &random), as: UTF8.self)
            do throws(URLProblem) {
                let url = try ProxyURL(proxy)
                #expect(!url.host.isEmpty && (1...65_535).contains(url.port))
            } catch {
                // Without an `@` behind it, it is no password.
                guard let secret = proxy.firstRange(of: "SECRET"), proxy[secret.upperBound...].contains("@") else {
                    continue
                }
                #expect(!error.reason.contains("SECRET"), "\(error.reason)")
            }
        }
    }
}
