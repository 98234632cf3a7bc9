import GatewayTesting
import KubernetesClient
import NIOSSL
import Testing

/// A server that says who asked, and a tunnel before it.
private func withTunnel(
    _ kind: Tunnel.Kind,
    _ body: (_ tunnel: Tunnel, _ server: ScriptedServer) async throws -> Void
) async throws {
    let server = try await ScriptedServer.start { _ in [.send(answer("200 OK", "x"))] }
    let tunnel = try await Tunnel.start(kind, to: server.port)
    try await body(tunnel, server)
    try await tunnel.stop()
    try await server.stop()
}

@Suite("TLS to an API server", .timeLimit(.minutes(1)))
struct TLSTests {
    private static let authority = ByteSource.data(Array(TestCertificate.authority.utf8))
    private static let otherAuthority = ByteSource.data(Array(TestCertificate.otherAuthority.utf8))

    /// The sentence of the failure of a request.
    private func failure(_ transport: HTTPTransport) async -> String {
        do { return "no failure: \(try await transport.text())" } catch { return unreachable(error) }
    }

    @Test("A server that the authority signed is believed, also under its IPv6 address and its name")
    func trusted() async throws {
        try await withTunnel(.tls(.server)) { tunnel, server in
            try await withTransport(.secure(port: tunnel.port)) { transport in
                try await transport.expect("200 x")
                try await transport.expect("200 x")
            }
            #expect(tunnel.log.value.accepted == 1)
            #expect(server.log.value.requests.first?.values("Host") == ["127.0.0.1:\(tunnel.port)"])
        }
    }

    @Test(
        "A server of another authority, or with another name, is not believed",
        arguments: [
            (TestCertificate.otherServer, ServerTrust(authorities: authority)),
            (.server, ServerTrust(authorities: otherAuthority)),
            (.server, ServerTrust()),
            (.namedServer, ServerTrust(authorities: authority)),
            (.namedServer, ServerTrust(authorities: authority, serverName: "other.test")),
            (.server, ServerTrust(authorities: authority, serverName: "127.0.0.2")),
        ])
    func untrusted(certificate: TestCertificate, trust: ServerTrust) async throws {
        try await withTunnel(.tls(certificate)) { tunnel, server in
            try await withTransport(.secure(port: tunnel.port, trust: trust)) { transport in
                let text = await failure(transport)
                #expect(text.contains("https://127.0.0.1:\(tunnel.port) (test) is not believed"), "\(text)")
            }
            #expect(server.log.value.accepted == 0)
        }
    }

    @Test(
        "The name of the configuration counts, not that of the URL; or none at all",
        arguments: [
            (TestCertificate.namedServer, ServerTrust(authorities: authority, serverName: "API.test")),
            (.namedServer, ServerTrust(skipsVerification: true)),
            (.otherServer, ServerTrust(skipsVerification: true)),
            (.server, ServerTrust(authorities: authority, serverName: "::1")),
            (.server, ServerTrust(authorities: authority, serverName: "127.0.0.1")),
        ])
    func otherName(certificate: TestCertificate, trust: ServerTrust) async throws {
        try await withTunnel(.tls(certificate)) { tunnel, server in
            try await withTransport(.secure(port: tunnel.port, trust: trust)) { transport in
                try await transport.expect("200 x")
            }
            #expect(server.log.value.requests.first?.values("Host") == ["127.0.0.1:\(tunnel.port)"])
        }
    }

    @Test("Old versions of TLS are not spoken")
    func oldVersion() async throws {
        try await withTunnel(.tls(.server, upTo: .tlsv11)) { tunnel, _ in
            try await withTransport(.secure(port: tunnel.port)) { transport in
                let text = await failure(transport)
                #expect(text.contains("broke TLS, or does not believe this client: "), "\(text)")
            }
        }
        try await withTunnel(.tls(.server, upTo: .tlsv12)) { tunnel, _ in
            try await withTransport(.secure(port: tunnel.port)) { transport in try await transport.expect("200 x") }
        }
    }

