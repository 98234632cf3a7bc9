import GatewayTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// `scripted-kubernetes-api`: a ``ScriptedKubernetesAPI`` as a process, for tests that are not in Swift.
///
///     scripted-kubernetes-api [--port PORT] [--token NAME=TOKEN]… [--tls-cert FILE --tls-key FILE [--client-ca FILE]]
///
/// It listens on 127.0.0.1, prints `listening on URL`, and stops with status 0 on SIGTERM or SIGINT. Without a token
/// everybody may do everything; the owner of a token may as well, until a script sets rules. Client certificates of the
/// authority are those of the user `client-certificate`. What else it does is said over HTTP under `/_script/`: see
/// the file ScriptedKubernetesAPI+Control.swift.
@main
enum ScriptedKubernetesAPICommand {
    private static let usage =
        "usage: scripted-kubernetes-api [--port PORT] [--token NAME=TOKEN]... "
        + "[--tls-cert FILE --tls-key FILE [--client-ca FILE]]"

    static func main() async {
        // There is nothing to save: the connections end with the process.
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            let server = try await ScriptedKubernetesAPI.start(
                port: options.port, tls: options.tls, users: options.users
            )
            if options.tls?.clientAuthority != nil {
                server.setCertificateUser(ScriptedAPIUser(name: "client-certificate"))
            }
            write("listening on \(server.url)\n", to: STDOUT_FILENO)
            // The server lives on the threads of its event loops.
            while true { pause() }
        } catch {
            write("scripted-kubernetes-api: \(error)\n", to: STDERR_FILENO)
            exit(1)
        }
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { bytes in
                #if canImport(Glibc)
                    Glibc.write(descriptor, bytes.baseAddress, bytes.count)
                #elseif canImport(Musl)
                    Musl.write(descriptor, bytes.baseAddress, bytes.count)
                #else
                    Darwin.write(descriptor, bytes.baseAddress, bytes.count)
                #endif
            }
            // Nobody listens: there is nobody to tell.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private struct UsageError: Error, CustomStringConvertible {
        let description: String
    }

    private struct Options {
        var port = 0
        var users: [String: ScriptedAPIUser] = [:]
        var tls: ScriptedKubernetesAPI.TLSFiles?

        init(_ arguments: ArraySlice<String>) throws {
            var files: [String: String] = [:]
            var arguments = arguments.makeIterator()
            while let flag = arguments.next() {
                guard let value = arguments.next() else { throw UsageError(description: usage) }
                switch flag {
                case "--port":
                    guard let port = UInt16(value) else {
                        throw UsageError(description: "--port \(value): not a port")
                    }
                    self.port = Int(port)
                case "--token":
                    let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
                    guard parts.count == 2 else {
                        throw UsageError(description: "--token takes NAME=TOKEN")
                    }
                    users[parts[1]] = ScriptedAPIUser(name: parts[0])
                case "--tls-cert", "--tls-key", "--client-ca": files[flag] = value
                default: throw UsageError(description: usage)
                }
            }
            guard let certificate = files["--tls-cert"], let key = files["--tls-key"] else {
                guard files.isEmpty else { throw UsageError(description: usage) }
                return
            }
            tls = ScriptedKubernetesAPI.TLSFiles(
                certificate: certificate, key: key, clientAuthority: files["--client-ca"]
            )
        }
    }
}
