import FoundationEssentials
import GatewayTesting
import Logging
import Testing

@testable import KubernetesClient

/// A server that takes this token only.
private func server(taking token: ObservedState<String>) async throws -> ScriptedServer {
    try await ScriptedServer.start { request in
        let shown = request.values("Authorization").first ?? "nothing"
        return [.send(shown == "Bearer \(token.value)" ? answer("200 OK", shown) : answer("401 Unauthorized", shown))]
    }
}

@Suite("Tokens in files", .timeLimit(.minutes(1)))
struct TokenFileTests {
    @Test("A token that was replaced is shown at once after a 401, and the request is sent again")
    func rotation() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("token", "one\n")
        let good = ObservedState("one")
        let server = try await server(taking: good)
        let credentials = ClientCredentials(authorization: .tokenFile(file, initial: nil))
        try await withTransport(.plain(port: server.port, credentials: credentials)) { transport in
            try await transport.expect("200 Bearer one")
            try folder.write("token", "  two\n")
            good.update { $0 = "two" }
            try await transport.expect("200 Bearer two")
            #expect(server.log.value.requests.count == 3)
            // There is nothing new to show: the answer is the caller's business.
            good.update { $0 = "three" }
            try await transport.expect("401 Bearer two")
            #expect(server.log.value.requests.count == 4)
        }
        try await server.stop()
    }

    @Test("A token is read again after a minute, and an old one serves while there is no new one")
    func age() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("token", "one")
        let server = try await ScriptedServer.start { request in
            [.send(answer("200 OK", request.values("Authorization").joined()))]
        }
        let credentials = ClientCredentials(authorization: .tokenFile(file, initial: nil))
        let clock = TestClock()
        try await withTransport(.plain(port: server.port, credentials: credentials), now: clock.now) { transport in
            try await transport.expect("200 Bearer one")
            try folder.write("token", "two")
            clock.advance(by: .seconds(59))
            try await transport.expect("200 Bearer one")
            clock.advance(by: .seconds(1))
            try await transport.expect("200 Bearer two")
            try folder.write("token", " \n")
            clock.advance(by: .seconds(60))
            try await transport.expect("200 Bearer two")
            try folder.write("token", "three")
            try await transport.expect("200 Bearer three")
        }
        try await server.stop()
    }

    @Test("Without a token nothing is asked, unless the configuration has one for the start")
    func missing() async throws {
        let folder = try TemporaryFolder()
        let file = "\(folder.path)/token"
        let server = try await ScriptedServer.start { request in
            [.send(answer("200 OK", request.values("Authorization").joined()))]
        }
        var credentials = ClientCredentials(authorization: .tokenFile(file, initial: nil))
        try await withTransport(.plain(port: server.port, credentials: credentials)) { transport in
            let error = await #expect(throws: APIError.self) { _ = try await transport.text() }
            #expect(
                error
                    == .unauthenticated("There is no token for the API server in '\(file)': there is no such file."))
            #expect(server.log.value.accepted == 0)
        }
        credentials.authorization = .tokenFile(file, initial: "first")
        try await withTransport(.plain(port: server.port, credentials: credentials)) { transport in
            try await transport.expect("200 Bearer first")
            try folder.write("token", "filed")
            try await transport.expect("200 Bearer filed")
        }
        try await server.stop()
    }
}

@Suite("Credential plugins", .timeLimit(.minutes(1)))
struct ExecPluginTests {
    private static let version = ExecPlugin.Version.v1.rawValue

    /// What a plugin says.
    private static func credential(_ status: String, version: String = version) -> String {
        #"{"apiVersion":"\#(version)","kind":"ExecCredential","status":{\#(status)}}"#
    }

    /// Runs a script once.
    private func run(
        _ script: String,
        _ change: (inout ExecPlugin, inout ClusterConfiguration) -> Void = { _, _ in },
        limit: Duration = .seconds(20)
    ) async throws(APIError) -> ExecCredential {
        let folder: TemporaryFolder
        let file: String
        do {
            folder = try TemporaryFolder()
            file = try folder.write("plugin", "#!/bin/sh\n\(script)\n", isProgram: true)
        } catch { throw APIError.malformed("\(error)") }
        defer { withExtendedLifetime(folder) {} }
        var plugin = ExecPlugin(command: file)
        var cluster = ClusterConfiguration.secure(port: 1)
        change(&plugin, &cluster)
        return try await ExecPluginRunner(plugin: plugin, cluster: cluster, limit: limit).run()
    }