    @Test("An authority that is replaced is noticed by the request after the one that failed")
    func replacedAuthority() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("ca.crt", TestCertificate.otherAuthority)
        try await withTunnel(.tls(.server)) { tunnel, _ in
            try await withTransport(
                .secure(port: tunnel.port, trust: ServerTrust(authorities: .file(file)))
            ) { transport in
                #expect(await failure(transport).contains("is not believed"))
                try folder.write("ca.crt", TestCertificate.authority)
                try await transport.expect("200 x")
            }
        }
    }

    @Test("An authority that cannot be read is an error; one that was read before stays in use")
    func lostAuthority() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("ca.crt", "nothing")
        let clock = TestClock()
        try await withTunnel(.tls(.server)) { tunnel, _ in
            let configuration = ClusterConfiguration.secure(
                port: tunnel.port, trust: ServerTrust(authorities: .file(file)))
            try await withTransport(configuration, now: clock.now) { transport in
                let error = await #expect(throws: APIError.self) { _ = try await transport.text() }
                #expect(
                    error?.description
                        == "There is no TLS to the API server: the certificate authority in '\(file)' is not PEM.")
                try folder.write("ca.crt", TestCertificate.authority)
                try await transport.expect("200 x")
                try folder.remove("ca.crt")
                clock.advance(by: .seconds(61))
                try await transport.expect("200 x")
            }
        }
    }

    @Test("A client shows its certificate, and the new one when the files were replaced")
    func clientCertificate() async throws {
        let folder = try TemporaryFolder()
        let credentials = ClientCredentials(
            certificate: .init(
                chain: .file(try folder.write("tls.crt", TestCertificate.client.chain)),
                key: .file(try folder.write("tls.key", TestCertificate.client.key))))
        let clock = TestClock()
        try await withTunnel(.tls(.server, asksForCertificates: true)) { tunnel, _ in
            try await withTransport(.secure(port: tunnel.port)) { transport in
                let text = await failure(transport)
                #expect(text.contains("wants a client certificate, and there is none to show"), "\(text)")
            }
            let configuration = ClusterConfiguration.secure(port: tunnel.port, credentials: credentials)
            try await withTransport(configuration, now: clock.now) { transport in
                try await transport.expect("200 x")
                // Half of a pair is of no use yet.
                try folder.write("tls.crt", TestCertificate.secondClient.chain)
                clock.advance(by: .seconds(61))
                try await transport.expect("200 x")
                try folder.write("tls.key", TestCertificate.secondClient.key)
                clock.advance(by: .seconds(61))
                try await transport.expect("200 x")
                try await transport.expect("200 x")
            }
            let serials = tunnel.log.value.clients
            #expect(
                serials == [try TestCertificate.client.serialNumber, try TestCertificate.secondClient.serialNumber])
        }
    }
}

@Suite("Proxies before an API server", .timeLimit(.minutes(1)))
struct ProxyTests {
    /// A server with TLS, a proxy before it, and a transport through the proxy to `https://host:443`.
    private func withProxy(
        _ kind: Tunnel.Kind,
        scheme: String,
        host: String,
        certificate: TestCertificate = .server,
        serverName: String? = nil,
        _ body: (HTTPTransport, Tunnel) async throws -> Void
    ) async throws {
        try await withTunnel(.tls(certificate)) { tunnel, _ in
            let proxy = try await Tunnel.start(kind, to: tunnel.port)
            let trust = ServerTrust(
                authorities: .data(Array(TestCertificate.authority.utf8)), serverName: serverName)
            let configuration = ClusterConfiguration.secure(
                port: 443, host: host, trust: trust, proxy: try ProxyURL("\(scheme)127.0.0.1:\(proxy.port)"))
            try await withTransport(configuration) { transport in try await body(transport, proxy) }
            try await proxy.stop()
        }
    }

    @Test("CONNECT, with the user of the URL")
    func connect() async throws {
        try await withProxy(.connect, scheme: "http://me:a%40b@", host: "api.test", certificate: .namedServer) {
            transport, proxy in
            try await transport.expect("200 x")
            try await transport.expect("200 x")
            let question = try #require(proxy.log.value.questions.first)
            #expect(question.hasPrefix("CONNECT api.test:443 HTTP/1.1"))
            #expect(question.contains("Basic bWU6YUBi"))
            #expect(proxy.log.value.accepted == 1)
        }
    }

    @Test("SOCKS 5")
    func socks() async throws {
        try await withProxy(.socks5, scheme: "socks5://", host: "api.test", certificate: .namedServer) {
            transport, proxy in
            try await transport.expect("200 x")
            #expect(proxy.log.value.questions == ["5 1 0 3 8 97 112 105 46 116 101 115 116 1 187"])
        }
    }

    @Test("The certificate of a server that is known by its address is checked against that address")
    func address() async throws {
        for (kind, scheme) in [(Tunnel.Kind.connect, "http://"), (.socks5, "socks5://")] {
            try await withProxy(kind, scheme: scheme, host: "::1") { transport, _ in
                try await transport.expect("200 x")
            }
            // The proxy has the address that the certificate is for; the server does not.
            try await withProxy(kind, scheme: scheme, host: "127.0.0.9") { transport, proxy in
                let error = await #expect(throws: APIError.self) { _ = try await transport.text() }
                let text = error.map(unreachable) ?? ""
                #expect(text.contains("is not believed: its certificate is not for 127.0.0.9"), "\(text)")
                #expect(proxy.log.value.questions.count == 1)
            }
        }
    }

    @Test("The name of the configuration counts behind a proxy too")
    func serverName() async throws {
        try await withProxy(
            .connect, scheme: "http://", host: "127.0.0.9", certificate: .namedServer, serverName: "api.test"
        ) { transport, proxy in
            try await transport.expect("200 x")
            #expect(proxy.log.value.questions.first?.hasPrefix("CONNECT 127.0.0.9:443 ") == true)
        }
    }

    @Test(
        "A proxy that does not connect",
        arguments: [
            ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy wants to know who asks"),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy did not connect to it"),
        ])
    func refusal(answer: String, expected: String) async throws {
        try await withProxy(.connect(answer), scheme: "http://", host: "api.test") { transport, _ in
            let error = await #expect(throws: APIError.self) { _ = try await transport.text() }
            let text = error.map(unreachable) ?? ""
            #expect(text.contains("https://api.test (test) cannot be reached: \(expected)"), "\(text)")
        }
    }
}