    @Test("A plugin's arguments, environment and question reach it, and its answer is read")
    func answer() async throws {
        let folder = try TemporaryFolder()
        let script = """
            printf '%s|%s|%s' "$1" "$NAME" "$KUBERNETES_EXEC_INFO" > '\(folder.path)/seen'
            echo 'all is well' >&2
            echo '\(Self.credential(#""token":"t","expirationTimestamp":"2030-01-02T03:04:05.5Z""#))'
            """
        let credential = try await run(script) { plugin, cluster in
            plugin.arguments = ["an argument"]
            plugin.environment = [.init(name: "NAME", value: "value")]
            plugin.needsCluster = true
            plugin.clusterExtension = .object(["a": .integer(1), "b": .array([.string("x"), .null])])
            cluster.trust = ServerTrust(authorities: .data(Array("pem".utf8)), serverName: "api.test")
        }
        #expect(credential.token == "t")
        #expect(credential.certificate == nil)
        #expect(credential.expiration?.timeIntervalSince1970 == 1_893_553_445.5)
        let expected =
            #"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"cluster":"#
            + #"{"certificate-authority-data":"cGVt","config":{"a":1,"b":["x",null]},"#
            + #""server":"https://127.0.0.1:1","tls-server-name":"api.test"},"interactive":false}}"#
        #expect(try folder.read("seen") == "an argument|value|\(expected)")
    }

    @Test(
        "What is wrong with an answer is said, without its secrets",
        arguments: [
            ("echo no; exit 0", "its output is not an ExecCredential in JSON: it cannot be parsed"),
            ("echo '\(credential(#""token":5"#))'", "status.token has the wrong type"),
            (
                "echo '\(credential(#""token":"SECRET""#, version: "v0"))'",
                "it answered in version 'v0' and was asked in '\(version)'"
            ),
            (#"echo '{"apiVersion":"\#(version)","kind":"Pod"}'"#, "its output is a 'Pod', not an 'ExecCredential'"),
            (#"echo '{"apiVersion":"\#(version)","kind":"ExecCredential"}'"#, "its output has no status"),
            ("echo '\(credential(#""token":"""#))'", "its output has neither a token nor a client certificate"),
            ("echo '\(credential(#""clientKeyData":"SECRET""#))'", "only one of a client certificate and its key"),
            (
                "echo '\(credential(#""token":"SECRET","expirationTimestamp":"soon""#))'",
                "its expirationTimestamp 'soon' is not a time of RFC 3339"
            ),
            ("echo first >&2; echo 'login expired' >&2; echo >&2; exit 3", "it ended with exited(3): login expired"),
            ("kill -9 $$", "it ended with"),
            ("head -c 2000000 /dev/zero", "its output has more than 1048576 bytes"),
        ])
    func wrong(script: String, expected: String) async throws {
        let error = await #expect(throws: APIError.self) { _ = try await run(script) }
        guard case .unauthenticated(let text) = error else { throw WrongKind(error: error) }
        #expect(text.hasPrefix("The plugin '") && text.contains(expected) && !text.contains("SECRET"), "\(text)")
    }

    private struct WrongKind: Error {
        let error: APIError?
    }

    @Test("A program that is not there, with what the configuration says about it", arguments: [true, false])
    func missing(isPath: Bool) async throws {
        let command = isPath ? "/nowhere/to/be/found" : "martlet-no-such-plugin"
        let plugin = ExecPlugin(command: command, installHint: "Install it.")
        let runner = ExecPluginRunner(plugin: plugin, cluster: .secure(port: 1), limit: .seconds(20))
        let error = await #expect(throws: APIError.self) { _ = try await runner.run() }
        #expect(
            error
                == .unauthenticated(
                    "The plugin '\(command)' gave no credentials: there is no such program. Install it."))
    }

    @Test("A plugin that complains without end is listened to until it ends")
    func manyComplaints() async throws {
        let script = """
            head -c 3000000 /dev/zero | tr '\\0' 'x' >&2
            echo '\(Self.credential(#""token":"t""#))'
            """
        #expect(try await run(script).token == "t")
    }

    @Test("A plugin that does not end is ended, with what it started")
    func tooSlow() async throws {
        let folder = try TemporaryFolder()
        // The one that was started holds the file open; the lock is free when it is gone.
        let script = """
            trap '' TERM
            flock '\(folder.path)/lock' tail -f /dev/null &
            wait
            tail -f /dev/null
            """
        let error = await #expect(throws: APIError.self) { _ = try await run(script, limit: .milliseconds(500)) }
        #expect(error?.description.contains("it did not end within 0.5 seconds") == true, "\(error!)")
        // Waits for the lock, which its holder gives up by ending.
        let after = try await run(
            "flock '\(folder.path)/lock' true && echo '\(Self.credential(#""token":"free""#))'")
        #expect(after.token == "free")
    }

    @Test("A request that is cancelled ends the plugin that it runs, and the next request runs it anew")
    func cancelled() async throws {
        let folder = try TemporaryFolder()
        let credential = Self.credential(#""token":"t""#)
        let command = try folder.write(
            "plugin",
            """
            #!/bin/sh
            mkdir '\(folder.path)/first' 2>/dev/null && exec tail -f /dev/null
            echo '\(credential)'
            """,
            isProgram: true)
        let server = try await ScriptedServer.start { _ in [.send(KubernetesClientTests.answer("200 OK", "x"))] }
        let credentials = ClientCredentials(plugin: ExecPlugin(command: command))
        try await withTransport(.plain(port: server.port, credentials: credentials)) { transport in
            await withTaskGroup(of: String.self) { group in
                group.addTask {
                    do { return try await transport.text() } catch { return unreachable(error) }
                }
                // A program that ends when the other one has begun.
                _ = try? await run("until [ -d '\(folder.path)/first' ]; do :; done; echo '\(credential)'")
                group.cancelAll()
                #expect(await group.next() == "The request was cancelled while it waited for credentials.")
            }
            try await transport.expect("200 x")
        }
        try await server.stop()
    }

    @Test("A plugin runs once for many requests, and again before its answer expires and after a 401")
    func renewal() async throws {
        let folder = try TemporaryFolder()
        let command = try folder.write(
            "plugin",
            """
            #!/bin/sh
            echo run >> '\(folder.path)/runs'
            count=$(wc -l < '\(folder.path)/runs' | tr -d ' ')
            echo '{"apiVersion":"\(Self.version)","kind":"ExecCredential","status":{"token":"t'$count'"}}'
            """,
            isProgram: true)
        let good = ObservedState("t1")
        let server = try await server(taking: good)
        let credentials = ClientCredentials(plugin: ExecPlugin(command: command))
        let clock = TestClock()
        try await withTransport(.plain(port: server.port, credentials: credentials), now: clock.now) { transport in
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await transport.text() } }
                for try await text in group { #expect(text == "200 Bearer t1") }
            }
            good.update { $0 = "t2" }
            // Too soon after the last run.
            try await transport.expect("401 Bearer t1")
            clock.advance(by: .seconds(10))
            try await transport.expect("200 Bearer t2")
        }
        #expect(try folder.read("runs") == "run\nrun\n")
        try await server.stop()
    }

    @Test("What a plugin said is renewed shortly before it expires, and serves until then if that fails")
    func expiry() async throws {
        let folder = try TemporaryFolder()
        let answer = { (token: String, expiry: String) in
            try folder.write(
                "answer", Self.credential(#""token":"\#(token)","expirationTimestamp":"\#(expiry)""#))
        }
        let command = try folder.write("plugin", "#!/bin/sh\ncat '\(folder.path)/answer'\n", isProgram: true)
        let clock = TestClock()
        var timing = CredentialSource.Timing()
        timing.now = clock.now
        timing.date = { Date(timeIntervalSince1970: 0) }
        let source = CredentialSource(
            .plain(port: 1, credentials: ClientCredentials(plugin: ExecPlugin(command: command))),
            verifiesHostItself: false, timing: timing, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        _ = try answer("one", "1970-01-01T01:00:00+00:30")
        #expect(try await source.current().authorization == "Bearer one")
        _ = try answer("two", "1970-01-01T00:00:00Z")
        // Half an hour of life; a minute before its end there is a new run.
        clock.advance(by: .seconds(1739))
        #expect(try await source.current().authorization == "Bearer one")
        try folder.remove("answer")
        clock.advance(by: .seconds(1))
        #expect(try await source.current().authorization == "Bearer one")
        _ = try answer("two", "1970-01-01T00:00:00Z")
        clock.advance(by: .seconds(9))
        #expect(try await source.current().authorization == "Bearer one")
        clock.advance(by: .seconds(1))
        #expect(try await source.current().authorization == "Bearer two")
        // That one had expired before it came: it is tried for a while all the same.
        _ = try answer("three", "1970-01-02T00:00:00Z")
        clock.advance(by: .seconds(8))
        #expect(try await source.current().authorization == "Bearer two")
        clock.advance(by: .seconds(1))
        #expect(try await source.current().authorization == "Bearer three")
        // Nothing serves beyond its end.
        try folder.remove("answer")
        clock.advance(by: .seconds(86_400))
        await #expect(throws: APIError.self) { _ = try await source.current() }
    }

    @Test("A plugin's certificate is shown in the handshake")
    func certificate() async throws {
        let folder = try TemporaryFolder()
        let client = TestCertificate.client
        let status = #""clientCertificateData":"\#(client.chain)\n","clientKeyData":"\#(client.key)\n""#
            .replacing("\n", with: #"\n"#)
        try folder.write("answer", Self.credential(status))
        let command = try folder.write("plugin", "#!/bin/sh\ncat '\(folder.path)/answer'\n", isProgram: true)
        let server = try await ScriptedServer.start { _ in [.send(KubernetesClientTests.answer("200 OK", "x"))] }
        let tunnel = try await Tunnel.start(.tls(.server, asksForCertificates: true), to: server.port)
        let credentials = ClientCredentials(plugin: ExecPlugin(command: command))
        try await withTransport(.secure(port: tunnel.port, credentials: credentials)) { transport in
            try await transport.expect("200 x")
        }
        #expect(tunnel.log.value.clients == [try client.serialNumber])
        try await tunnel.stop()
        try await server.stop()
    }
}
